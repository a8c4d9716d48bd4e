#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>

#include "base/mutex.hpp"
#include "base/platform.hpp"

namespace ashmemo::store {

/// A cache file that this process has open.
struct OpenFile {
  std::string path;                        // resolved
  base::FileIdentity file;                 // of FILE when it was opened
  std::optional<base::FileIdentity> lock;  // of FILE-lock; none: opened only for reading
};

/// All cache files that this process has open, asked before any of them is opened again.
///
/// The locks of POSIX are the process's, not the opener's: a second opener in the same process is
/// given the first one's lock, and the end of any descriptor gives up all locks on its file, the
/// ones that SQLite holds on FILE included. The next `sqlite3` shell would then take itself for the
/// last one to leave and delete the WAL under us. So what is listed here is never opened, not even
/// for its header.
///
/// A file is meant by its identity, not by its name: there are relative paths and hard links. But a
/// file that somebody has deleted while it is open is found by its name or its lock file.
class OpenFiles {
 public:
  using Entry = std::list<OpenFile>::iterator;

  /// The one of this process. Never destroyed: caches may be static objects.
  static OpenFiles& of_this_process();

  /// Held from the question until the entry is made, and while the lock of an entry is given up: in
  /// between nobody else may open a file.
  base::Mutex mutex;

  /// Whether an engine has this file, under any name.
  [[nodiscard]] bool has_engine(const std::string& path, const base::FileState& file,
                                const base::FileState& lock) const ASHMEMO_REQUIRES(mutex);
  /// Whether anybody has it.
  [[nodiscard]] bool lists(const base::FileState& file) const ASHMEMO_REQUIRES(mutex);

  Entry add(OpenFile file) ASHMEMO_REQUIRES(mutex);
  void remove(Entry entry) ASHMEMO_REQUIRES(mutex);

 private:
  std::list<OpenFile> files_ ASHMEMO_GUARDED_BY(mutex);
};

}  // namespace ashmemo::store
