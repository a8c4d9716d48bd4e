#pragma once

#include <sqlite3.h>

#include <cstdint>

namespace ashmemo::bench {

struct Written {
  std::int64_t wal = 0;   // bytes written to write-ahead logs
  std::int64_t file = 0;  // to the files behind them
};

/// Counts what SQLite writes, while it lives, for connections opened meanwhile: whoever opened
/// them. It stands where SQLite hands its bytes to the system (a VFS before the system's own), so
/// it sees every one of them and knows to which file they go. One at a time.
class WriteCounter {
 public:
  WriteCounter();
  ~WriteCounter();
  WriteCounter(const WriteCounter&) = delete;
  WriteCounter& operator=(const WriteCounter&) = delete;

  [[nodiscard]] Written so_far() const noexcept;

 private:
  sqlite3_vfs vfs_;
};

/// What Linux says that this process has handed to write calls of any kind, so far; 0 elsewhere.
[[nodiscard]] std::int64_t bytes_written_by_process();

}  // namespace ashmemo::bench
