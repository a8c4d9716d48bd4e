#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/platform.hpp"
#include "base/result.hpp"
#include "store/file_check.hpp"
#include "store/open_files.hpp"

namespace ashmemo::store {

/// The right to use a cache file. The file was checked and is ours; FILE-lock keeps other processes
/// out, and an entry in the table of open files keeps other caches of this process out. While it
/// exists, only SQLite opens FILE, FILE-wal and FILE-shm in this process. It is destroyed after all
/// connections are closed.
///
/// A claim for reading holds no FILE-lock. It is an entry in the table, and holds the log that its
/// readers use.
///
/// Failures of both functions: in_use and not_ours, without a change of any file, or the reason why
/// the file cannot be created.
class ClaimedFile {
 public:
  /// `gives_up_reading`: see OpenOptions.
  ///
  /// FILE exists afterwards. A missing file is created empty, with access for its owner only.
  [[nodiscard]] static base::Result<std::unique_ptr<ClaimedFile>> for_writing(
      const std::string& path, bool gives_up_reading = false);
  /// The file must exist and be intact. Fails with corrupt otherwise, because only a writer may
  /// quarantine it.
  [[nodiscard]] static base::Result<std::unique_ptr<ClaimedFile>> for_reading(
      const std::string& path);
  ~ClaimedFile();
  ClaimedFile(const ClaimedFile&) = delete;
  ClaimedFile& operator=(const ClaimedFile&) = delete;

  [[nodiscard]] const CachePaths& paths() const noexcept { return paths_; }
  [[nodiscard]] const std::string& path() const noexcept { return paths_.file; }

  /// The current file at the path.
  [[nodiscard]] const base::FileIdentity& identity() const noexcept { return file_; }
  /// Why the file must be quarantined before use; empty if it looks intact.
  [[nodiscard]] const std::string& damage() const noexcept { return damage_; }
  /// Why the file may not be written, if the system refused to open it for writing. It can still be
  /// quarantined.
  [[nodiscard]] const std::optional<base::Failure>& forbidden() const noexcept {
    return forbidden_;
  }
  /// Whether group or others may write the file although its mode was repaired. Some file systems
  /// keep their own modes.
  [[nodiscard]] bool others_may_write() const noexcept { return others_may_write_; }
  /// Renames the file with its WAL and creates a new, empty file. `renamed_to` becomes the new name
  /// of the old file. If this fails, the old file returns to its place, and the name is empty
  /// unless that fails, too. Only for a claim for writing, while no connection is open.
  [[nodiscard]] base::Status quarantine(std::int64_t wall_now, std::string* renamed_to);
  /// Undoes a quarantine: the new file is removed, and the old file returns to its place.
  [[nodiscard]] base::Status restore(const std::string& renamed_to);

  /// Call it after SQLite has opened the file and read from it, in WAL mode. From then on the log
  /// at the path belongs to the file, and another program that closes the file does not delete it.
  /// `exclusive`: no other program can use the file until the claim ends.
  [[nodiscard]] base::Status begin_use(bool exclusive = false);
  /// For a claim for reading: call it before and after SQLite opens the file for a reader. If the
  /// log has content, it belongs to the file from then on, as after `begin_use`. Otherwise readers
  /// use the file without a log, and other programs may delete the log.
  void hold_log();
  /// Call it before the last connection is closed, which may then delete the log itself.
  void end_use();
  /// Call it after the last connection is closed. If our log was deleted while it was open, another
  /// program may have created a log in its place. SQLite has moved our log into FILE. The other log
  /// has older pages, which would replace the newer ones, so it is dropped.
  void drop_other_log();

  /// Whether the paths still lead to the opened files. Uses `lstat` only. Returns true after an
  /// error of the system and after a change of the root directory, because that is no evidence of a
  /// replacement.
  [[nodiscard]] bool still_in_place() const noexcept;
  /// The same for the log alone: one `lstat`.
  [[nodiscard]] bool is_log_in_place() const noexcept;
  /// Fails with unavailable if the paths lead to other files, and with io if the program has
  /// changed its root directory. Then the paths have another meaning, and the files must not be
  /// opened again.
  [[nodiscard]] base::Status check_in_place() const;

 private:
  explicit ClaimedFile(CachePaths paths) : paths_(std::move(paths)) {}

  [[nodiscard]] base::Status acquire_lock();
  [[nodiscard]] base::Status take_for_writing(OpenFiles& table, bool gives_up_reading);
  [[nodiscard]] base::Status check_under_lock(bool listed, bool gives_up_reading);
  [[nodiscard]] base::Status make_new(Found found);
  [[nodiscard]] base::Status check_owner() const;
  [[nodiscard]] base::Status drop(const std::vector<std::string>& left_behind);
  void hold(OpenFiles& table, OpenFile& entry);
  [[nodiscard]] bool lock_uses(base::RangeLock::Mode mode, std::int64_t first, std::int64_t bytes);
  void unlock_uses() noexcept;
  void repair_modes() const;
  [[nodiscard]] bool leads_to_files() const;
  [[nodiscard]] base::Status take_for_reading(OpenFiles& table);
  [[nodiscard]] base::Status enter(OpenFiles& table);
  [[nodiscard]] base::Status enter_again(OpenFiles& table);

  const CachePaths paths_;
  const base::RootMark root_;
  std::string damage_;
  std::optional<base::Failure> forbidden_;
  bool others_may_write_ = false;
  std::unique_ptr<base::FileLock> lock_;
  std::optional<OpenFiles::Entry> entry_;
  base::FileIdentity file_;
  base::FileIdentity lock_file_;
  std::optional<base::FileIdentity> wal_;
  std::optional<base::FileIdentity> other_wal_;  // in the place of ours
  bool is_exclusive_ = false;
};

}  // namespace ashmemo::store
