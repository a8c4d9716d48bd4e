#pragma once

#include <sqlite3.h>

#include <cstdint>

namespace ashmemo::bench {

struct Written {
  std::int64_t wal = 0;   // bytes written to write-ahead logs
  std::int64_t file = 0;  // bytes written to database files
};

/// Counts the bytes that SQLite writes, for all connections that are opened while it exists. It is
/// a VFS in front of the default one, so it sees every byte and knows the kind of its file. Only
/// one may exist at a time.
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

/// The bytes that this process has passed to write calls of any kind, as Linux counts them. 0 on
/// other systems.
[[nodiscard]] std::int64_t bytes_written_by_process();

}  // namespace ashmemo::bench
