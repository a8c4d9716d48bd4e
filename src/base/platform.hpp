#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

// Calls to the operating system that the standard library does not offer. No other place has system
// calls. platform_posix.cpp implements this for POSIX systems.

namespace ashmemo::base {

/// The identity of a file. Two paths with equal identities lead to the same file.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

enum class FileType : std::uint8_t { missing, regular, directory, link, other };

/// The result of `stat`. Nothing is opened.
struct FileState {
  FileType type = FileType::missing;
  FileIdentity identity;
  std::int64_t bytes = 0;
  bool owned_by_us = true;          // by the effective user
  bool writable_by_others = false;  // group or world
};

/// The state of `path` itself, without following a symbolic link. A missing file is not a failure.
[[nodiscard]] Result<FileState> inspect(const std::string& path);

/// The first bytes of a regular file, at most 100. Never call it for a file that this process may have
/// locked or SQLite may have open: it closes a descriptor, which drops all locks of the process on
/// the file. The header of a cache file is read through SQLite instead (store/header.hpp).
[[nodiscard]] Result<std::string> read_start(const std::string& path);

/// Creates an empty file that only its owner may read and write. Fails if anything is there.
[[nodiscard]] Status create_private_file(const std::string& path);
/// Gives only the owner access to the file. Follows no link.
[[nodiscard]] Status make_private(const std::string& path);

/// Renames a file. Fails if `to` exists.
[[nodiscard]] Status rename_file(const std::string& from, const std::string& to);
/// Removes a file. A missing file is not a failure.
[[nodiscard]] Status remove_file(const std::string& path);

/// The lock of the engine: FILE-lock beside the cache file. The process holds it, and the system
/// releases it when the process ends in any way. A child does not inherit it, and exec closes it.
///
/// It keeps other processes out, but not this one: a second acquire in this process would succeed, and
/// destroying either object would release both. store/open_files.hpp prevents that.
class FileLock {
 public:
  /// Takes the lock and creates the file with `magic` as its content. Fails with busy if another
  /// process has the lock, and with not_ours, without a change, if the file does not begin with the
  /// magic.
  [[nodiscard]] static Result<std::unique_ptr<FileLock>> acquire(const std::string& path,
                                                                 std::string_view magic);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// Whether a lock file with this magic existed before acquire. Then the file beside it was ours.
  [[nodiscard]] bool was_ours() const noexcept { return was_ours_; }

 private:
  FileLock(int descriptor, bool was_ours) noexcept : descriptor_(descriptor), was_ours_(was_ours) {}
  int descriptor_;
  bool was_ours_;
};

/// Microseconds since 1970 at the system's last tick, some milliseconds ago, or now if the system does
/// not offer that. Faster than the exact time.
[[nodiscard]] std::int64_t rough_wall_now() noexcept;

/// Remembers the process that created it, so that its owner can notice that it runs in a forked child.
class ProcessMark {
 public:
  ProcessMark();
  /// Reads one atomic: no system call, no lock.
  [[nodiscard]] bool is_forked_child() const noexcept;

 private:
  std::uint32_t forks_before_;
};

}  // namespace ashmemo::base
