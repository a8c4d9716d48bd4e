#pragma once

#include <sqlite3.h>

namespace ashmemo::test {

/// Counts how often SQLite has a WAL written through the device, while it lives: for connections
/// opened meanwhile. One at a time.
class CountingVfs {
 public:
  CountingVfs();
  ~CountingVfs();
  CountingVfs(const CountingVfs&) = delete;
  CountingVfs& operator=(const CountingVfs&) = delete;

  [[nodiscard]] int of_wal() const noexcept;

 private:
  sqlite3_vfs vfs_;
};

}  // namespace ashmemo::test
