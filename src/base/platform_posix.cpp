#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <system_error>

#include "base/platform.hpp"
#include "base/test_point.hpp"

// Before each change of a file stands a test point "system: ...".

namespace ashmemo::base {
namespace {

constexpr mode_t kOwnerOnly = S_IRUSR | S_IWUSR;
constexpr std::size_t kStartBytes = 100;

FailureKind kind_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
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

Failure failed(int error, std::string_view doing, const std::string& path) {
  return {kind_of(error), 0,
          fmt::format("cannot {} '{}': {}", doing, path, std::generic_category().message(error))};
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

// In a program whose standard streams are closed their numbers are free, and what it prints would
// end in whichever file takes one.
Descriptor above_streams(Descriptor file) {
  if (!file.is_open() || file.get() > STDERR_FILENO) return file;
  return Descriptor(::fcntl(file.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

// O_NONBLOCK: opening a FIFO that somebody has put there must not wait for its other end.
Descriptor open_file(const std::string& path, int flags) {
  constexpr int kAlways = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  return above_streams(
      Descriptor(uninterrupted([&] { return ::open(path.c_str(), flags | kAlways, kOwnerOnly); })));
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
  return state;
}

Result<std::string> read_beginning(int descriptor, const std::string& path) {
  std::string content(kStartBytes, '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = uninterrupted([&] {
      return ::pread(descriptor, content.data() + done, content.size() - done,
                     static_cast<off_t>(done));
    });
    if (count < 0) return failed(errno, "read", path);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  content.resize(done);
  return content;
}

// Written once in the file's life and then synced: after a power cut it must still say whose the
// file beside it is.
Status write_magic(int descriptor, std::string_view magic, const std::string& path) {
  ASHMEMO_TEST_POINT("system: writes");
  std::size_t done = 0;
  while (done < magic.size()) {
    const ssize_t count = uninterrupted([&] {
      return ::pwrite(descriptor, magic.data() + done, magic.size() - done,
                      static_cast<off_t>(done));
    });
    if (count < 0) return failed(errno, "write", path);
    done += static_cast<std::size_t>(count);
  }
  ASHMEMO_TEST_POINT("system: syncs");
  if (::fsync(descriptor) != 0) return failed(errno, "sync", path);
  return Ok{};
}

// A lock file; not open: it came or went in between, try again.
Result<Descriptor> open_lock_file(const std::string& path) {
  Descriptor file = open_file(path, O_RDWR);
  if (file.is_open()) return file;
  if (errno != ENOENT) return failed(errno, "open", path);
  ASHMEMO_TEST_POINT("system: creates");
  Descriptor created = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (!created.is_open() && errno == EEXIST) return created;
  if (!created.is_open()) return failed(errno, "create", path);
  ASHMEMO_TEST_POINT("system: sets a mode");
  // The umask may have taken even the owner's rights.
  if (::fchmod(created.get(), kOwnerOnly) != 0) return failed(errno, "set the mode of", path);
  return created;
}

Status lock_whole(int descriptor, const std::string& path) {
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (uninterrupted([&] { return ::fcntl(descriptor, F_SETLK, &whole); }) == 0) return Ok{};
  if (errno == EACCES || errno == EAGAIN) {
    return Failure{FailureKind::busy, 0, fmt::format("'{}' is locked by another process", path)};
  }
  return failed(errno, "lock", path);
}

Failure not_our_lock(const std::string& path) {
  return {FailureKind::not_ours, 0, fmt::format("'{}' is not a lock file of ours", path)};
}

// Somebody may have removed the file after it was opened; such a lock would keep nobody out.
bool still_named(const struct stat& open, const std::string& path) {
  struct stat named = {};
  return ::lstat(path.c_str(), &named) == 0 && identity_of(open) == identity_of(named);
}

// Whether the file has the magic already. A beginning of it, or nothing, is a creation that was cut
// off: the rest is written. Anything else is not ours.
Result<bool> ensure_magic(int descriptor, std::string_view magic, const std::string& path) {
  Result<std::string> content = read_beginning(descriptor, path);
  if (!content) return content.failure();
  if (std::string_view(*content).starts_with(magic)) return true;
  if (!magic.starts_with(*content)) return not_our_lock(path);
  const Status written = write_magic(descriptor, magic, path);
  if (written) return false;
  ASHMEMO_TEST_POINT("system: removes");
  // On a full disk no empty file is left lying about. We hold the lock: nobody relies on it.
  ::unlink(path.c_str());
  return written.failure();
}

std::atomic<std::uint32_t> forks{0};

void count_fork() { forks.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

Result<FileState> inspect(const std::string& path) {
  struct stat found = {};
  if (::lstat(path.c_str(), &found) == 0) return state_of(found);
  if (errno == ENOENT) return FileState{};
  return failed(errno, "look at", path);
}

Result<std::string> read_start(const std::string& path) {
  const Descriptor file = open_file(path, O_RDONLY);
  if (!file.is_open()) return failed(errno, "open", path);
  return read_beginning(file.get(), path);
}

Status create_private_file(const std::string& path) {
  ASHMEMO_TEST_POINT("system: creates");
  const Descriptor file = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (!file.is_open()) return failed(errno, "create", path);
  ASHMEMO_TEST_POINT("system: sets a mode");
  if (::fchmod(file.get(), kOwnerOnly) != 0) return failed(errno, "set the mode of", path);
  return Ok{};
}

Status make_private(const std::string& path) {
  const Descriptor file = open_file(path, O_RDONLY);
  if (!file.is_open()) return failed(errno, "open", path);
  ASHMEMO_TEST_POINT("system: sets a mode");
  if (::fchmod(file.get(), kOwnerOnly) != 0) return failed(errno, "set the mode of", path);
  return Ok{};
}

Status rename_file(const std::string& from, const std::string& to) {
  ASHMEMO_TEST_POINT("system: renames");
#if defined(__linux__)
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return Ok{};
  if (errno != ENOSYS && errno != EINVAL) return failed(errno, "rename", from);
#endif
  // Some file systems cannot refuse by themselves. Between looking and renaming somebody could put
  // a file there; nobody has a reason to.
  const Result<FileState> there = inspect(to);
  if (!there) return there.failure();
  if (there->type != FileType::missing) return failed(EEXIST, "rename", from);
  if (::rename(from.c_str(), to.c_str()) != 0) return failed(errno, "rename", from);
  return Ok{};
}

Status remove_file(const std::string& path) {
  ASHMEMO_TEST_POINT("system: removes");
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return Ok{};
  return failed(errno, "remove", path);
}

Result<std::unique_ptr<FileLock>> FileLock::acquire(const std::string& path,
                                                    std::string_view magic) {
  constexpr int kTries =
      100;  // each one lost to somebody who creates or removes the file meanwhile
  for (int tried = 0; tried < kTries; ++tried) {
    Result<Descriptor> opened = open_lock_file(path);
    if (!opened) return opened.failure();
    if (!opened->is_open()) continue;
    Descriptor& file = *opened;
    struct stat found = {};
    if (::fstat(file.get(), &found) != 0) return failed(errno, "look at", path);
    if (type_of(found.st_mode) != FileType::regular) return not_our_lock(path);
    if (Status locked = lock_whole(file.get(), path); !locked) return locked.failure();
    if (!still_named(found, path)) continue;
    const Result<bool> was_ours = ensure_magic(file.get(), magic, path);
    if (!was_ours) return was_ours.failure();
    return std::unique_ptr<FileLock>(new FileLock(file.release(), *was_ours));
  }
  return Failure{FailureKind::busy, 0, fmt::format("'{}' keeps being replaced", path)};
}

FileLock::~FileLock() { ::close(descriptor_); }

ProcessMark::ProcessMark() {
  static std::once_flag once;
  std::call_once(once, [] { ::pthread_atfork(nullptr, nullptr, count_fork); });
  forks_before_ = forks.load(std::memory_order_relaxed);
}

std::int64_t rough_wall_now() noexcept {
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
