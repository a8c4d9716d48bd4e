#include "support/power_cut_vfs.hpp"

#include <signal.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace ashmemo::test {
namespace {

constexpr sqlite3_int64 kSector = 512;

using Content = std::vector<char>;

/// The sizes and sectors of a file at its last sync and after each change since then.
struct Unsynced {
  std::vector<sqlite3_int64> sizes;
  std::map<sqlite3_int64, std::vector<Content>> sectors;  // by number; only changed sectors
};

/// One open handle of a file. A file may be open several times.
struct OpenFile {
  std::string name;
  const sqlite3_io_methods* system;
};

struct Device {
  std::mutex mutex;
  sqlite3_vfs* system_vfs = nullptr;
  std::int64_t fatal_change = 0;
  std::int64_t changes = 0;
  std::mt19937_64 random;
  std::map<std::string, Unsynced> files;
  std::map<sqlite3_file*, OpenFile> open;
};
Device device;

// SQLite has different methods for database files and for other files, so each kind has its copy.
sqlite3_io_methods of_databases;
sqlite3_io_methods of_others;

const OpenFile& opened(sqlite3_file* file) { return device.open.at(file); }

sqlite3_int64 size_of(sqlite3_file* file) {
  sqlite3_int64 size = 0;
  opened(file).system->xFileSize(file, &size);
  return size;
}

Content read_sector(sqlite3_file* file, sqlite3_int64 number) {
  Content content(kSector, 0);  // bytes beyond the end of the file are zero
  opened(file).system->xRead(file, content.data(), static_cast<int>(kSector), number * kSector);
  return content;
}

// Before the first change after a sync, the current content is the content on the device.
void remember_before(sqlite3_file* file, sqlite3_int64 from, sqlite3_int64 end) {
  Unsynced& unsynced = device.files[opened(file).name];
  if (unsynced.sizes.empty()) unsynced.sizes.push_back(size_of(file));
  for (sqlite3_int64 number = from / kSector; number * kSector < end; ++number) {
    std::vector<Content>& contents = unsynced.sectors[number];
    if (contents.empty()) contents.push_back(read_sector(file, number));
  }
}

void remember_after(sqlite3_file* file, sqlite3_int64 from, sqlite3_int64 end) {
  Unsynced& unsynced = device.files[opened(file).name];
  unsynced.sizes.push_back(size_of(file));
  for (sqlite3_int64 number = from / kSector; number * kSector < end; ++number) {
    unsynced.sectors[number].push_back(read_sector(file, number));
  }
}

template <class T>
const T& any_of(const std::vector<T>& all) {
  return all[device.random() % all.size()];
}

// `kept` varies the share of sectors that keep their last content, so that some cuts keep all of
// them and others mix old and new sectors.
void draw(sqlite3_file* file, const Unsynced& unsynced) {
  const sqlite3_io_methods* const system = opened(file).system;
  const std::uint64_t kept = device.random() % 5;  // out of 4
  for (const auto& [number, contents] : unsynced.sectors) {
    const bool is_last = device.random() % 4 < kept;
    const Content& content = is_last ? contents.back() : any_of(contents);
    system->xWrite(file, content.data(), static_cast<int>(kSector), number * kSector);
  }
  system->xTruncate(file, any_of(unsynced.sizes));
}

[[noreturn]] void cut_power() {
  for (const auto& [name, unsynced] : device.files) {
    const auto one =
        std::find_if(device.open.begin(), device.open.end(),
                     [&wanted = name](const auto& open) { return open.second.name == wanted; });
    if (one != device.open.end() && !unsynced.sizes.empty()) draw(one->first, unsynced);
  }
  ::raise(SIGKILL);
  std::abort();
}

void count_change() {
  if (++device.changes == device.fatal_change) cut_power();
}

int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  const std::lock_guard lock(device.mutex);
  // A write during the power cut may reach the device in part.
  const bool is_last = device.changes + 1 == device.fatal_change;
  remember_before(file, at, at + bytes);
  if (!is_last) count_change();
  const int rc = opened(file).system->xWrite(file, from, bytes, at);
  remember_after(file, at, at + bytes);
  if (is_last) count_change();
  return rc;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  const std::lock_guard lock(device.mutex);
  count_change();
  const sqlite3_int64 end = size_of(file);
  remember_before(file, size, end);
  const int rc = opened(file).system->xTruncate(file, size);
  remember_after(file, size, end);
  return rc;
}

int sync(sqlite3_file* file, int) {
  const std::lock_guard lock(device.mutex);
  count_change();
  device.files.erase(opened(file).name);
  return SQLITE_OK;  // no real sync is needed, because the machine stays on
}

int close(sqlite3_file* file) {
  const std::lock_guard lock(device.mutex);
  const sqlite3_io_methods* const system = opened(file).system;
  const int rc = system->xClose(file);
  device.open.erase(file);
  return rc;
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  const std::lock_guard lock(device.mutex);
  if ((flags & SQLITE_OPEN_CREATE) != 0) count_change();
  const int rc = device.system_vfs->xOpen(device.system_vfs, name, file, flags, out_flags);
  if (rc != SQLITE_OK || name == nullptr) return rc;
  device.open[file] = {name, file->pMethods};
  sqlite3_io_methods& methods = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? of_databases : of_others;
  methods = *file->pMethods;
  methods.iVersion = std::min(
      methods.iVersion, 2);  // no memory-mapped pages, because writes to them would not be seen
  methods.xWrite = write;
  methods.xTruncate = truncate;
  methods.xSync = sync;
  methods.xClose = close;
  file->pMethods = &methods;
  return rc;
}

int remove(sqlite3_vfs*, const char* name, int sync_directory) {
  const std::lock_guard lock(device.mutex);
  count_change();
  device.files.erase(name);
  return device.system_vfs->xDelete(device.system_vfs, name, sync_directory);
}

sqlite3_vfs make_vfs() {
  device.system_vfs = sqlite3_vfs_find(nullptr);
  sqlite3_vfs vfs = *device.system_vfs;
  vfs.zName = "power_cut";
  vfs.xOpen = open;
  vfs.xDelete = remove;
  return vfs;
}

}  // namespace

void cut_power_at_file_change(std::int64_t nth, std::uint64_t seed) {
  static sqlite3_vfs vfs = make_vfs();
  sqlite3_vfs_register(&vfs, 1);
  device.fatal_change = nth;
  device.random.seed(seed);
}

}  // namespace ashmemo::test
