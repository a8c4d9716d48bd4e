#include "support/counting_vfs.hpp"

#include <atomic>

namespace ashmemo::test {
namespace {

sqlite3_vfs* system_vfs = nullptr;
std::atomic<int> wal_syncs{0};
// The methods of SQLite's default VFS, and a copy whose `xSync` counts.
const sqlite3_io_methods* system_methods = nullptr;
sqlite3_io_methods counting_methods;

int count_sync(sqlite3_file* file, int flags) {
  ++wal_syncs;
  return system_methods->xSync(file, flags);
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  const int rc = system_vfs->xOpen(system_vfs, name, file, flags, flags_out);
  if (rc != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0) return rc;
  system_methods = file->pMethods;
  counting_methods = *system_methods;
  counting_methods.xSync = count_sync;
  file->pMethods = &counting_methods;
  return rc;
}

}  // namespace

// A copy of the default VFS with another `xOpen`. The default methods work on the copied fields.
CountingVfs::CountingVfs() {
  system_vfs = sqlite3_vfs_find(nullptr);
  wal_syncs = 0;
  vfs_ = *system_vfs;
  vfs_.zName = "counting";
  vfs_.xOpen = open;
  sqlite3_vfs_register(&vfs_, 1);
}

CountingVfs::~CountingVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(system_vfs, 1);
}

int CountingVfs::of_wal() const noexcept { return wal_syncs; }

}  // namespace ashmemo::test
