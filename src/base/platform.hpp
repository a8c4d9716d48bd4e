#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

// Everything that the operating system must do for us and the standard library cannot. The only
// place with system calls: platform_posix.cpp implements it for POSIX systems.

namespace ashmemo::base {

/// Which file a name means at the moment: the same numbers, the same file.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

enum class FileType : std::uint8_t { missing, regular, directory, link, other };

/// What `stat` says; nothing is opened.
struct FileState {
  FileType type = FileType::missing;
  FileIdentity identity;
  std::int64_t bytes = 0;
  bool owned_by_us = true;          // by the effective user
  bool writable_by_others = false;  // group or world
};

/// The state of `path` itself: a symbolic link is a link. Missing is a state, not a failure.
[[nodiscard]] Result<FileState> inspect(const std::string& path);

/// The first bytes of a regular file, at most 100. Opens and closes it: never call it for a file
/// that this process may have locked or SQLite may have open, for closing any descriptor drops the
/// process's locks on the file. A cache file's header is read through SQLite instead
/// (store/header.hpp).
[[nodiscard]] Result<std::string> read_start(const std::string& path);

/// Creates an empty file that only its owner may read and write. Fails if anything is there.
[[nodiscard]] Status create_private_file(const std::string& path);
/// Takes a file's rights from everybody but its owner. Follows no link.
[[nodiscard]] Status make_private(const std::string& path);

/// Renames, replacing nothing.
[[nodiscard]] Status rename_file(const std::string& from, const std::string& to);
/// A file that is missing already is no failure.
[[nodiscard]] Status remove_file(const std::string& path);

/// The engine's own lock: FILE-lock beside the cache file. Held by the process, released by the
/// system when the process ends in whatever way, not inherited by a child, closed on exec.
///
/// It keeps other processes out, not this one: a second acquire here would succeed, and the end of
/// either would give up the lock of both. store/open_files.hpp sees to that.
class FileLock {
 public:
  /// Takes the lock, creating the file with `magic` as its content. FailureKind::busy: another
  /// process has it. FailureKind::not_ours: what lies there does not begin with the magic, and is
  /// untouched.
  [[nodiscard]] static Result<std::unique_ptr<FileLock>> acquire(const std::string& path,
                                                                 std::string_view magic);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// Whether a lock file with this magic was there before acquire: then the file beside it was
  /// ours.
  [[nodiscard]] bool was_ours() const noexcept { return was_ours_; }

 private:
  FileLock(int descriptor, bool was_ours) noexcept : descriptor_(descriptor), was_ours_(was_ours) {}
  int descriptor_;
  bool was_ours_;
};

/// Microseconds since 1970 as of the system's last tick, which is some milliseconds ago; where the
/// system does not tell that, as of now. Quicker than to ask for the exact time.
[[nodiscard]] std::int64_t rough_wall_now() noexcept;

/// Remembers the process in which it was made: whoever keeps one sees whether it came into a forked
/// child with it.
class ProcessMark {
 public:
  ProcessMark();
  /// Reads one atomic: no system call, no lock.
  [[nodiscard]] bool is_forked_child() const noexcept;

 private:
  std::uint32_t forks_before_;
};

}  // namespace ashmemo::base
