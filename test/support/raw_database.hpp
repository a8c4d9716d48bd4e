#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace ashmemo::test {

/// Another program with its own connection to the file: plain SQLite with the settings of a shell.
/// It is in the test's process, so it must not outlive the cache's right to the file.
class RawDatabase {
 public:
  explicit RawDatabase(const std::string& path);
  ~RawDatabase() { sqlite3_close(handle_); }
  RawDatabase(const RawDatabase&) = delete;
  RawDatabase& operator=(const RawDatabase&) = delete;

  /// Runs statements. Ends the test where that fails.
  void run(const std::string& sql);
  /// The result code instead.
  [[nodiscard]] int try_run(const std::string& sql) noexcept;

  /// The first column of the first row.
  [[nodiscard]] std::int64_t integer(const std::string& sql);
  /// All rows as the shell prints them: columns joined by '|', lines by newlines, NULL as nothing.
  /// Where that fails, what SQLite says.
  [[nodiscard]] std::string rows(const std::string& sql);

  [[nodiscard]] sqlite3* handle() const noexcept { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
};

}  // namespace ashmemo::test
