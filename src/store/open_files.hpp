#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.hpp"
#include "base/platform.hpp"

namespace ashmemo::store {

/// A cache file that this process has open.
struct OpenFile {
  std::string path;                        // resolved
  base::FileIdentity file;                 // of FILE when it was opened
  std::optional<base::FileIdentity> lock;  // of FILE-lock; none: opened only for reading
  /// Locks on FILE: our own, and those of ended entries of the same file, which are unlocked.
  using Uses = std::vector<std::unique_ptr<base::RangeLock>>;
  Uses uses;
  base::ProcessMark process{};  // that opened it
};

/// All cache files that this process has open, asked before any of them is opened again.
///
/// POSIX locks belong to the process. A second opener in the same process gets the lock of the
/// first, and closing any descriptor drops all locks of the process on that file, including
/// SQLite's locks on FILE. Then a `sqlite3` shell that ends would delete the WAL that we use. So a
/// listed file is never opened again, not even to read its header, and our own descriptors of it
/// are closed only after the last entry of the file has ended.
///
/// Files are compared by identity, because of relative paths and hard links. A file that was
/// deleted while it is open is found by its name or its lock file.
class OpenFiles {
 public:
  using Entry = std::list<OpenFile>::iterator;
  using Uses = OpenFile::Uses;

  /// The table of this process. It is never destroyed, because caches may be static objects.
  static OpenFiles& of_this_process();

  /// The right of one thread to open, lock or close this file: from the lookup until the entry is
  /// added, and while the locks of an entry change. A thread waits for its turn at one file only,
  /// so a mount that does not answer our calls blocks no other file. But SQLite holds a mutex of
  /// the process while it looks at a file that it opens and while it closes one. If the mount hangs
  /// there, openings of all files wait. `path` must exist longer.
  class Turn {
   public:
    Turn(OpenFiles& table, const std::string& path) noexcept;
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    OpenFiles& table_;
    const std::string& path_;
    bool is_taken_ = false;
  };

  /// Held for a look into the table only, never during a call to the system.
  mutable base::Mutex mutex ASHMEMO_LOCK_LEVEL(4);

  /// Whether an engine has this file open, under any name.
  [[nodiscard]] bool has_engine(const std::string& path, const base::FileState& file,
                                const base::FileState& lock) const ASHMEMO_EXCLUDES(mutex);
  /// Whether the process that forked this one has the file open. Then SQLite's memory of its locks
  /// on the file is wrong here, and a connection would read and write without locks.
  [[nodiscard]] bool is_inherited(const base::FileState& file) const ASHMEMO_EXCLUDES(mutex);
  /// Whether the table has this file.
  [[nodiscard]] bool lists(const base::FileState& file) const ASHMEMO_EXCLUDES(mutex);

  Entry add(OpenFile file) ASHMEMO_EXCLUDES(mutex);
  void remove(Entry entry) ASHMEMO_EXCLUDES(mutex);
  /// Takes a lock that a closed cache has left to an entry of this file, or returns null. If each
  /// cache opened the file again, the number of descriptors would grow.
  [[nodiscard]] std::unique_ptr<base::RangeLock> take_unused(const base::FileIdentity& file,
                                                             base::RangeLock::Mode for_locks)
      ASHMEMO_EXCLUDES(mutex);
  /// Gives the entry another file. The entry must have no open connection.
  void replace(Entry entry, const base::FileIdentity& file) ASHMEMO_EXCLUDES(mutex);

 private:
  [[nodiscard]] Uses take_uses(Entry entry) ASHMEMO_REQUIRES(mutex);

  std::list<OpenFile> files_ ASHMEMO_GUARDED_BY(mutex);
  std::map<std::string, base::ProcessMark> turns_ ASHMEMO_GUARDED_BY(mutex);  // by path
  base::Condition turn_ended_;
};

}  // namespace ashmemo::store
