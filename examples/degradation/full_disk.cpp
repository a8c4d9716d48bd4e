#include "full_disk.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <initializer_list>

namespace degradation {
namespace {

bool would_grow(int file, off_t end) {
  struct stat now {};
  return ::fstat(file, &now) == 0 && end > now.st_size;
}

ssize_t write_at(int file, const void* from, std::size_t bytes, off_t at) {
  if (!would_grow(file, at + static_cast<off_t>(bytes))) return ::pwrite(file, from, bytes, at);
  errno = ENOSPC;
  return -1;
}

// Some builds of SQLite call lseek and then write.
ssize_t write_here(int file, const void* from, std::size_t bytes) {
  return write_at(file, from, bytes, ::lseek(file, 0, SEEK_CUR));
}

int allocate(int file, off_t at, off_t bytes) {
  return would_grow(file, at + bytes) ? ENOSPC : ::posix_fallocate(file, at, bytes);
}

/// nullptr restores the system's own call. Some builds of SQLite do not have all of these names;
/// that is not an error.
void replace(const char* name, void* call) {
  sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
  (void)system->xSetSystemCall(system, name, reinterpret_cast<sqlite3_syscall_ptr>(call));
}

}  // namespace

FullDisk::FullDisk() {
  replace("pwrite", reinterpret_cast<void*>(write_at));
  replace("pwrite64", reinterpret_cast<void*>(write_at));
  replace("write", reinterpret_cast<void*>(write_here));
  replace("fallocate", reinterpret_cast<void*>(allocate));
}

FullDisk::~FullDisk() {
  for (const char* name : {"pwrite", "pwrite64", "write", "fallocate"}) replace(name, nullptr);
}

}  // namespace degradation
