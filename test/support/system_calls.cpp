#include "support/system_calls.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <utility>

#include "base/system_calls.hpp"

namespace ashmemo::test {
namespace {

namespace sys = base::sys;
using Kind = OsCall::Kind;

std::function<int(const OsCall&)> before_call;

/// Whether the call is to be made. Otherwise errno is set.
bool may_run(const OsCall& call) noexcept {
  const int error = before_call ? before_call(call) : 0;
  if (error != 0) errno = error;
  return error == 0;
}

/// Makes the call, or returns the result of a failed call.
template <class Call>
auto run(const OsCall& call, const Call& made) noexcept {
  return may_run(call) ? made() : decltype(made())(-1);
}

Kind kind_of_open(int flags) {
  if ((flags & O_TRUNC) != 0) return Kind::truncate;
  return (flags & O_CREAT) != 0 ? Kind::create : Kind::open;
}

// Other commands of fcntl than these do not fail in practice.
bool can_fail(int command, void* argument) {
#if defined(F_OFD_SETLK)
  if (command == F_OFD_SETLK) command = F_SETLK;
#endif
  return command == F_SETLK && static_cast<struct flock*>(argument)->l_type != F_UNLCK;
}

int run_fcntl(bool is_by_sqlite, int descriptor, int command, void* argument) noexcept {
  const auto made = [&] { return ::fcntl(descriptor, command, argument); };
  if (command == F_DUPFD_CLOEXEC) return run({.kind = Kind::open}, made);
  if (!can_fail(command, argument)) return made();
  return run({.kind = Kind::lock, .is_by_sqlite = is_by_sqlite, .descriptor = descriptor}, made);
}

// ------------------------------------------------------------------------------------------------
// the calls of the library

int own_fchmod(int file, mode_t mode) noexcept {
  return run({.kind = Kind::set_mode, .descriptor = file}, [&] { return ::fchmod(file, mode); });
}

int own_fchmodat(int folder, const char* path, mode_t mode, int flags) noexcept {
  return run({.kind = Kind::set_mode, .path = path},
             [&] { return ::fchmodat(folder, path, mode, flags); });
}

int own_fcntl(int file, int command, ...) noexcept {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return run_fcntl(false, file, command, argument);
}

int own_fstat(int file, struct stat* state) noexcept {
  return run({.kind = Kind::state, .descriptor = file}, [&] { return ::fstat(file, state); });
}

// Does not sync, because the machine stays on.
int own_fsync(int file) noexcept {
  return run({.kind = Kind::sync, .descriptor = file}, [] { return 0; });
}

int own_lstat(const char* path, struct stat* state) noexcept {
  return run({.kind = Kind::state, .path = path}, [&] { return ::lstat(path, state); });
}

void* own_mmap(void* at, size_t bytes, int protection, int flags, int file, off_t from) noexcept {
  const OsCall call{.kind = Kind::map, .descriptor = file};
  return may_run(call) ? ::mmap(at, bytes, protection, flags, file, from) : MAP_FAILED;
}

int own_open(const char* path, int flags, ...) noexcept {
  va_list arguments;
  va_start(arguments, flags);
  const auto mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return run({.kind = kind_of_open(flags), .path = path},
             [&] { return ::open(path, flags, mode); });
}

DIR* own_opendir(const char* path) noexcept {
  return may_run({.kind = Kind::open_folder, .path = path}) ? ::opendir(path) : nullptr;
}

dirent* own_readdir(DIR* folder) noexcept {
  return may_run({.kind = Kind::read, .descriptor = ::dirfd(folder)}) ? ::readdir(folder) : nullptr;
}

char* own_realpath(const char* path, char* resolved) noexcept {
  return may_run({.kind = Kind::state, .path = path}) ? ::realpath(path, resolved) : nullptr;
}

ssize_t own_read(int file, void* to, size_t bytes) noexcept {
  return run({.kind = Kind::read, .descriptor = file}, [&] { return ::read(file, to, bytes); });
}

ssize_t own_pwrite(int file, const void* from, size_t bytes, off_t at) noexcept {
  return run({.kind = Kind::write, .descriptor = file},
             [&] { return ::pwrite(file, from, bytes, at); });
}

int own_rename(const char* from, const char* to) noexcept {
  return run({.kind = Kind::rename, .path = from, .to = to}, [&] { return ::rename(from, to); });
}

#if defined(__linux__)
int own_renameat2(int folder, const char* from, int to_folder, const char* to,
                  unsigned int flags) noexcept {
  return run({.kind = Kind::rename_only, .path = from, .to = to},
             [&] { return ::renameat2(folder, from, to_folder, to, flags); });
}
#endif

int own_statvfs(const char* path, struct statvfs* disk) noexcept {
  return run({.kind = Kind::state, .path = path}, [&] { return ::statvfs(path, disk); });
}

int own_unlink(const char* path) noexcept {
  return run({.kind = Kind::remove, .path = path}, [&] { return ::unlink(path); });
}

void replace_own_calls() {
  sys::fchmod = own_fchmod;
  sys::fchmodat = own_fchmodat;
  sys::fcntl = own_fcntl;
  sys::fstat = own_fstat;
  sys::fsync = own_fsync;
  sys::lstat = own_lstat;
  sys::mmap = own_mmap;
  sys::open = own_open;
  sys::opendir = own_opendir;
  sys::pwrite = own_pwrite;
  sys::read = own_read;
  sys::readdir = own_readdir;
  sys::realpath = own_realpath;
  sys::rename = own_rename;
#if defined(__linux__)
  sys::renameat2 = own_renameat2;
#endif
  sys::statvfs = own_statvfs;
  sys::unlink = own_unlink;
}

// ------------------------------------------------------------------------------------------------
// the calls of SQLite. fault_vfs.hpp makes its syncs fail.

/// One of SQLite's own functions for a system call, which was replaced.
template <class Function>
struct Replaced {
  Function* system = nullptr;
};

Replaced<int(const char*, int, int)> sqlite_open;
Replaced<int(const char*, int*)> sqlite_open_folder;
Replaced<int(const char*, struct stat*)> sqlite_stat;
Replaced<int(const char*, struct stat*)> sqlite_lstat;
Replaced<int(int, struct stat*)> sqlite_fstat;
Replaced<int(int, off_t)> sqlite_ftruncate;
Replaced<int(int, mode_t)> sqlite_fchmod;
Replaced<int(const char*)> sqlite_unlink;
Replaced<void*(void*, size_t, int, int, int, off_t)> sqlite_mmap;
// How SQLite was built decides which of these functions it calls.
Replaced<ssize_t(int, void*, size_t)> sqlite_read;
Replaced<ssize_t(int, void*, size_t, off_t)> sqlite_pread;
Replaced<ssize_t(int, void*, size_t, off_t)> sqlite_pread64;
Replaced<ssize_t(int, const void*, size_t)> sqlite_write;
Replaced<ssize_t(int, const void*, size_t, off_t)> sqlite_pwrite;
Replaced<ssize_t(int, const void*, size_t, off_t)> sqlite_pwrite64;

int open_of_sqlite(const char* path, int flags, int mode) {
  return run({.kind = kind_of_open(flags), .is_by_sqlite = true, .path = path},
             [&] { return sqlite_open.system(path, flags, mode); });
}

int open_folder_of_sqlite(const char* path, int* file) {
  const OsCall call{.kind = Kind::open_folder, .is_by_sqlite = true, .path = path};
  return may_run(call) ? sqlite_open_folder.system(path, file) : SQLITE_CANTOPEN;
}

int stat_of_sqlite(const char* path, struct stat* state) {
  return run({.kind = Kind::state, .is_by_sqlite = true, .path = path},
             [&] { return sqlite_stat.system(path, state); });
}

int lstat_of_sqlite(const char* path, struct stat* state) {
  return run({.kind = Kind::state, .is_by_sqlite = true, .path = path},
             [&] { return sqlite_lstat.system(path, state); });
}

int fstat_of_sqlite(int file, struct stat* state) {
  return run({.kind = Kind::state, .is_by_sqlite = true, .descriptor = file},
             [&] { return sqlite_fstat.system(file, state); });
}

int ftruncate_of_sqlite(int file, off_t size) {
  return run({.kind = Kind::resize, .is_by_sqlite = true, .descriptor = file},
             [&] { return sqlite_ftruncate.system(file, size); });
}

int fchmod_of_sqlite(int file, mode_t mode) {
  return run({.kind = Kind::set_mode, .is_by_sqlite = true, .descriptor = file},
             [&] { return sqlite_fchmod.system(file, mode); });
}

int unlink_of_sqlite(const char* path) {
  return run({.kind = Kind::remove, .is_by_sqlite = true, .path = path},
             [&] { return sqlite_unlink.system(path); });
}

int fcntl_of_sqlite(int file, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return run_fcntl(true, file, command, argument);
}

void* mmap_of_sqlite(void* at, size_t bytes, int protection, int flags, int file, off_t from) {
  const OsCall call{.kind = Kind::map, .is_by_sqlite = true, .descriptor = file};
  return may_run(call) ? sqlite_mmap.system(at, bytes, protection, flags, file, from) : MAP_FAILED;
}

ssize_t read_of_sqlite(int file, void* to, size_t bytes) {
  return run({.kind = Kind::read, .is_by_sqlite = true, .descriptor = file},
             [&] { return sqlite_read.system(file, to, bytes); });
}

ssize_t pread_of_sqlite(int file, void* to, size_t bytes, off_t at) {
  return run({.kind = Kind::read, .is_by_sqlite = true, .descriptor = file, .at = at},
             [&] { return sqlite_pread.system(file, to, bytes, at); });
}

ssize_t pread64_of_sqlite(int file, void* to, size_t bytes, off_t at) {
  return run({.kind = Kind::read, .is_by_sqlite = true, .descriptor = file, .at = at},
             [&] { return sqlite_pread64.system(file, to, bytes, at); });
}

ssize_t write_of_sqlite(int file, const void* from, size_t bytes) {
  return run({.kind = Kind::write, .is_by_sqlite = true, .descriptor = file},
             [&] { return sqlite_write.system(file, from, bytes); });
}

ssize_t pwrite_of_sqlite(int file, const void* from, size_t bytes, off_t at) {
  return run({.kind = Kind::write, .is_by_sqlite = true, .descriptor = file},
             [&] { return sqlite_pwrite.system(file, from, bytes, at); });
}

ssize_t pwrite64_of_sqlite(int file, const void* from, size_t bytes, off_t at) {
  return run({.kind = Kind::write, .is_by_sqlite = true, .descriptor = file},
             [&] { return sqlite_pwrite64.system(file, from, bytes, at); });
}

template <class Function>
void replace(const char* name, Function* with) {
  sqlite3_vfs* const vfs = sqlite3_vfs_find("unix");
  vfs->xSetSystemCall(vfs, name, reinterpret_cast<sqlite3_syscall_ptr>(with));
}

template <class Function>
void replace(const char* name, Function* with, Replaced<Function>& replaced) {
  sqlite3_vfs* const vfs = sqlite3_vfs_find("unix");
  replaced.system = reinterpret_cast<Function*>(vfs->xGetSystemCall(vfs, name));
  if (replaced.system != nullptr) replace(name, with);
}

void replace_calls_of_sqlite() {
  replace("open", open_of_sqlite, sqlite_open);
  replace("openDirectory", open_folder_of_sqlite, sqlite_open_folder);
  replace("stat", stat_of_sqlite, sqlite_stat);
  replace("lstat", lstat_of_sqlite, sqlite_lstat);
  replace("fstat", fstat_of_sqlite, sqlite_fstat);
  replace("ftruncate", ftruncate_of_sqlite, sqlite_ftruncate);
  replace("fchmod", fchmod_of_sqlite, sqlite_fchmod);
  replace("unlink", unlink_of_sqlite, sqlite_unlink);
  replace("fcntl", fcntl_of_sqlite);
  replace("mmap", mmap_of_sqlite, sqlite_mmap);
  replace("read", read_of_sqlite, sqlite_read);
  replace("pread", pread_of_sqlite, sqlite_pread);
  replace("pread64", pread64_of_sqlite, sqlite_pread64);
  replace("write", write_of_sqlite, sqlite_write);
  replace("pwrite", pwrite_of_sqlite, sqlite_pwrite);
  replace("pwrite64", pwrite64_of_sqlite, sqlite_pwrite64);
}

}  // namespace

bool changes_a_file(const OsCall& call) noexcept {
  switch (call.kind) {
    case Kind::create:
    case Kind::truncate:
    case Kind::write:
    case Kind::resize:
    case Kind::set_mode:
    case Kind::sync:
    case Kind::rename:
    case Kind::rename_only:
    case Kind::remove:
      return true;
    case Kind::open:
    case Kind::open_folder:
    case Kind::state:
    case Kind::read:
    case Kind::lock:
    case Kind::map:
      return false;
  }
  return false;
}

// The functions are replaced once, because threads may read the pointers later.
void before_os_calls(std::function<int(const OsCall&)> before) {
  [[maybe_unused]] static const bool done = [] {
    replace_own_calls();
    replace_calls_of_sqlite();
    return true;
  }();
  before_call = std::move(before);
}

}  // namespace ashmemo::test
