#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

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
  bool has_other_names = false;     // hard links
  std::int64_t changed_at = 0;      // nanoseconds since 1970, of the content, the mode or a name
};

/// The state of `path` itself, without following a symbolic link. A missing file is not a failure.
[[nodiscard]] Result<FileState> inspect(const std::string& path);

/// The absolute path of an existing folder, without symbolic links.
[[nodiscard]] Result<std::string> real_folder(const std::string& path);
/// The names in a folder, in no order.
[[nodiscard]] Result<std::vector<std::string>> names_in(const std::string& folder);
/// The number of free bytes on the disk of the folder of `path`.
[[nodiscard]] Result<std::int64_t> free_bytes_beside(const std::string& path);

/// The first bytes of a regular file, at most 100. Never call it for a file that this process may
/// have locked or SQLite may have open: it closes a descriptor, which drops all locks of the
/// process on the file. The header of a cache file is read through SQLite instead
/// (store/header.hpp).
[[nodiscard]] Result<std::string> read_start(const std::string& path);

/// A regular file, read from its beginning to its end. Follows no link. Never use it for a file
/// that this process may have locked (see read_start).
class InputFile {
 public:
  [[nodiscard]] static Result<std::unique_ptr<InputFile>> open(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Reads the next bytes and returns their number. It is less than `bytes` only if the file ends
  /// there.
  [[nodiscard]] Result<std::size_t> read(char* to, std::size_t bytes);

 private:
  InputFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  const int descriptor_;
  const std::string path_;
};

/// Creates an empty file that only its owner may read and write. Fails if anything is there. If the
/// file system keeps its own modes (vfat), the file has such a mode.
[[nodiscard]] Status create_private_file(const std::string& path);
/// Gives only the owner access to the file. Follows no link, and does not open the file. It may
/// succeed without an effect if the file system keeps its own modes.
[[nodiscard]] Status make_private(const std::string& path);

/// Renames a file. Fails if `to` exists.
[[nodiscard]] Status rename_file(const std::string& from, const std::string& to);
/// Removes the content of a regular file. Follows no link.
[[nodiscard]] Status empty_file(const std::string& path);
/// Removes a file. A missing file is not a failure.
[[nodiscard]] Status remove_file(const std::string& path);
/// Makes the names in the folder of `path` durable: after a power cut, files that were created,
/// renamed and removed before this call remain so. Ignores errors, because some file systems cannot
/// do it.
void sync_folder_of(const std::string& path);

/// Remembers the process that created the object, so that the owner can notice that it runs in a
/// forked child.
class ProcessMark {
 public:
  ProcessMark();
  /// Reads one atomic: no system call, no lock.
  [[nodiscard]] bool is_forked_child() const noexcept;

 private:
  std::uint32_t forks_before_;
};

/// Remembers the root directory of the process when the object is created. After a `chroot` the
/// paths of the owner lead to other files.
class RootMark {
 public:
  RootMark();
  /// Returns false after an error of the system, too.
  [[nodiscard]] bool has_changed() const;
  /// Fails with io if the root directory has changed.
  [[nodiscard]] Status check(const std::string& path) const;

 private:
  std::optional<FileIdentity> root_;
};

/// The lock of the engine: FILE-lock beside the cache file. The system releases it when the process
/// ends in any way. A forked child and a program that this process starts do not inherit it.
///
/// If the system has locks of open files (Linux), a second acquire fails, in this process too. The
/// lock then remains when the program opens and closes the file. Other systems have only locks of a
/// process. There a second acquire in this process would succeed, and destroying either object
/// would release both. store/open_files.hpp prevents that.
class FileLock {
 public:
  /// Takes the lock and creates the file with `magic` as its content. Fails with busy if the lock
  /// is taken. Fails with not_ours, and changes nothing, if the file does not begin with the magic.
  [[nodiscard]] static Result<std::unique_ptr<FileLock>> acquire(const std::string& path,
                                                                 std::string_view magic);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// Whether a lock file with this magic existed before acquire. Then the file beside it was ours.
  [[nodiscard]] bool was_ours() const noexcept { return was_ours_; }

 private:
  FileLock(int descriptor, bool was_ours) noexcept : descriptor_(descriptor), was_ours_(was_ours) {}
  const ProcessMark process_;
  int descriptor_;
  bool was_ours_;
};

/// A lock of an open file on a range of its bytes. It conflicts with locks of every kind, in this
/// process too, unless both are shared. A forked child does not inherit it.
///
/// The destructor closes a descriptor, so it releases all locks of SQLite on this file, too.
class RangeLock {
 public:
  enum class Mode : std::uint8_t { shared, exclusive };
  enum class Outcome : std::uint8_t {
    locked,
    refused,     ///< another lock conflicts with it
    impossible,  ///< the file system has no such locks, or refused for another reason
  };

  /// Opens the file for writing, which exclusive locks need, or for reading. Returns null if the
  /// system has no locks of open files.
  [[nodiscard]] static Result<std::unique_ptr<RangeLock>> open(const std::string& path,
                                                               Mode for_locks);
  ~RangeLock();
  RangeLock(const RangeLock&) = delete;
  RangeLock& operator=(const RangeLock&) = delete;

  Outcome lock(Mode mode, std::int64_t first, std::int64_t bytes) noexcept;
  void unlock() noexcept;
  /// What `open` was asked for.
  [[nodiscard]] Mode made_for() const noexcept { return made_for_; }
  [[nodiscard]] bool is_locked() const noexcept { return is_locked_.load(); }

 private:
  RangeLock(int descriptor, Mode for_locks) noexcept
      : made_for_(for_locks), descriptor_(descriptor) {}
  const ProcessMark process_;
  const Mode made_for_;
  std::atomic<bool> is_locked_{false};
  const int descriptor_;
};

/// The kind of failure for an errno.
[[nodiscard]] FailureKind failure_kind(int system_error) noexcept;
/// Whether the system refused to write, although it may allow to read: this user has no right to
/// it, the file cannot be changed, or its file system is mounted read-only.
[[nodiscard]] bool is_forbidden(const Failure& failure) noexcept;

/// While it exists, a write of this thread beyond the file size limit of the process fails with
/// EFBIG. Otherwise the system would also send SIGXFSZ, which ends the process.
class FileSizeSignalBlock {
 public:
  FileSizeSignalBlock() noexcept;
  ~FileSizeSignalBlock();
  FileSizeSignalBlock(const FileSizeSignalBlock&) = delete;
  FileSizeSignalBlock& operator=(const FileSizeSignalBlock&) = delete;

 private:
  bool was_blocked_;
};

/// Microseconds since 1970 at the system's last tick, some milliseconds ago, or now if the system
/// does not offer that. Faster than the exact time.
[[nodiscard]] std::int64_t coarse_wall_now() noexcept;

/// Starts a thread with this name, of at most 15 characters. It blocks all signals that a process
/// receives from outside, so that the threads of the program handle them. Fails with unavailable if
/// the system has no thread left.
[[nodiscard]] Result<std::thread> start_thread(const char* name, std::function<void()> work);

/// Memory for a large table, filled with zeroes. The system provides a page of it when the page is
/// first written, and takes all pages back at the end. `calloc` cannot replace it: the C library
/// keeps freed memory, and writes zeroes into all of it before it gives it to the next table.
class ZeroedMemory {
 public:
  /// Allocates nothing if the system does not have this much memory, and for 0.
  explicit ZeroedMemory(std::int64_t bytes) noexcept;
  ~ZeroedMemory();
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;

  /// Begins at a page. Null if nothing was allocated.
  [[nodiscard]] void* get() const noexcept { return begin_; }

 private:
  void* begin_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Each fork of this process calls `before` first, and afterwards `after` in the parent and in the
/// child. If `before` locks a mutex and `after` unlocks it, the mutex is free in the child.
/// Otherwise the child may inherit it locked by a thread that it does not have.
void at_fork(void (*before)(), void (*after)());

}  // namespace ashmemo::base
