#include "support/transaction_counter.hpp"

#include <atomic>

namespace ashmemo::test {
namespace {

// From section 2.3 of SQLite's WAL file format: the byte that a writer locks, and the first byte
// that readers lock.
constexpr int kWriteLock = 0;
constexpr int kFirstReadLock = 3;

sqlite3_vfs* system_vfs = nullptr;
std::atomic<std::int64_t> read_locks{0};
std::atomic<std::int64_t> write_locks{0};
// The methods of SQLite's default VFS, and a copy that counts the locks.
const sqlite3_io_methods* system_methods = nullptr;
sqlite3_io_methods counting_methods;

int count_lock(sqlite3_file* file, int offset, int count, int flags) {
  const int rc = system_methods->xShmLock(file, offset, count, flags);
  if (rc != SQLITE_OK || (flags & SQLITE_SHM_LOCK) == 0) return rc;
  if ((flags & SQLITE_SHM_SHARED) != 0 && offset >= kFirstReadLock) ++read_locks;
  if ((flags & SQLITE_SHM_EXCLUSIVE) != 0 && offset == kWriteLock && count == 1) ++write_locks;
  return rc;
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  const int rc = system_vfs->xOpen(system_vfs, name, file, flags, flags_out);
  if (rc != SQLITE_OK || (flags & SQLITE_OPEN_MAIN_DB) == 0) return rc;
  system_methods = file->pMethods;
  counting_methods = *system_methods;
  counting_methods.xShmLock = count_lock;
  file->pMethods = &counting_methods;
  return rc;
}

}  // namespace

// A copy of the default VFS with another `xOpen`. The default methods work on the copied fields.
TransactionCounter::TransactionCounter() {
  system_vfs = sqlite3_vfs_find(nullptr);
  read_locks = 0;
  write_locks = 0;
  vfs_ = *system_vfs;
  vfs_.zName = "counting transactions";
  vfs_.xOpen = open;
  sqlite3_vfs_register(&vfs_, 1);
}

TransactionCounter::~TransactionCounter() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(system_vfs, 1);
}

std::int64_t TransactionCounter::reads() const noexcept { return read_locks; }

std::int64_t TransactionCounter::writes() const noexcept { return write_locks; }

}  // namespace ashmemo::test
