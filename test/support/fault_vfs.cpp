#include "support/fault_vfs.hpp"

#include <cstring>
#include <limits>
#include <mutex>
#include <optional>

namespace ashmemo::test {
namespace {

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
constexpr int kMinPage = 512;
constexpr std::int64_t kEndless = std::numeric_limits<std::int64_t>::max();

/// Which calls fail, and how.
struct Plan {
  Fault fault = Fault::io_error;
  std::size_t nth = kNever;
  bool stays = false;
  std::optional<SystemCall> only{};  // if set, each call of this kind fails instead
  std::int64_t space = kEndless;
  int system_error = 0;  // of calls without space
  std::vector<SystemCall> calls{};
  std::size_t fired = 0;
};
std::mutex mutex;
Plan plan;

sqlite3_vfs* system_vfs = nullptr;
// The methods of SQLite's default VFS for a kind of file, and a copy that fails. Database files
// have other methods than journals and WALs.
struct Methods {
  sqlite3_io_methods failing;  // must be the first member, because a file points to it
  const sqlite3_io_methods* system;
};
Methods of_databases;
Methods of_others;

const sqlite3_io_methods* system_methods(sqlite3_file* file) {
  return reinterpret_cast<const Methods*>(file->pMethods)->system;
}

void set(const Plan& next) {
  const std::lock_guard lock(mutex);
  plan = next;
}

/// Records a call. Returns its fault, or nullopt if it succeeds.
std::optional<Fault> next_fault(SystemCall call) {
  const std::lock_guard lock(mutex);
  const std::size_t number = plan.calls.size();
  plan.calls.push_back(call);
  const bool is_due = plan.stays ? number >= plan.nth : number == plan.nth;
  const bool fails = plan.only ? call == *plan.only : is_due;
  if (!fails || !can_fail(call, plan.fault)) return std::nullopt;
  ++plan.fired;
  return plan.fault;
}

int io_error_of(SystemCall call) {
  switch (call) {
    case SystemCall::open:
      return SQLITE_IOERR;
    case SystemCall::read:
    case SystemCall::read_unmarked:
      return SQLITE_IOERR_READ;
    case SystemCall::write:
      return SQLITE_IOERR_WRITE;
    case SystemCall::truncate:
      return SQLITE_IOERR_TRUNCATE;
    case SystemCall::sync:
      return SQLITE_IOERR_FSYNC;
    case SystemCall::size:
      return SQLITE_IOERR_FSTAT;
    case SystemCall::lock:
      return SQLITE_IOERR_LOCK;
    case SystemCall::map:
      return SQLITE_IOERR_SHMMAP;
    case SystemCall::lock_shared:
      return SQLITE_IOERR_SHMLOCK;
    case SystemCall::remove:
      return SQLITE_IOERR_DELETE;
    case SystemCall::access:
      return SQLITE_IOERR_ACCESS;
  }
  return SQLITE_IOERR;
}

int code_of(SystemCall call, Fault fault) {
  switch (fault) {
    case Fault::busy:
      return SQLITE_BUSY;
    case Fault::full:
      return SQLITE_FULL;
    case Fault::corrupt:
      return SQLITE_CORRUPT;
    case Fault::not_a_database:
      return SQLITE_NOTADB;
    case Fault::read_only:
      return SQLITE_READONLY;
    case Fault::cannot_open:
      return SQLITE_CANTOPEN;
    case Fault::no_memory:
      return call == SystemCall::open ? SQLITE_NOMEM : SQLITE_IOERR_NOMEM;
    case Fault::io_error:
      break;
    case Fault::shortened:
      return call == SystemCall::write ? SQLITE_FULL : io_error_of(call);
    case Fault::ended:
      return SQLITE_IOERR_SHORT_READ;
  }
  return io_error_of(call);
}

bool is_page_of_database(const sqlite3_file* file, int bytes) {
  return file->pMethods == &of_databases.failing && bytes >= kMinPage;
}

// SQLite recognises the first page of a database by its header and a page of a tree by its first
// byte. The second page is a pointer map and has no mark. The next pointer map is too far away for
// these tests.
SystemCall kind_of_read(const sqlite3_file* file, const void* page, int bytes, sqlite3_int64 at) {
  if (!is_page_of_database(file, bytes) || at == 0) return SystemCall::read;
  const char kind = *static_cast<const char*>(page);
  const bool is_of_tree = kind == 2 || kind == 5 || kind == 10 || kind == 13;
  return is_of_tree && at != bytes ? SystemCall::read : SystemCall::read_unmarked;
}

int read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
  const int rc = system_methods(file)->xRead(file, to, bytes, at);
  const SystemCall call = kind_of_read(file, to, bytes, at);
  const auto fault = next_fault(call);
  if (!fault) return rc;
  const bool ends_before = *fault == Fault::ended && is_page_of_database(file, bytes);
  const bool has_half = (*fault == Fault::ended || *fault == Fault::shortened) && !ends_before;
  const int done = has_half ? bytes / 2 : 0;
  std::memset(static_cast<char*>(to) + done, 0, static_cast<std::size_t>(bytes - done));
  return code_of(call, *fault);
}

/// Whether the disk has space to extend the file to `end`. Takes the space.
bool takes_space(sqlite3_file* file, std::int64_t end) {
  sqlite3_int64 size = 0;
  if (system_methods(file)->xFileSize(file, &size) != SQLITE_OK || end <= size) return true;
  const std::lock_guard lock(mutex);
  if (plan.space == kEndless) return true;
  if (end - size > plan.space) return false;
  plan.space -= end - size;
  return true;
}

bool has_space(std::int64_t bytes) {
  const std::lock_guard lock(mutex);
  return bytes <= plan.space;
}

/// The result code of the default VFS for a call without space.
int no_space(int io_error) {
  const std::lock_guard lock(mutex);
  errno = plan.system_error;
  return plan.system_error == ENOSPC && io_error == SQLITE_IOERR_WRITE ? SQLITE_FULL : io_error;
}

int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  if (const auto fault = next_fault(SystemCall::write)) {
    if (*fault == Fault::shortened) (void)system_methods(file)->xWrite(file, from, bytes / 2, at);
    return code_of(SystemCall::write, *fault);
  }
  if (!takes_space(file, at + bytes)) return no_space(SQLITE_IOERR_WRITE);
  return system_methods(file)->xWrite(file, from, bytes, at);
}

/// The result code of the call; SQLITE_OK if it does not fail.
int failure_of(SystemCall call) {
  const auto fault = next_fault(call);
  return fault ? code_of(call, *fault) : SQLITE_OK;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int failed = failure_of(SystemCall::truncate)) return failed;
  return system_methods(file)->xTruncate(file, size);
}

// Does not sync, because these tests do not cut the power.
int sync(sqlite3_file*, int) { return failure_of(SystemCall::sync); }

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  if (const int failed = failure_of(SystemCall::size)) return failed;
  return system_methods(file)->xFileSize(file, size);
}

int lock(sqlite3_file* file, int kind) {
  if (const int failed = failure_of(SystemCall::lock)) return failed;
  return system_methods(file)->xLock(file, kind);
}

int map(sqlite3_file* file, int page, int bytes, int extend, void volatile** to) {
  if (const int failed = failure_of(SystemCall::map)) return failed;
  constexpr int kAsItIs = 0;
  const int rc = system_methods(file)->xShmMap(file, page, bytes, kAsItIs, to);
  if (rc != SQLITE_OK || *to != nullptr || extend == 0) return rc;
  if (!has_space(bytes)) return no_space(SQLITE_IOERR_SHMSIZE);
  return system_methods(file)->xShmMap(file, page, bytes, extend, to);
}

// Releasing a lock does not fail, because SQLite ignores the result.
int lock_shared(sqlite3_file* file, int first, int count, int flags) {
  if ((flags & SQLITE_SHM_LOCK) != 0) {
    if (const int failed = failure_of(SystemCall::lock_shared)) return failed;
  }
  return system_methods(file)->xShmLock(file, first, count, flags);
}

// SQLITE_FCNTL_SIZE_HINT is the only control call that needs space on the disk.
int control(sqlite3_file* file, int what, void* argument) {
  if (what == SQLITE_FCNTL_SIZE_HINT) {
    const sqlite3_int64 size = *static_cast<sqlite3_int64*>(argument);
    if (const int failed = failure_of(SystemCall::write)) return failed;
    if (!takes_space(file, size)) return SQLITE_IOERR_WRITE;
  }
  if (what == SQLITE_FCNTL_LAST_ERRNO) {
    const std::lock_guard lock(mutex);
    if (plan.system_error != 0) {
      *static_cast<int*>(argument) = plan.system_error;
      return SQLITE_OK;
    }
  }
  return system_methods(file)->xFileControl(file, what, argument);
}

void intercept(sqlite3_file* file, int flags) {
  Methods& methods = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? of_databases : of_others;
  methods.system = file->pMethods;
  methods.failing = *methods.system;
  methods.failing.xRead = read;
  methods.failing.xWrite = write;
  methods.failing.xTruncate = truncate;
  methods.failing.xSync = sync;
  methods.failing.xFileSize = file_size;
  methods.failing.xFileControl = control;
  methods.failing.xLock = lock;
  methods.failing.xShmMap = map;
  methods.failing.xShmLock = lock_shared;
  file->pMethods = &methods.failing;
}

// As the default VFS, which opens a file for reading if it may not open it for writing.
int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  if (const auto fault = next_fault(SystemCall::open)) {
    if (*fault != Fault::read_only) return code_of(SystemCall::open, *fault);
    flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    flags |= SQLITE_OPEN_READONLY;
  }
  const int rc = system_vfs->xOpen(system_vfs, name, file, flags, flags_out);
  if (rc == SQLITE_OK) intercept(file, flags);
  return rc;
}

int remove(sqlite3_vfs*, const char* name, int) {
  constexpr int kNoSync = 0;
  if (const int failed = failure_of(SystemCall::remove)) return failed;
  return system_vfs->xDelete(system_vfs, name, kNoSync);
}

int access(sqlite3_vfs*, const char* name, int flags, int* result) {
  if (const int failed = failure_of(SystemCall::access)) return failed;
  return system_vfs->xAccess(system_vfs, name, flags, result);
}

int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }

}  // namespace

std::string_view to_string(Fault fault) noexcept {
  static constexpr std::array<std::string_view, kFaults.size()> kNames{
      "busy",      "full",        "I/O error", "corrupt",   "not a database",
      "read-only", "cannot open", "no memory", "shortened", "ended"};
  return kNames[static_cast<std::size_t>(fault)];
}

bool can_fail(SystemCall call, Fault fault) noexcept {
  const bool reads = call == SystemCall::read || call == SystemCall::read_unmarked;
  switch (fault) {
    case Fault::io_error:
      return true;
    case Fault::busy:
      return call == SystemCall::lock || call == SystemCall::lock_shared;
    case Fault::full:
      return call == SystemCall::write;
    case Fault::corrupt:
    case Fault::not_a_database:
      return reads;
    case Fault::read_only:
      return call == SystemCall::open;
    case Fault::cannot_open:
      return call == SystemCall::open || call == SystemCall::map;
    case Fault::no_memory:
      return reads || call == SystemCall::open || call == SystemCall::map ||
             call == SystemCall::lock;
    case Fault::shortened:
      return reads || call == SystemCall::write;
    case Fault::ended:
      return call == SystemCall::read;
  }
  return false;
}

// A copy of the default VFS with other functions. The default functions work on the copied fields.
FaultVfs::FaultVfs() {
  heal();
  system_vfs = sqlite3_vfs_find(nullptr);
  vfs_ = *system_vfs;
  vfs_.zName = "failing";
  vfs_.xOpen = open;
  vfs_.xDelete = remove;
  vfs_.xAccess = access;
  vfs_.xSleep = sleep;
  sqlite3_vfs_register(&vfs_, 1);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(system_vfs, 1);
}

void FaultVfs::fail(Fault fault, std::size_t nth, bool stays) {
  set({.fault = fault, .nth = nth, .stays = stays});
}

void FaultVfs::fail_each(SystemCall call, Fault fault) { set({.fault = fault, .only = call}); }

void FaultVfs::fill_disk(std::int64_t space, int system_error) {
  set({.space = space, .system_error = system_error});
}

void FaultVfs::heal() { set({}); }

std::vector<SystemCall> FaultVfs::calls() const {
  const std::lock_guard lock(mutex);
  return plan.calls;
}

std::size_t FaultVfs::fired() const {
  const std::lock_guard lock(mutex);
  return plan.fired;
}

}  // namespace ashmemo::test
