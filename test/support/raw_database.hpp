#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace ashmemo::test {

/// A connection of plain SQLite to the file, with the settings of a shell, as another program would
/// have. It is in the process of the test, so close it before the cache gives up the file.
class RawDatabase {
 public:
  explicit RawDatabase(const std::string& path);
  ~RawDatabase() { sqlite3_close(handle_); }
  RawDatabase(const RawDatabase&) = delete;
  RawDatabase& operator=(const RawDatabase&) = delete;

  /// Runs statements. Ends the test if they fail.
  void run(const std::string& sql);
  /// As run, but returns the result code.
  [[nodiscard]] int try_run(const std::string& sql) noexcept;

  /// The first column of the first row.
  [[nodiscard]] std::int64_t integer(const std::string& sql);
  /// All rows as the shell prints them: columns separated by '|', rows by newlines, NULL is empty.
  /// On an error, the message of SQLite.
  [[nodiscard]] std::string rows(const std::string& sql);

  [[nodiscard]] sqlite3* handle() const noexcept { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
};

}  // namespace ashmemo::test
