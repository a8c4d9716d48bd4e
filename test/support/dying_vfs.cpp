#include "support/dying_vfs.hpp"

#include <signal.h>
#include <sqlite3.h>

#include <atomic>

namespace ashmemo::test {
namespace {

std::atomic<std::int64_t> fatal_change{0};
std::atomic<std::int64_t> changes{0};
std::atomic<std::int64_t> reads{0};
sqlite3_vfs* underlying = nullptr;

// Before the change, so that the change itself is what is missing afterwards.
void count_change() {
  if (++changes == fatal_change) ::raise(SIGKILL);
}

// A file of the underlying VFS follows this one in the same block of memory.
struct File {
  sqlite3_file base;
};

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(File));
}

int close_file(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }

int read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
  ++reads;
  return real(file)->pMethods->xRead(real(file), to, bytes, at);
}

int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  count_change();
  return real(file)->pMethods->xWrite(real(file), from, bytes, at);
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  count_change();
  return real(file)->pMethods->xTruncate(real(file), size);
}

int sync(sqlite3_file* file, int flags) {
  count_change();
  return real(file)->pMethods->xSync(real(file), flags);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real(file)->pMethods->xFileSize(real(file), size);
}

int lock(sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); }

int unlock(sqlite3_file* file, int level) {
  return real(file)->pMethods->xUnlock(real(file), level);
}

int check_reserved(sqlite3_file* file, int* reserved) {
  return real(file)->pMethods->xCheckReservedLock(real(file), reserved);
}

int control(sqlite3_file* file, int operation, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), operation, argument);
}

int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }

int characteristics(sqlite3_file* file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  return real(file)->pMethods->xShmMap(real(file), region, size, extend, memory);
}

int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

void shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }

int shm_unmap(sqlite3_file* file, int remove) {
  if (remove != 0) count_change();
  return real(file)->pMethods->xShmUnmap(real(file), remove);
}

// Version 2: everything but memory mapping, which ashmemo never uses.
const sqlite3_io_methods kMethods = {2,
                                     close_file,
                                     read,
                                     write,
                                     truncate,
                                     sync,
                                     file_size,
                                     lock,
                                     unlock,
                                     check_reserved,
                                     control,
                                     sector_size,
                                     characteristics,
                                     shm_map,
                                     shm_lock,
                                     shm_barrier,
                                     shm_unmap,
                                     nullptr,
                                     nullptr};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  if ((flags & SQLITE_OPEN_CREATE) != 0) count_change();
  file->pMethods = nullptr;
  const int rc = underlying->xOpen(underlying, name, real(file), flags, out_flags);
  if (real(file)->pMethods != nullptr) file->pMethods = &kMethods;
  return rc;
}

int remove(sqlite3_vfs*, const char* name, int sync_directory) {
  count_change();
  return underlying->xDelete(underlying, name, sync_directory);
}

sqlite3_vfs make_vfs() {
  underlying = sqlite3_vfs_find(nullptr);
  sqlite3_vfs vfs = *underlying;
  vfs.zName = "dying";
  vfs.szOsFile = static_cast<int>(sizeof(File)) + underlying->szOsFile;
  vfs.pNext = nullptr;
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
}

std::int64_t file_changes() { return changes; }

std::int64_t file_reads() { return reads; }

}  // namespace ashmemo::test
