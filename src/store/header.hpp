#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ashmemo::store {

/// The first 100 bytes of a file, as far as they tell whose it is.
struct Header {
  bool is_sqlite = false;  // begins as SQLite databases do, and is long enough for one
  bool is_blank = false;   // only zeroes
  bool is_known = false;   // in a format that every SQLite of today can read and write
  std::int32_t application_id = 0;
  std::int32_t user_version = 0;
};

/// Of any bytes, of any length.
[[nodiscard]] Header parse_header(std::string_view bytes) noexcept;

/// Whether a write-ahead log that begins with these bytes can be read: false for a format that
/// SQLite refuses to open the file with. What is no log at all it ignores.
[[nodiscard]] bool is_known_log(std::string_view bytes) noexcept;

/// Reads a regular file's header.
///
/// Through SQLite's own file layer, which is why it is here: closing a descriptor drops all locks
/// that the process has on a file, and whoever hands us the path of a database that his own program
/// has open must not lose its locks over it. SQLite keeps such a descriptor open until they are
/// gone. No lock is taken, no other file opened, nothing written.
[[nodiscard]] base::Result<Header> read_header(const std::string& path);

}  // namespace ashmemo::store
