#pragma once

#include <sqlite3.h>

namespace ashmemo::test {

/// Counts how often SQLite syncs a WAL file to the disk, for connections that are opened while it
/// exists. Only one may exist at a time.
class CountingVfs {
 public:
  CountingVfs();
  ~CountingVfs();
  CountingVfs(const CountingVfs&) = delete;
  CountingVfs& operator=(const CountingVfs&) = delete;

  /// The number of syncs of WAL files.
  [[nodiscard]] int of_wal() const noexcept;

 private:
  sqlite3_vfs vfs_;
};

}  // namespace ashmemo::test
