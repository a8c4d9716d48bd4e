#pragma once

#include <string>
#include <string_view>

#include "base/platform.hpp"
#include "base/result.hpp"

// What is at the path of a cache file, and may we use it? Judged by `lstat` and the first 100
// bytes, before SQLite sees the file: what is not ours is not changed by one byte.
//
//   nothing, or 0 bytes                            a new file
//   an SQLite database with our application_id     ours
//     ... of a newer format, or a broken header    ours, to be set aside
//   not an SQLite database, but beside it a
//   FILE-lock that begins with our magic           ours, to be set aside
//   an SQLite database with another id, any other
//   file, a link, FIFO, device, directory,
//   another owner, writable by group or others     not ours: FailureKind::not_ours, naming it
//
// FILE-wal, -shm, -journal and -lock must be plain files of the same owner too. Where FILE is
// missing or empty but a FILE-wal, -shm or -journal lies beside, our FILE-lock decides again: with
// it they are what a deleted cache has left behind, without it they are somebody's (SQLite would
// delete them).

namespace ashmemo::store {

/// FILE and the names beside it. Absolute, and without symbolic links but for the last component.
struct CachePaths {
  std::string file;
  std::string wal;
  std::string shm;
  std::string journal;  // only while a file is created
  std::string lock;
};

/// The first line of FILE-lock, and all of it. It also says, when FILE itself can no longer be
/// read, that FILE was ours.
inline constexpr std::string_view kLockMagic =
    "ashmemo lock: the file beside, named as this without -lock, is a cache of ashmemo\n";

/// Resolves the folder, which must exist: SQLite is told to follow no link, and would refuse one
/// there.
[[nodiscard]] base::Result<CachePaths> resolve(const std::string& path);

enum class Found : std::uint8_t { nothing, empty, ours, damaged };

struct FileCheck {
  Found found = Found::nothing;
  std::string why;  // why it is to be set aside
};

/// Whether there is a FILE-lock with our magic. Opens it: not while this process has it locked.
[[nodiscard]] base::Result<bool> has_our_lock(const CachePaths& paths);

/// `lock_is_ours`: see has_our_lock. `listed`: this process has the file open already, so it is
/// ours and must not be opened for its header.
[[nodiscard]] base::Result<FileCheck> judge(const CachePaths& paths, bool lock_is_ours,
                                            bool listed);

}  // namespace ashmemo::store
