#include "store/file_check.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <filesystem>
#include <initializer_list>
#include <utility>

#include "store/file_id.hpp"
#include "store/header.hpp"
#include "store/schema.hpp"
#include "store/store.hpp"

namespace ashmemo::store {
namespace {

using base::Failure;
using base::FailureKind;
using base::FileState;
using base::FileType;

Failure not_ours(const std::string& path, std::string_view what) {
  return {FailureKind::not_ours, 0,
          fmt::format("'{}' {}. It was left untouched: choose another path, or move it away", path,
                      what)};
}

std::string_view describe(FileType type) {
  switch (type) {
    case FileType::missing:
      return "is missing";
    case FileType::regular:
      return "is a plain file";
    case FileType::directory:
      return "is a directory";
    case FileType::link:
      return "is a symbolic link";
    case FileType::other:
      return "is a device, FIFO or socket";
  }
  return "is of an unknown kind";
}

FileCheck as(Found found) { return {found, {}, {}}; }
FileCheck damaged(std::string why) { return {Found::damaged, std::move(why), {}}; }

// Whether only we can have written the file, independent of its content.
base::Status check_kind(const std::string& path, const FileState& state) {
  if (state.type == FileType::missing) return {};
  if (state.type != FileType::regular) return not_ours(path, describe(state.type));
  if (!state.owned_by_us) return not_ours(path, "belongs to another user");
  // Two caches under two names would not know of each other, because SQLite's log belongs to a
  // name.
  if (state.has_other_names) return not_ours(path, "has a second name (a hard link)");
  return {};
}

// Checks the files that SQLite keeps beside FILE. Returns whether one has content that SQLite would
// put into FILE. -shm has none: it is only an index of the log.
base::Result<bool> check_beside(const CachePaths& paths) {
  bool any = false;
  for (const std::string* path : {&paths.wal, &paths.shm, &paths.journal}) {
    const auto state = base::inspect(*path);
    if (!state) return state.failure();
    if (const auto kind = check_kind(*path, *state); !kind) return kind.failure();
    any = any || (state->bytes > 0 && path != &paths.shm);
  }
  return any;
}

base::Result<FileCheck> check_new(const CachePaths& paths, Found found, bool lock_is_ours,
                                  bool any_beside) {
  if (!any_beside || lock_is_ours) return as(found);
  return Failure{FailureKind::not_ours, 0,
                 fmt::format("'{0}' has no content, but '{0}-wal' or '{0}-journal' has, and is not "
                             "known to be ours. It was left untouched: move it away",
                             paths.file)};
}

// Another program may move the log into FILE at this moment, or start the log again. So the id of
// FILE is read again. If it is the same, both were read in the same state.
base::Result<bool> has_log_of_another(const CachePaths& paths, FileId id) {
  constexpr int kMaxTries = 10;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    auto is_foreign = is_log_of_another_file(paths.wal, id);
    if (!is_foreign || !*is_foreign) return is_foreign;
    const auto again = read_header(paths.file);
    if (!again) return again.failure();
    if (again->file_id == id) return true;
    id = again->file_id;
  }
  return false;
}

// SQLite cannot open a file beside a log of an unknown format and reports that as a failure of
// opening. Without this check the cache would stay unavailable.
base::Result<FileCheck> check_log(const CachePaths& paths, const Header& header) {
  const auto state = base::inspect(paths.wal);
  if (!state) return state.failure();
  if (state->type == FileType::missing) return as(Found::ours);
  const auto start = base::read_start(paths.wal);
  if (!start) return start.failure();
  if (!is_known_log(*start)) return damaged("its write-ahead log is of an unknown format");
  const auto is_foreign = has_log_of_another(paths, header.file_id);
  if (!is_foreign) return is_foreign.failure();
  FileCheck checked = as(Found::ours);
  if (*is_foreign) checked.left_behind = {paths.wal, paths.shm};
  return checked;
}

base::Result<FileCheck> check_logs(const CachePaths& paths, const Header& header) {
  auto checked = check_log(paths, header);
  if (!checked || !header.is_in_wal_mode) return checked;
  const auto journal = base::inspect(paths.journal);
  if (!journal) return journal.failure();
  if (journal->bytes > 0) checked->left_behind.push_back(paths.journal);
  return checked;
}

// A power cut during creation may have lost the beginning of the file. SQLite restores it from the
// journal.
base::Result<bool> is_half_made(const CachePaths& paths, const Header& header) {
  if (!header.is_blank) return false;
  const auto journal = base::inspect(paths.journal);
  if (!journal) return journal.failure();
  return journal->type != FileType::missing && journal->bytes > 0;
}

base::Result<FileCheck> check_content(const CachePaths& paths, bool lock_is_ours,
                                      bool gives_up_reading) {
  const auto header = read_header(paths.file);
  if (!header && lock_is_ours && gives_up_reading && is_unreadable(header.failure())) {
    return damaged(header.failure().what);
  }
  if (!header) return header.failure();
  if (!header->is_sqlite) {
    const auto half_made = is_half_made(paths, *header);
    if (!half_made) return half_made.failure();
    if (lock_is_ours && *half_made) return as(Found::ours);
    if (lock_is_ours) return damaged("it is no SQLite database any more");
    return not_ours(paths.file, "is not a cache file");
  }
  if (header->application_id != kApplicationId) {
    return not_ours(paths.file, "is an SQLite database, but not a cache file");
  }
  if (!header->is_known) return damaged("its header is damaged");
  if (header->user_version > kFormatVersion) {
    return damaged(fmt::format("a newer version wrote it (format {}, known: {})",
                               header->user_version, kFormatVersion));
  }
  return check_logs(paths, *header);
}

Failure no_folder(const std::string& folder, const Failure& failure) {
  if (failure.system_error != ENOENT) return failure;
  return {FailureKind::unavailable, 0,
          fmt::format("the folder '{}' does not exist; create it, or use another path", folder),
          ENOENT};
}

Failure too_long(std::string_view what, std::size_t bytes, std::size_t max) {
  return {FailureKind::unavailable, 0,
          fmt::format("the {} is too long: it has {} bytes, and at most {} are possible; use a "
                      "shorter one",
                      what, bytes, max)};
}

// The names beside FILE must be possible, too. Otherwise empty files would remain, or a damaged
// file could not be renamed.
base::Status check_length(const std::string& file, const std::string& name) {
  constexpr std::size_t kMaxNameBytes = 255;  // of all common file systems
  constexpr std::size_t kSuffixBytes = std::string_view(".corrupt-1234567890123456-wal").size();
  constexpr std::size_t kMaxOwnBytes = kMaxNameBytes - kSuffixBytes;
  if (name.size() > kMaxOwnBytes) return too_long("name of the file", name.size(), kMaxOwnBytes);
  const sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
  if (vfs == nullptr) return {};  // SQLite cannot open any file, and says why
  // SQLite appends this suffix, the longest one, to the path.
  const std::size_t max =
      static_cast<std::size_t>(vfs->mxPathname) - std::string_view("-journal").size();
  if (file.size() > max) return too_long("whole path", file.size(), max);
  return {};
}

}  // namespace

base::Result<CachePaths> resolve(const std::string& path) {
  const std::filesystem::path given(path);
  const std::string name = given.filename().string();
  if (path.find('\0') != std::string::npos || path.empty()) {
    return Failure{FailureKind::unavailable, 0,
                   fmt::format("'{}' is no name of a file; use another path", path.c_str())};
  }
  if (name.empty() || name == "." || name == "..") return not_ours(path, "is a directory");
  const auto folder = given.has_parent_path() ? given.parent_path() : std::filesystem::path(".");
  const auto resolved = base::real_folder(folder.string());
  if (!resolved) return no_folder(folder.string(), resolved.failure());
  const std::string file = (std::filesystem::path(*resolved) / name).string();
  if (const auto fits = check_length(file, name); !fits) return fits.failure();
  return CachePaths{file, file + "-wal", file + "-shm", file + "-journal", file + "-lock"};
}

base::Result<bool> has_our_lock(const CachePaths& paths) {
  const auto state = base::inspect(paths.lock);
  if (!state) return state.failure();
  if (const auto kind = check_kind(paths.lock, *state); !kind) return kind.failure();
  if (state->type == FileType::missing) return false;
  const auto start = base::read_start(paths.lock);
  if (!start) return start.failure();
  return std::string_view(*start).starts_with(kLockMagic);
}

base::Result<FileCheck> check_file(const CachePaths& paths, bool lock_is_ours, bool listed,
                                   bool gives_up_reading) {
  const auto state = base::inspect(paths.file);
  if (!state) return state.failure();
  if (const auto kind = check_kind(paths.file, *state); !kind) return kind.failure();
  const auto beside = check_beside(paths);
  if (!beside) return beside.failure();
  if (state->type == FileType::missing) {
    return check_new(paths, Found::nothing, lock_is_ours, *beside);
  }
  if (state->bytes == 0) return check_new(paths, Found::empty, lock_is_ours, *beside);
  if (listed) return as(Found::ours);
  return check_content(paths, lock_is_ours, gives_up_reading);
}

}  // namespace ashmemo::store
