#pragma once

#include <string>

namespace values {

/// How SQLite keeps a value: what `typeof(value)` and the value are in the cache file.
struct InFile {
  std::string type;  ///< integer, real, text, blob or null
  std::string form;  ///< as in SQL, but text with \x00 for a byte that is not plain ASCII
};

/// Asks the file, on a connection that can only read, as any other program may while the cache is
/// open. Throws if there is no such key.
InFile look_into(const std::string& file, const std::string& key);

/// What somebody with the sqlite3 program may do: `UPDATE ... SET value = SQL`.
void edit(const std::string& file, const std::string& key, const std::string& sql);

}  // namespace values
