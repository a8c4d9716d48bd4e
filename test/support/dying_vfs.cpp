#include "support/dying_vfs.hpp"

#include <signal.h>
#include <sqlite3.h>

#include <atomic>

#include "support/system_calls.hpp"

namespace ashmemo::test {
namespace {

std::atomic<std::int64_t> fatal_change{0};
std::atomic<std::int64_t> changes{0};
std::atomic<std::int64_t> reads{0};

sqlite3_vfs* system_vfs = nullptr;
// The methods of SQLite's default VFS for a kind of file, and a copy that counts. Database files
// have other methods than journals and WALs.
struct Methods {
  sqlite3_io_methods counting;  // must be the first member, because a file points to it
  const sqlite3_io_methods* system;
};
Methods of_databases;
Methods of_others;

const sqlite3_io_methods* system_methods(sqlite3_file* file) {
  return reinterpret_cast<const Methods*>(file->pMethods)->system;
}

// Called before each change, so that this change is missing after the kill.
void count_change() {
  if (++changes == fatal_change) ::raise(SIGKILL);
}

int read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
  ++reads;
  return system_methods(file)->xRead(file, to, bytes, at);
}

int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  count_change();
  return system_methods(file)->xWrite(file, from, bytes, at);
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  count_change();
  return system_methods(file)->xTruncate(file, size);
}

int sync(sqlite3_file* file, int flags) {
  count_change();
  return system_methods(file)->xSync(file, flags);
}

int unmap(sqlite3_file* file, int remove_it) {
  if (remove_it != 0) count_change();
  return system_methods(file)->xShmUnmap(file, remove_it);
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  if ((flags & SQLITE_OPEN_CREATE) != 0) count_change();
  const int rc = system_vfs->xOpen(system_vfs, name, file, flags, out_flags);
  if (rc != SQLITE_OK) return rc;
  Methods& methods = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? of_databases : of_others;
  methods.system = file->pMethods;
  methods.counting = *methods.system;
  methods.counting.xRead = read;
  methods.counting.xWrite = write;
  methods.counting.xTruncate = truncate;
  methods.counting.xSync = sync;
  methods.counting.xShmUnmap = unmap;
  file->pMethods = &methods.counting;
  return rc;
}

int remove(sqlite3_vfs*, const char* name, int sync_directory) {
  count_change();
  return system_vfs->xDelete(system_vfs, name, sync_directory);
}

// A copy of the default VFS with other functions. The default functions work on the copied fields.
sqlite3_vfs make_vfs() {
  system_vfs = sqlite3_vfs_find(nullptr);
  sqlite3_vfs vfs = *system_vfs;
  vfs.zName = "dying";
  vfs.xOpen = open;
  vfs.xDelete = remove;
  return vfs;
}

}  // namespace

void die_at_file_change(std::int64_t nth) {
  static sqlite3_vfs vfs = make_vfs();
  sqlite3_vfs_register(&vfs, 1);
  fatal_change = nth;
  changes = 0;
  reads = 0;
  // The VFS counts the changes of SQLite.
  before_os_calls([](const OsCall& call) {
    if (!call.is_by_sqlite && changes_a_file(call)) count_change();
    return 0;
  });
}

std::int64_t file_reads() { return reads; }

}  // namespace ashmemo::test
