#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/platform.hpp"
#include "base/result.hpp"

// Checks what is at the path of a cache file and whether we may use it. It uses `lstat` and the
// first 100 bytes, before SQLite opens the file, so that a foreign file is not changed by one byte.
//
//   nothing, or 0 bytes                            a new file
//   an SQLite database with our application_id     ours
//     ... of a newer format, or a broken header    ours, to be quarantined
//   not an SQLite database, but beside it a
//   FILE-lock that begins with our magic           ours, to be quarantined
//   an SQLite database with another id, any other
//   file, a link, FIFO, device, directory,
//   another owner, a second name (a hard link)     not ours: FailureKind::not_ours, naming it
//
// FILE-wal, -shm, -journal and -lock must be regular files of the same owner with one name, too. If
// FILE is missing or empty but FILE-wal or -journal has content, our FILE-lock decides: with it
// they are remains of a deleted cache; without it they are foreign, and SQLite would delete them.
//
// If FILE is ours, files beside it may still belong to a file that was here before. A writer drops
// them before SQLite can read them:
//
//   FILE-wal with the id of another file (file_id.hpp), and its index FILE-shm
//   FILE-journal beside a FILE in WAL mode, because SQLite would roll FILE back to nothing

namespace ashmemo::store {

/// FILE and the names beside it. Absolute; only the last component may be a symbolic link.
struct CachePaths {
  std::string file;
  std::string wal;
  std::string shm;
  std::string journal;  // only while a file is created
  std::string lock;
};

/// The whole content of FILE-lock. It also shows that FILE was ours if FILE cannot be read any
/// more.
inline constexpr std::string_view kLockMagic =
    "ashmemo lock: the file beside, named as this without -lock, is a cache of ashmemo\n";

/// Resolves the folder, which must exist. SQLite runs with an option to follow no link and would
/// refuse a link in the folder.
[[nodiscard]] base::Result<CachePaths> resolve(const std::string& path);

enum class Found : std::uint8_t { nothing, empty, ours, damaged };

struct FileCheck {
  Found found = Found::nothing;
  std::string why;                       // the reason for a quarantine
  std::vector<std::string> left_behind;  // of a file that was here before
};

/// Whether there is a FILE-lock with our magic. Opens it, so do not call it while this process
/// holds the lock.
[[nodiscard]] base::Result<bool> has_our_lock(const CachePaths& paths);

/// `gives_up_reading`: a file beside our lock that the device cannot read counts as damaged.
/// `lock_is_ours`: see has_our_lock. `listed`: this process has the file open, so it is ours and
/// must not be opened for its header.
[[nodiscard]] base::Result<FileCheck> check_file(const CachePaths& paths, bool lock_is_ours,
                                                 bool listed, bool gives_up_reading = false);

}  // namespace ashmemo::store
