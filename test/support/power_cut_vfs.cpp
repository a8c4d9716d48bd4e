#include "support/power_cut_vfs.hpp"

#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/folder_changes.hpp"
#include "support/system_calls.hpp"
#include "support/temp_dir.hpp"

namespace ashmemo::test {
namespace {

using Kind = OsCall::Kind;

constexpr std::int64_t kSector = 512;

/// The sizes and sectors of a file before each change since its last sync.
struct Unsynced {
  std::vector<std::int64_t> sizes;
  std::map<std::int64_t, std::vector<std::string>> sectors;  // by number; only changed sectors
};

/// One open handle of a file. A file may be open several times.
struct OpenFile {
  std::string name;
  const sqlite3_io_methods* system;
  bool syncs_folder;  // the first sync of this handle syncs the folder, too
};

struct Device {
  std::recursive_mutex mutex;  // because a call of SQLite's VFS makes system calls
  sqlite3_vfs* system_vfs = nullptr;
  std::int64_t fatal_change = 0;
  std::int64_t changes = 0;
  std::mt19937_64 random;
  std::map<std::string, Unsynced> files;
  std::map<sqlite3_file*, OpenFile> open;
  FolderChanges folder;
};
Device device;

// SQLite has different methods for database files and for other files, so each kind has its copy.
sqlite3_io_methods of_databases;
sqlite3_io_methods of_others;

OpenFile& opened(sqlite3_file* file) { return device.open.at(file); }

// ------------------------------------------------------------------------------------------------
// the content of files

/// Records a part of a file before it changes. `read` reads a sector.
template <class Read>
void remember(const std::string& name, std::int64_t size, std::int64_t from, std::int64_t end,
              const Read& read) {
  Unsynced& unsynced = device.files[name];
  unsynced.sizes.push_back(size);
  for (std::int64_t number = from / kSector; number * kSector < end; ++number) {
    std::string sector(static_cast<std::size_t>(kSector), '\0');  // zeros after the end of the file
    read(sector.data(), number * kSector);
    unsynced.sectors[number].push_back(std::move(sector));
  }
}

void remember(sqlite3_file* file, std::int64_t from, std::int64_t end) {
  const OpenFile& handle = opened(file);
  sqlite3_int64 size = 0;
  handle.system->xFileSize(file, &size);
  remember(handle.name, size, from, end, [&](char* to, std::int64_t at) {
    handle.system->xRead(file, to, static_cast<int>(kSector), at);
  });
}

std::string sector_of(const std::string& content, std::int64_t at) {
  const auto from = std::min(static_cast<std::size_t>(at), content.size());
  std::string sector = content.substr(from, static_cast<std::size_t>(kSector));
  sector.resize(static_cast<std::size_t>(kSector), '\0');
  return sector;
}

/// The content of a file after a power cut. `kept` varies the share of sectors that keep their last
/// content, so that some cuts keep all of them and others mix old and new sectors.
std::string content_after_cut(const std::string& name) {
  std::string content = read_file(name);
  const auto found = device.files.find(name);
  if (found == device.files.end()) return content;
  const Unsynced& unsynced = found->second;
  const std::uint64_t kept = device.random() % 5;  // out of 4
  std::string left = content;
  for (const auto& [number, contents] : unsynced.sectors) {
    const std::size_t drawn = device.random() % (contents.size() + 1);
    const bool is_last = device.random() % 4 < kept || drawn == contents.size();
    const auto at = static_cast<std::size_t>(number * kSector);
    if (left.size() < at + kSector) left.resize(at + kSector, '\0');
    left.replace(at, kSector, is_last ? sector_of(content, number * kSector) : contents[drawn]);
  }
  const std::size_t drawn = device.random() % (unsynced.sizes.size() + 1);
  left.resize(drawn == unsynced.sizes.size() ? content.size()
                                             : static_cast<std::size_t>(unsynced.sizes[drawn]));
  return left;
}

[[noreturn]] void cut_power() {
  for (const auto& [name, unsynced] : device.files) write_file(name, content_after_cut(name));
  device.folder.cut(device.random);
  ::raise(SIGKILL);
  std::abort();
}

void count_change() {
  if (++device.changes == device.fatal_change) cut_power();
}

// ------------------------------------------------------------------------------------------------
// the calls of the library, and all changes of names

std::string folder_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

std::string path_of(int descriptor) {
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor)).string();
}

void remember_own(int descriptor) {
  const std::string name = path_of(descriptor);
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(name));
  remember(name, size, 0, size + 1, [descriptor](char* to, std::int64_t at) {
    [[maybe_unused]] const auto bytes = ::pread(descriptor, to, kSector, at);
  });
}

// Only logs are truncated, and SQLite holds no locks on them that reading the file here could
// release.
void truncate_own(const std::string& name) {
  if (!exists(name)) return;
  const std::string content = read_file(name);
  const auto size = static_cast<std::int64_t>(content.size());
  remember(name, size, 0, size,
           [&](char* to, std::int64_t at) { sector_of(content, at).copy(to, kSector); });
}

void sync_own(int descriptor) {
  const std::string name = path_of(descriptor);
  if (std::filesystem::is_directory(name)) return device.folder.sync(name);
  device.files.erase(name);
}

void remove_name(const std::string& path) {
  if (!exists(path)) return;
  device.folder.remove(path, content_after_cut(path));
  device.files.erase(path);
}

void rename_file(const std::string& from, const std::string& to, bool may_replace) {
  if (!exists(from) || (exists(to) && !may_replace)) return;
  device.folder.rename(from, to);
  auto unsynced = device.files.extract(from);
  device.files.erase(to);
  if (unsynced.empty()) return;
  unsynced.key() = to;
  device.files.insert(std::move(unsynced));
}

// Counts only changes by the library, because the VFS counts those by SQLite.
int before_call(const OsCall& call) {
  const std::lock_guard lock(device.mutex);
  if (!call.is_by_sqlite && changes_a_file(call)) count_change();
  switch (call.kind) {
    case Kind::create:
      if (!exists(call.path)) device.folder.create(call.path);
      break;
    case Kind::truncate:
      truncate_own(call.path);
      break;
    case Kind::remove:
      remove_name(call.path);
      break;
    case Kind::rename:
    case Kind::rename_only:
      rename_file(call.path, call.to, call.kind == Kind::rename);
      break;
    case Kind::open_folder:
      device.folder.sync(folder_of(call.path));
      break;
    case Kind::write:
      if (!call.is_by_sqlite) remember_own(call.descriptor);
      break;
    case Kind::sync:
      sync_own(call.descriptor);
      break;
    default:
      break;
  }
  return 0;
}

// ------------------------------------------------------------------------------------------------
// the calls of SQLite

int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  const std::lock_guard lock(device.mutex);
  // A write during the power cut may reach the device in part.
  const bool is_last = device.changes + 1 == device.fatal_change;
  if (!is_last) count_change();
  remember(file, at, at + bytes);
  const int rc = opened(file).system->xWrite(file, from, bytes, at);
  if (is_last) count_change();
  return rc;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  const std::lock_guard lock(device.mutex);
  count_change();
  sqlite3_int64 end = 0;
  opened(file).system->xFileSize(file, &end);
  remember(file, size, end);
  return opened(file).system->xTruncate(file, size);
}

// A file needs no real sync, because the machine stays on. The first real sync of a new log or
// journal opens its folder to sync it, which `before_call` sees.
int sync(sqlite3_file* file, int flags) {
  const std::lock_guard lock(device.mutex);
  count_change();
  device.files.erase(opened(file).name);
  if (!std::exchange(opened(file).syncs_folder, false)) return SQLITE_OK;
  return opened(file).system->xSync(file, flags);
}

// SQLite's own functions to open and close take a mutex of SQLite, under which other threads call
// `before_call`. So these two functions must not call them under the mutex of the device.

int close(sqlite3_file* file) {
  const sqlite3_io_methods* system = nullptr;
  {
    const std::lock_guard lock(device.mutex);
    system = opened(file).system;
    device.open.erase(file);
  }
  return system->xClose(file);
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  if ((flags & SQLITE_OPEN_CREATE) != 0) {
    const std::lock_guard lock(device.mutex);
    count_change();
  }
  const int rc = device.system_vfs->xOpen(device.system_vfs, name, file, flags, out_flags);
  const std::lock_guard lock(device.mutex);
  if (rc != SQLITE_OK || name == nullptr) return rc;
  const bool is_log = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
  device.open[file] = {name, file->pMethods, is_log};
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
  before_os_calls(before_call);
}

}  // namespace ashmemo::test
