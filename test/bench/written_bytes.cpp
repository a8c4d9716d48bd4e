#include "bench/written_bytes.hpp"

#include <atomic>
#include <fstream>
#include <mutex>
#include <string>

namespace ashmemo::bench {
namespace {

sqlite3_vfs* system_vfs = nullptr;
std::atomic<std::int64_t> wal_bytes{0};
std::atomic<std::int64_t> file_bytes{0};

// The methods of SQLite's default VFS, and a copy whose `xWrite` counts. One for each kind of file.
struct Counting {
  std::once_flag prepared;
  const sqlite3_io_methods* system = nullptr;
  sqlite3_io_methods methods{};
};
Counting wal;
Counting file;

int write_wal(sqlite3_file* to, const void* data, int size, sqlite3_int64 offset) {
  wal_bytes += size;
  return wal.system->xWrite(to, data, size, offset);
}

int write_file(sqlite3_file* to, const void* data, int size, sqlite3_int64 offset) {
  file_bytes += size;
  return file.system->xWrite(to, data, size, offset);
}

void count_in(sqlite3_file* opened, Counting& counting, decltype(&write_wal) write) {
  std::call_once(counting.prepared, [&] {
    counting.system = opened->pMethods;
    counting.methods = *counting.system;
    counting.methods.xWrite = write;
  });
  opened->pMethods = &counting.methods;
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* opened, int flags, int* flags_out) {
  const int rc = system_vfs->xOpen(system_vfs, name, opened, flags, flags_out);
  if (rc != SQLITE_OK) return rc;
  if ((flags & SQLITE_OPEN_WAL) != 0) count_in(opened, wal, write_wal);
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) count_in(opened, file, write_file);
  return rc;
}

}  // namespace

// A copy of the default VFS with another `xOpen`. The default methods work on the copied fields.
WriteCounter::WriteCounter() {
  system_vfs = sqlite3_vfs_find(nullptr);
  vfs_ = *system_vfs;
  vfs_.zName = "counting";
  vfs_.xOpen = open;
  sqlite3_vfs_register(&vfs_, 1);
}

WriteCounter::~WriteCounter() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(system_vfs, 1);
}

Written WriteCounter::so_far() const noexcept { return {wal_bytes, file_bytes}; }

std::int64_t bytes_written_by_process() {
  std::ifstream io("/proc/self/io");
  std::string name;
  std::int64_t value = 0;
  while (io >> name >> value) {
    if (name == "wchar:") return value;
  }
  return 0;
}

}  // namespace ashmemo::bench
