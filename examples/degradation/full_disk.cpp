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
  if (would_grow(file, at + static_cast<off_t>(bytes))) {
    errno = ENOSPC;
    return -1;
  }
  return ::pwrite(file, from, bytes, at);
}

// Some builds of SQLite move to the place first, and then write.
ssize_t write_here(int file, const void* from, std::size_t bytes) {
  if (would_grow(file, ::lseek(file, 0, SEEK_CUR) + static_cast<off_t>(bytes))) {
    errno = ENOSPC;
    return -1;
  }
  return ::write(file, from, bytes);
}

int allocate(int file, off_t at, off_t bytes) {
  return would_grow(file, at + bytes) ? ENOSPC : ::posix_fallocate(file, at, bytes);
}

/// nullptr: the system's own again. A name that a build of SQLite does not know is no error here.
void replace(const char* name, sqlite3_syscall_ptr call) {
  sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
  (void)system->xSetSystemCall(system, name, call);
}

template <class F>
sqlite3_syscall_ptr as_system_call(F* function) {
  return reinterpret_cast<sqlite3_syscall_ptr>(function);
}

}  // namespace

FullDisk::FullDisk() {
  replace("pwrite", as_system_call(write_at));
  replace("pwrite64", as_system_call(write_at));
  replace("write", as_system_call(write_here));
  replace("fallocate", as_system_call(allocate));
}

FullDisk::~FullDisk() {
  for (const char* name : {"pwrite", "pwrite64", "write", "fallocate"}) replace(name, nullptr);
}

}  // namespace degradation
