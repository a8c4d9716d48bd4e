#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/platform.hpp"
#include "base/result.hpp"
#include "store/file_check.hpp"
#include "store/open_files.hpp"

namespace ashmemo::store {

/// The right to use a cache file: it was judged and found to be ours, FILE-lock keeps other
/// processes out, and an entry in the table of open files this one. From its making to its end
/// nobody but SQLite opens FILE, FILE-wal or FILE-shm in this process. Destroyed after all
/// connections are closed.
///
/// For reading only, it holds no lock and keeps nobody out: it stands for the entry in the table.
///
/// Failures of both ways to get one: in_use and not_ours, with every byte left as it was; else why
/// there is no place for the file.
class ClaimedFile {
 public:
  /// FILE exists afterwards: where there was none, it is created empty, for its owner alone.
  [[nodiscard]] static base::Result<std::unique_ptr<ClaimedFile>> for_writing(
      const std::string& path);
  /// The file must exist and be whole: corrupt otherwise, for only a writer may set it aside.
  [[nodiscard]] static base::Result<std::unique_ptr<ClaimedFile>> for_reading(
      const std::string& path);
  ~ClaimedFile();
  ClaimedFile(const ClaimedFile&) = delete;
  ClaimedFile& operator=(const ClaimedFile&) = delete;

  [[nodiscard]] const CachePaths& paths() const noexcept { return paths_; }
  [[nodiscard]] const std::string& path() const noexcept { return paths_.file; }

  /// Which file it is at the moment.
  [[nodiscard]] const base::FileIdentity& identity() const noexcept { return file_; }
  /// Why the file cannot be used as it is and must be set aside first; empty: it looks whole.
  [[nodiscard]] const std::string& damage() const noexcept { return damage_; }
  /// Renames the file with its WAL and leaves a new, empty one in its place; the answer is the new
  /// name of the old one. Only for writing, and while no connection is open.
  [[nodiscard]] base::Result<std::string> quarantine(std::int64_t wall_now);

  /// To be called when SQLite has opened the file and read it once: from now on its WAL belongs to
  /// it.
  void remember_wal();
  /// Whether the names still mean the files that were opened. Asks by `lstat` only. An error of the
  /// system is no evidence that they do not.
  [[nodiscard]] bool still_in_place() const noexcept;

 private:
  explicit ClaimedFile(CachePaths paths) : paths_(std::move(paths)) {}

  [[nodiscard]] base::Status acquire_lock();
  [[nodiscard]] base::Status take_for_writing(OpenFiles& table) ASHMEMO_REQUIRES(table.mutex);
  [[nodiscard]] base::Status check_under_lock(bool listed);
  [[nodiscard]] base::Status make_new(Found found);
  [[nodiscard]] base::Status take_for_reading(OpenFiles& table) ASHMEMO_REQUIRES(table.mutex);
  [[nodiscard]] base::Status enter(OpenFiles& table) ASHMEMO_REQUIRES(table.mutex);

  const CachePaths paths_;
  std::string damage_;
  std::unique_ptr<base::FileLock> lock_;
  std::optional<OpenFiles::Entry> entry_;
  base::FileIdentity file_;
  base::FileIdentity lock_file_;
  std::optional<base::FileIdentity> wal_;
};

}  // namespace ashmemo::store
