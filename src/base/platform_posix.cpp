#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "base/platform.hpp"
#include "base/system_calls.hpp"
#include "base/test_point.hpp"

namespace ashmemo::base {
namespace {

constexpr mode_t kOwnerOnly = S_IRUSR | S_IWUSR;
constexpr std::size_t kStartBytes = 100;

Failure failed(int error, std::string_view doing, const std::string& path) {
  return {failure_kind(error), 0,
          fmt::format("cannot {} '{}': {}", doing, path, std::generic_category().message(error)),
          error};
}

// Repeats a system call that a signal has interrupted.
template <class Call>
auto uninterrupted(const Call& call) {
  auto answer = call();
  while (answer < 0 && errno == EINTR) answer = call();
  return answer;
}

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] bool is_open() const noexcept { return number_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

 private:
  int number_;
};

// If the program has closed a standard stream, a new file could get its number. Then output of the
// program would be written into that file.
Descriptor above_streams(Descriptor file) {
  if (!file.is_open() || file.get() > STDERR_FILENO) return file;
  return Descriptor(sys::fcntl(file.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

// O_NONBLOCK, because opening a FIFO at that path must not wait for its other end.
Descriptor open_file(const std::string& path, int flags) {
  constexpr int kAlways = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  return above_streams(Descriptor(
      uninterrupted([&] { return sys::open(path.c_str(), flags | kAlways, kOwnerOnly); })));
}

// Whether the file system refuses modes other than its own. One that cannot change modes may also
// claim that it has no such call or is read-only (FUSE).
bool has_own_modes(int error) {
  return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EROFS;
}

FileIdentity identity_of(const struct stat& found) {
  return {static_cast<std::uint64_t>(found.st_dev), static_cast<std::uint64_t>(found.st_ino)};
}

FileType type_of(mode_t mode) {
  if (S_ISREG(mode)) return FileType::regular;
  if (S_ISDIR(mode)) return FileType::directory;
  if (S_ISLNK(mode)) return FileType::link;
  return FileType::other;
}

FileState state_of(const struct stat& found) {
  FileState state;
  state.type = type_of(found.st_mode);
  state.identity = identity_of(found);
  state.bytes = static_cast<std::int64_t>(found.st_size);
  state.owned_by_us = found.st_uid == ::geteuid();
  state.writable_by_others = (found.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  state.has_other_names = found.st_nlink > 1;
#if defined(__APPLE__)
  const timespec& changed = found.st_ctimespec;
#else
  const timespec& changed = found.st_ctim;
#endif
  // Far in the future the number wraps around. It is only compared.
  state.changed_at =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(changed.tv_sec) * 1'000'000'000 +
                                static_cast<std::uint64_t>(changed.tv_nsec));
  return state;
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

// Returns the number of bytes. It is less than `bytes` only if the file ends there.
Result<std::size_t> read_fully(int descriptor, char* to, std::size_t bytes,
                               const std::string& path) {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t count =
        uninterrupted([&] { return sys::read(descriptor, to + done, bytes - done); });
    if (count < 0) return failed(errno, "read", path);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

// Reads the first bytes of a file that was opened just now.
Result<std::string> read_beginning(int descriptor, const std::string& path) {
  std::string content(kStartBytes, '\0');
  const auto count = read_fully(descriptor, content.data(), content.size(), path);
  if (!count) return count.failure();
  content.resize(*count);
  return content;
}

// ---- locks

/// The descriptors that a forked child closes. A lock of an open file lasts until all copies of its
/// descriptor are closed, and a forked child has copies. Without this the child would keep the lock
/// after the end of its parent.
class LockDescriptors {
 public:
  /// Never destroyed, because caches may be static objects.
  static LockDescriptors& of_this_process() {
    static auto* const descriptors = new LockDescriptors;
    return *descriptors;
  }

  /// How often this process has forked.
  [[nodiscard]] std::uint64_t forks() const noexcept { return forks_.load(); }
  /// Returns false if the process has forked since forks() returned `forks`. A child may then have
  /// a copy of the descriptor without knowing it.
  [[nodiscard]] bool add(int descriptor, std::uint64_t forks) {
    const Lock lock(mutex_);
    if (forks_ != forks) return false;
    numbers_.push_back(descriptor);
    return true;
  }
  void remove(int descriptor) noexcept {
    const Lock lock(mutex_);
    numbers_.erase(std::find(numbers_.begin(), numbers_.end(), descriptor));
  }

 private:
  LockDescriptors() { ::pthread_atfork(begin_fork, end_in_parent, end_in_child); }

  static void begin_fork() ASHMEMO_THREAD(no_thread_safety_analysis) {
    of_this_process().mutex_.lock();
    ++of_this_process().forks_;
  }
  static void end_in_parent() ASHMEMO_THREAD(no_thread_safety_analysis) {
    of_this_process().mutex_.unlock();
  }
  static void end_in_child() ASHMEMO_THREAD(no_thread_safety_analysis) {
    LockDescriptors& all = of_this_process();
    for (const int number : all.numbers_) ::close(number);
    all.numbers_.clear();
    all.mutex_.unlock();
  }

  Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  std::vector<int> numbers_ ASHMEMO_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> forks_{0};
};

// Sets a lock of the open file. If it returns false, errno has the reason.
bool set_lock([[maybe_unused]] int descriptor, [[maybe_unused]] struct flock lock) noexcept {
#if defined(F_OFD_SETLK)
  return uninterrupted([&] { return sys::fcntl(descriptor, F_OFD_SETLK, &lock); }) == 0;
#else
  errno = EINVAL;
  return false;
#endif
}

struct flock whole_file(short type) noexcept {
  struct flock whole = {};
  whole.l_type = type;
  whole.l_whence = SEEK_SET;
  return whole;
}

// Unlocks first, because a program that is being started has a copy of the descriptor for a moment.
void close_lock(int descriptor) noexcept {
  (void)set_lock(descriptor, whole_file(F_UNLCK));
  LockDescriptors::of_this_process().remove(descriptor);
  ::close(descriptor);
}

/// A descriptor that LockDescriptors knows.
class LockDescriptor {
 public:
  explicit LockDescriptor(int number) noexcept : number_(number) {}
  ~LockDescriptor() {
    if (number_ >= 0) close_lock(number_);
  }
  LockDescriptor(LockDescriptor&& other) noexcept : number_(other.release()) {}
  LockDescriptor(const LockDescriptor&) = delete;
  LockDescriptor& operator=(const LockDescriptor&) = delete;

  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] bool is_open() const noexcept { return number_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

 private:
  int number_;
};

// `open` returns a Result<Descriptor>.
template <class Open>
Result<LockDescriptor> open_for_lock(const Open& open) {
  LockDescriptors& known = LockDescriptors::of_this_process();
  while (true) {
    const std::uint64_t forks = known.forks();
    Result<Descriptor> file = open();
    if (!file) return file.failure();
    if (!file->is_open()) return LockDescriptor(-1);
    if (known.add(file->get(), forks)) return LockDescriptor(file->release());
  }
}

// Written once and synced, because it must identify the file beside it after a power cut.
Status write_magic(int descriptor, std::string_view magic, const std::string& path) {
  std::size_t done = 0;
  while (done < magic.size()) {
    const ssize_t count = uninterrupted([&] {
      return sys::pwrite(descriptor, magic.data() + done, magic.size() - done,
                         static_cast<off_t>(done));
    });
    if (count < 0) return failed(errno, "write", path);
    done += static_cast<std::size_t>(count);
  }
  if (sys::fsync(descriptor) != 0) return failed(errno, "sync", path);
  return Ok{};
}

// Opens or creates the lock file. If the result is not open, another process created the file
// meanwhile: try again.
Result<Descriptor> open_lock_file(const std::string& path) {
  Descriptor file = open_file(path, O_RDWR);
  if (file.is_open()) return file;
  if (errno != ENOENT) return failed(errno, "open", path);
  Descriptor created = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (!created.is_open() && errno == EEXIST) return created;
  if (!created.is_open()) return failed(errno, "create", path);
  // The umask may have removed even the owner's access.
  if (sys::fchmod(created.get(), kOwnerOnly) != 0 && !has_own_modes(errno)) {
    return failed(errno, "set the mode of", path);
  }
  return created;
}

// Takes a lock of the open file if the system has such locks, otherwise a lock of the process.
Status lock_whole(int descriptor, const std::string& path) {
  const struct flock whole = whole_file(F_WRLCK);
  const auto is_held = [] { return errno == EACCES || errno == EAGAIN; };
  if (set_lock(descriptor, whole)) return Ok{};
  if (!is_held() && uninterrupted([&] { return sys::fcntl(descriptor, F_SETLK, &whole); }) == 0) {
    return Ok{};
  }
  if (!is_held()) return failed(errno, "lock", path);
  return Failure{FailureKind::busy, 0, fmt::format("'{}' is locked by another process", path)};
}

Failure not_our_lock(const std::string& path) {
  return {FailureKind::not_ours, 0, fmt::format("'{}' is not a lock file of ours", path)};
}

// The file may have been removed after it was opened. Then its lock would not keep any process out.
bool still_named(const struct stat& open, const std::string& path) {
  struct stat named = {};
  return sys::lstat(path.c_str(), &named) == 0 && identity_of(open) == identity_of(named);
}

// Returns whether the file had the magic. Writes the magic if the file is empty or has only a part
// of it, because then its creation was interrupted. Any other content is not ours.
Result<bool> ensure_magic(int descriptor, std::string_view magic, const std::string& path) {
  Result<std::string> content = read_beginning(descriptor, path);
  if (!content) return content.failure();
  if (std::string_view(*content).starts_with(magic)) return true;
  if (!magic.starts_with(*content)) return not_our_lock(path);
  const Status written = write_magic(descriptor, magic, path);
  if (written) return false;
  // Removes the empty file that a full disk may leave. We hold the lock, so no process relies on
  // it.
  sys::unlink(path.c_str());
  return written.failure();
}

/// Blocks all signals of this thread except those that its own instructions raise. A thread
/// inherits the mask of the thread that starts it.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t blocked;
    ::sigfillset(&blocked);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
      ::sigdelset(&blocked, own);
    }
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

void name_this_thread([[maybe_unused]] const char* name) {
#if defined(__linux__)
  ::pthread_setname_np(::pthread_self(), name);
#elif defined(__APPLE__)
  ::pthread_setname_np(name);
#endif
}

std::atomic<std::uint32_t> forks{0};

void count_fork() { forks.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

FailureKind failure_kind(int system_error) noexcept {
  switch (system_error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return FailureKind::full;
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return FailureKind::unavailable;
    default:
      return FailureKind::io;
  }
}

bool is_forbidden(const Failure& failure) noexcept {
  const int error = failure.system_error;
  return error == EACCES || error == EPERM || error == EROFS;
}

Result<FileState> inspect(const std::string& path) {
  struct stat found = {};
  if (sys::lstat(path.c_str(), &found) == 0) return state_of(found);
  if (errno == ENOENT) return FileState{};
  return failed(errno, "look at", path);
}

Result<std::string> real_folder(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> found(sys::realpath(path.c_str(), nullptr), ::free);
  if (!found) return failed(errno, "use the folder", path);
  return std::string(found.get());
}

// At the end of the folder readdir returns null and does not change errno.
Result<std::vector<std::string>> names_in(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(sys::opendir(folder.c_str()), ::closedir);
  if (!opened) return failed(errno, "list", folder);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* const entry = sys::readdir(opened.get())) {
    names.emplace_back(entry->d_name);
    errno = 0;
  }
  if (errno != 0) return failed(errno, "list", folder);
  return names;
}

Result<std::int64_t> free_bytes_beside(const std::string& path) {
  struct statvfs disk = {};
  if (sys::statvfs(folder_of(path).c_str(), &disk) != 0) return failed(errno, "look at", path);
  const std::uint64_t bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(bytes, kMax));
}

Result<std::string> read_start(const std::string& path) {
  const Descriptor file = open_file(path, O_RDONLY);
  if (!file.is_open()) return failed(errno, "open", path);
  return read_beginning(file.get(), path);
}

Result<std::unique_ptr<InputFile>> InputFile::open(const std::string& path) {
  Descriptor file = open_file(path, O_RDONLY);
  if (!file.is_open()) return failed(errno, "open", path);
  return std::unique_ptr<InputFile>(new InputFile(file.release(), path));
}

InputFile::~InputFile() { ::close(descriptor_); }

Result<std::size_t> InputFile::read(char* to, std::size_t bytes) {
  return read_fully(descriptor_, to, bytes, path_);
}

Status create_private_file(const std::string& path) {
  const Descriptor file = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (!file.is_open()) return failed(errno, "create", path);
  if (sys::fchmod(file.get(), kOwnerOnly) != 0 && !has_own_modes(errno)) {
    return failed(errno, "set the mode of", path);
  }
  return Ok{};
}

Status make_private(const std::string& path) {
  if (sys::fchmodat(AT_FDCWD, path.c_str(), kOwnerOnly, AT_SYMLINK_NOFOLLOW) == 0) return Ok{};
  return failed(errno, "set the mode of", path);
}

Status rename_file(const std::string& from, const std::string& to) {
#if defined(__linux__)
  if (sys::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0)
    return Ok{};
  if (errno != ENOSYS && errno != EINVAL) return failed(errno, "rename", from);
#endif
  // Some file systems cannot refuse to replace a file. Another process could create a file between
  // the check and the rename, but none has a reason to.
  const Result<FileState> there = inspect(to);
  if (!there) return there.failure();
  if (there->type != FileType::missing) return failed(EEXIST, "rename", from);
  if (sys::rename(from.c_str(), to.c_str()) != 0) return failed(errno, "rename", from);
  return Ok{};
}

Status empty_file(const std::string& path) {
  const Descriptor file = open_file(path, O_WRONLY | O_TRUNC);
  if (!file.is_open()) return failed(errno, "empty", path);
  return Ok{};
}

Status remove_file(const std::string& path) {
  if (sys::unlink(path.c_str()) == 0 || errno == ENOENT) return Ok{};
  return failed(errno, "remove", path);
}

void sync_folder_of(const std::string& path) {
  const Descriptor opened = open_file(folder_of(path), O_RDONLY | O_DIRECTORY);
  if (opened.is_open()) (void)sys::fsync(opened.get());
}

RootMark::RootMark() {
  if (const Result<FileState> root = inspect("/")) root_ = root->identity;
}

bool RootMark::has_changed() const {
  const Result<FileState> now = inspect("/");
  return root_ && now && now->identity != *root_;
}

Status RootMark::check(const std::string& path) const {
  if (!has_changed()) return Ok{};
  return Failure{FailureKind::io, 0,
                 fmt::format("'{}' cannot be opened again, because the program has changed its "
                             "root directory",
                             path)};
}

Result<std::unique_ptr<FileLock>> FileLock::acquire(const std::string& path,
                                                    std::string_view magic) {
  constexpr int kTries =
      100;  // attempts that failed because another process created or removed the file
  for (int tried = 0; tried < kTries; ++tried) {
    Result<LockDescriptor> opened = open_for_lock([&path] { return open_lock_file(path); });
    if (!opened) return opened.failure();
    if (!opened->is_open()) continue;
    LockDescriptor& file = *opened;
    struct stat found = {};
    if (sys::fstat(file.get(), &found) != 0) return failed(errno, "look at", path);
    if (type_of(found.st_mode) != FileType::regular) return not_our_lock(path);
    if (Status locked = lock_whole(file.get(), path); !locked) return locked.failure();
    if (!still_named(found, path)) continue;
    const Result<bool> was_ours = ensure_magic(file.get(), magic, path);
    if (!was_ours) return was_ours.failure();
    return std::unique_ptr<FileLock>(new FileLock(file.release(), *was_ours));
  }
  return Failure{FailureKind::busy, 0, fmt::format("'{}' keeps being replaced", path)};
}

FileLock::~FileLock() {
  if (!process_.is_forked_child()) close_lock(descriptor_);
}

Result<std::unique_ptr<RangeLock>> RangeLock::open([[maybe_unused]] const std::string& path,
                                                   [[maybe_unused]] Mode for_locks) {
#if defined(F_OFD_SETLK)
  const int flags = for_locks == Mode::exclusive ? O_RDWR : O_RDONLY;
  Result<LockDescriptor> file = open_for_lock([&path, flags]() -> Result<Descriptor> {
    Descriptor opened = open_file(path, flags);
    if (!opened.is_open()) return failed(errno, "open", path);
    return opened;
  });
  if (!file) return file.failure();
  return std::unique_ptr<RangeLock>(new RangeLock(file->release(), for_locks));
#else
  return std::unique_ptr<RangeLock>();
#endif
}

RangeLock::~RangeLock() {
  if (!process_.is_forked_child()) close_lock(descriptor_);
}

RangeLock::Outcome RangeLock::lock(Mode mode, std::int64_t first, std::int64_t bytes) noexcept {
  struct flock range = whole_file(mode == Mode::exclusive ? F_WRLCK : F_RDLCK);
  range.l_start = static_cast<off_t>(first);
  range.l_len = static_cast<off_t>(bytes);
  if (set_lock(descriptor_, range)) {
    is_locked_.store(true);
    return Outcome::locked;
  }
  return errno == EACCES || errno == EAGAIN ? Outcome::refused : Outcome::impossible;
}

void RangeLock::unlock() noexcept {
  if (!process_.is_forked_child()) (void)set_lock(descriptor_, whole_file(F_UNLCK));
  is_locked_.store(false);
}

Result<std::thread> start_thread(const char* name, std::function<void()> work) try {
  const BlockedSignals blocked;
  ASHMEMO_TEST_POINT("system: starts a thread");
  return std::thread([name, work = std::move(work)] {
    name_this_thread(name);
    work();
  });
} catch (const std::system_error& error) {
  return Failure{FailureKind::unavailable, 0,
                 fmt::format("cannot start the thread '{}': {}", name, error.code().message())};
}

// 32 bits cannot address every number of bytes.
ZeroedMemory::ZeroedMemory(std::int64_t bytes) noexcept {
  if (bytes <= 0 || !std::in_range<std::size_t>(bytes)) return;
  bytes_ = static_cast<std::size_t>(bytes);
  constexpr int kAccess = PROT_READ | PROT_WRITE;
  void* const mapped = sys::mmap(nullptr, bytes_, kAccess, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped != MAP_FAILED) begin_ = mapped;
}

ZeroedMemory::~ZeroedMemory() {
  if (begin_ != nullptr) ::munmap(begin_, bytes_);
}

void at_fork(void (*before)(), void (*after)()) { ::pthread_atfork(before, after, after); }

ProcessMark::ProcessMark() {
  static std::once_flag once;
  std::call_once(once, [] { ::pthread_atfork(nullptr, nullptr, count_fork); });
  forks_before_ = forks.load(std::memory_order_relaxed);
}

namespace {

sigset_t file_size_signal() noexcept {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGXFSZ);
  return signals;
}

}  // namespace

FileSizeSignalBlock::FileSizeSignalBlock() noexcept {
  const sigset_t signals = file_size_signal();
  sigset_t before;
  ::sigemptyset(&before);
  ::pthread_sigmask(SIG_BLOCK, &signals, &before);
  was_blocked_ = ::sigismember(&before, SIGXFSZ) == 1;
}

// Removes a pending signal, then allows the signal again.
FileSizeSignalBlock::~FileSizeSignalBlock() {
  if (was_blocked_) return;
  const sigset_t signals = file_size_signal();
  sigset_t waiting;
  ::sigemptyset(&waiting);
  int taken = 0;
  if (::sigpending(&waiting) == 0 && ::sigismember(&waiting, SIGXFSZ) == 1) {
    ::sigwait(&signals, &taken);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

std::int64_t coarse_wall_now() noexcept {
#ifdef CLOCK_REALTIME_COARSE
  constexpr clockid_t clock = CLOCK_REALTIME_COARSE;
#else
  constexpr clockid_t clock = CLOCK_REALTIME;
#endif
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

bool ProcessMark::is_forked_child() const noexcept {
  return forks.load(std::memory_order_relaxed) != forks_before_;
}

}  // namespace ashmemo::base
