#include "store/claim.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

#include "store/quarantine.hpp"

namespace ashmemo::store {
namespace {

using base::Failure;
using base::FailureKind;
using base::FileState;
using base::FileType;

// Each connection of SQLite has a shared lock on these bytes of FILE. A connection that closes also
// deletes the log if it can lock the bytes exclusively (sqlite3.c: SHARED_FIRST and SHARED_SIZE).
// The bytes are the same in all versions of SQLite, because processes with different versions share
// files.
constexpr std::int64_t kSqliteSharedFirst = 0x4000'0002;
constexpr std::int64_t kSqliteSharedBytes = 510;
// Each connection of another process has a shared lock on this byte while it gets its shared lock
// on the bytes above (PENDING_BYTE). In this process the connections of an exclusive cache need no
// lock on it.
constexpr std::int64_t kSqlitePending = 0x4000'0000;

// Another program has its lock on that byte for a moment only. After this many attempts, a
// millisecond apart, it does not give the byte back.
constexpr int kMaxLockTries = 100;

Failure in_use(const std::string& file, std::string_view by) {
  return {
      FailureKind::in_use, 0,
      fmt::format("'{}' is in use by another cache in {}: close that one, share it, or open the "
                  "file read-only",
                  file, by)};
}

Failure inherited(const std::string& file) {
  return {FailureKind::in_use, 0,
          fmt::format("'{}' was opened before this process was forked, and SQLite's locks do not "
                      "survive a fork: open the cache after the fork, or after daemon()",
                      file)};
}

// Whether the path leads to another file now or to no file. Returns false if the system fails.
bool has_changed(const std::string& path, const base::FileIdentity& identity) {
  const auto state = base::inspect(path);
  return state && (state->type == FileType::missing || !(state->identity == identity));
}

}  // namespace

base::Result<std::unique_ptr<ClaimedFile>> ClaimedFile::for_writing(const std::string& path,
                                                                    bool gives_up_reading) {
  auto paths = resolve(path);
  if (!paths) return paths.failure();
  std::unique_ptr<ClaimedFile> claim(new ClaimedFile(std::move(*paths)));
  OpenFiles& table = OpenFiles::of_this_process();
  const OpenFiles::Turn turn(table, claim->path());
  if (const auto taken = claim->take_for_writing(table, gives_up_reading); !taken)
    return taken.failure();
  return claim;
}

base::Result<std::unique_ptr<ClaimedFile>> ClaimedFile::for_reading(const std::string& path) {
  auto paths = resolve(path);
  if (!paths) return paths.failure();
  std::unique_ptr<ClaimedFile> claim(new ClaimedFile(std::move(*paths)));
  OpenFiles& table = OpenFiles::of_this_process();
  const OpenFiles::Turn turn(table, claim->path());
  if (const auto taken = claim->take_for_reading(table); !taken) return taken.failure();
  return claim;
}

// A claim that failed has no entry. It must not take a turn, because its thread may have the turn.
ClaimedFile::~ClaimedFile() {
  if (!entry_) return;
  OpenFiles& table = OpenFiles::of_this_process();
  const OpenFiles::Turn turn(table, path());
  unlock_uses();  // another entry of the file may get them
  lock_.reset();
  table.remove(*entry_);
}

base::Status ClaimedFile::take_for_writing(OpenFiles& table, bool gives_up_reading) {
  const auto file = base::inspect(paths_.file);
  if (!file) return file.failure();
  if (table.is_inherited(*file)) return inherited(paths_.file);
  const auto lock = base::inspect(paths_.lock);
  if (!lock) return lock.failure();
  if (table.has_engine(paths_.file, *file, *lock)) return in_use(paths_.file, "this process");
  const bool listed = table.lists(*file);
  // Checks the file while FILE-lock is held, because before that other processes may change it. If
  // there is no FILE-lock, checks before as well: no lock file may be created beside a foreign
  // file.
  const auto lock_is_ours = has_our_lock(paths_);
  if (!lock_is_ours) return lock_is_ours.failure();
  if (!*lock_is_ours) {
    if (const auto seen = check_file(paths_, false, listed); !seen) return seen.failure();
  }
  if (const auto locked = acquire_lock(); !locked) return locked.failure();
  auto done = check_under_lock(listed, gives_up_reading);
  if (done) repair_modes();
  if (done) done = enter(table);
  if (done) return done;
  // A lock file without a file would claim any file that is created there later as ours.
  if (!lock_->was_ours()) {
    [[maybe_unused]] const auto removed = base::remove_file(paths_.lock);
  }
  lock_.reset();
  return done;
}

base::Status ClaimedFile::acquire_lock() {
  auto lock = base::FileLock::acquire(paths_.lock, kLockMagic);
  if (!lock && lock.failure().kind == FailureKind::busy) {
    return in_use(paths_.file, "another process, or in another copy of this library");
  }
  if (!lock) return lock.failure();
  lock_ = std::move(*lock);
  return {};
}

base::Status ClaimedFile::check_under_lock(bool listed, bool gives_up_reading) {
  auto checked = check_file(paths_, lock_->was_ours(), listed, gives_up_reading);
  if (!checked) return checked.failure();
  damage_ = std::move(checked->why);
  const bool is_new = checked->found == Found::nothing || checked->found == Found::empty;
  return is_new ? make_new(checked->found) : drop(checked->left_behind);
}

// Another program may still use these files with the file that was here before. The log is emptied
// first, otherwise that program could copy its pages into FILE when it ends. Shared memory is not
// emptied, because that would end a program that has it mapped.
base::Status ClaimedFile::drop(const std::vector<std::string>& left_behind) {
  for (const std::string& path : left_behind) {
    if (path != paths_.shm) {
      if (auto emptied = base::empty_file(path); !emptied) return emptied;
    }
    if (auto removed = base::remove_file(path); !removed) return removed;
  }
  return {};
}

base::Status ClaimedFile::make_new(Found found) {
  // Remains of a deleted cache, which must not be taken for files of the new one.
  for (const std::string& path : {paths_.wal, paths_.shm, paths_.journal}) {
    if (auto removed = base::remove_file(path); !removed) return removed;
  }
  // enter() sees whether a mode could be set.
  auto made = found == Found::nothing ? base::create_private_file(paths_.file) : base::Status();
  if (found != Found::nothing) (void)base::make_private(paths_.file);
  if (made && found == Found::nothing) made = check_owner();
  // Otherwise a power cut may lose FILE-lock but not FILE-journal. Then the journal looks foreign.
  if (made) base::sync_folder_of(paths_.file);
  return made;
}

// Otherwise the next start would find the file of another user.
base::Status ClaimedFile::check_owner() const {
  const auto file = base::inspect(paths_.file);
  if (file && file->owned_by_us) return {};
  [[maybe_unused]] const auto removed = base::remove_file(paths_.file);
  if (!file) return file.failure();
  return Failure{FailureKind::unavailable, 0,
                 "a file that this program creates there belongs to another user, because its file "
                 "system or server decides the owner; mount it with this user as the owner (uid=), "
                 "or choose a folder on another file system"};
}

// Some systems give a group access to all files of a volume when they mount it. The content is
// ours, so the mode can be what it was.
void ClaimedFile::repair_modes() const {
  for (const std::string* path :
       {&paths_.file, &paths_.wal, &paths_.shm, &paths_.journal, &paths_.lock}) {
    const auto state = base::inspect(*path);
    if (!state || !state->writable_by_others) continue;
    [[maybe_unused]] const auto repaired = base::make_private(*path);  // enter() sees what it did
  }
}

base::Status ClaimedFile::take_for_reading(OpenFiles& table) {
  const auto file = base::inspect(paths_.file);
  if (!file) return file.failure();
  if (table.is_inherited(*file)) return inherited(paths_.file);
  const auto lock = base::inspect(paths_.lock);
  if (!lock) return lock.failure();
  const bool listed = table.lists(*file);
  // A lock file that an engine of this process holds must not be opened either.
  const bool held_here = table.has_engine(paths_.file, *file, *lock);
  const auto lock_is_ours = held_here ? base::Result<bool>(true) : has_our_lock(paths_);
  if (!lock_is_ours) return lock_is_ours.failure();
  const auto checked = check_file(paths_, *lock_is_ours, listed);
  if (!checked) return checked.failure();
  switch (checked->found) {
    case Found::nothing:
      return Failure{FailureKind::unavailable, 0, "there is no such file"};
    case Found::empty:
      return Failure{FailureKind::unavailable, 0, "the file is empty"};
    case Found::damaged:
      return Failure{FailureKind::corrupt, 0, checked->why};
    case Found::ours:
      break;
  }
  if (!checked->left_behind.empty()) {
    return Failure{FailureKind::unavailable, 0,
                   fmt::format("'{}' belongs to another file that was here before",
                               checked->left_behind.front())};
  }
  return enter(table);
}

// Called before SQLite opens the file for this claim. `RangeLock::open` may close a descriptor of
// the file, which would drop SQLite's locks. Without the lock the file is as safe as on systems
// without such locks.
void ClaimedFile::hold(OpenFiles& table, OpenFile& entry) {
  using Mode = base::RangeLock::Mode;
  const Mode mode = lock_ ? Mode::exclusive : Mode::shared;
  if (auto unused = table.take_unused(entry.file, mode)) {
    entry.uses.push_back(std::move(unused));
    return;
  }
  auto use = base::RangeLock::open(paths_.file, mode);
  if (!use && lock_ && base::is_forbidden(use.failure())) forbidden_ = use.failure();
  if (use && *use) entry.uses.push_back(std::move(*use));
}

// Locks the bytes with one descriptor of the file. Returns false if a lock of another program
// prevents it. Returns true without a lock if the system has none.
bool ClaimedFile::lock_uses(base::RangeLock::Mode mode, std::int64_t first, std::int64_t bytes) {
  using Outcome = base::RangeLock::Outcome;
  bool is_refused = false;
  for (const auto& use : (*entry_)->uses) {
    const Outcome outcome = use->lock(mode, first, bytes);
    if (outcome == Outcome::locked) return true;
    is_refused = is_refused || outcome == Outcome::refused;
  }
  return !is_refused;
}

void ClaimedFile::unlock_uses() noexcept {
  for (const auto& use : (*entry_)->uses) use->unlock();
}

base::Status ClaimedFile::enter(OpenFiles& table) {
  const auto file = base::inspect(paths_.file);
  if (!file) return file.failure();
  file_ = file->identity;
  others_may_write_ = file->writable_by_others;
  OpenFile entry{paths_.file, file_, std::nullopt, {}};
  if (lock_ != nullptr) {
    const auto lock = base::inspect(paths_.lock);
    if (!lock) return lock.failure();
    lock_file_ = lock->identity;
    entry.lock = lock_file_;
  }
  hold(table, entry);
  entry_ = table.add(std::move(entry));
  return {};
}

// The claim continues for the file that is now at the path.
base::Status ClaimedFile::enter_again(OpenFiles& table) {
  const auto file = base::inspect(paths_.file);
  if (!file) return file.failure();
  file_ = file->identity;
  table.replace(*entry_, file_);
  wal_.reset();
  damage_.clear();
  forbidden_.reset();
  hold(table, **entry_);
  return {};
}

base::Status ClaimedFile::quarantine(std::int64_t wall_now, std::string* renamed_to) {
  OpenFiles& table = OpenFiles::of_this_process();
  const OpenFiles::Turn turn(table, path());
  if (has_changed(paths_.file, file_)) {
    return Failure{FailureKind::io, 0, fmt::format("'{}' was replaced meanwhile", paths_.file)};
  }
  auto done = store::quarantine(paths_, wall_now, renamed_to);
  if (done) done = make_new(Found::nothing);
  if (done) done = enter_again(table);
  if (!done && !renamed_to->empty() && store::restore(paths_, *renamed_to)) renamed_to->clear();
  return done;
}

base::Status ClaimedFile::restore(const std::string& renamed_to) {
  OpenFiles& table = OpenFiles::of_this_process();
  const OpenFiles::Turn turn(table, path());
  if (has_changed(paths_.file, file_)) {
    return Failure{FailureKind::io, 0, fmt::format("'{}' was replaced meanwhile", paths_.file)};
  }
  // The log of the new file. The log of the old file was moved, or there was none.
  if (auto removed = base::remove_file(paths_.wal); !removed) return removed;
  if (auto restored = store::restore(paths_, renamed_to); !restored) return restored;
  return enter_again(table);
}

// The lock is taken before the look at the log, because it keeps other programs from deleting it.
// An exclusive cache cannot share the bytes that its own SQLite has locked exclusively.
base::Status ClaimedFile::begin_use(bool exclusive) {
  using Mode = base::RangeLock::Mode;
  is_exclusive_ = exclusive;
  {
    OpenFiles& table = OpenFiles::of_this_process();
    const OpenFiles::Turn turn(table, path());
    bool is_locked = false;
    for (int tries = 0; !is_locked && tries < kMaxLockTries; ++tries) {
      if (tries > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      is_locked = exclusive ? lock_uses(Mode::exclusive, kSqlitePending, 1)
                            : lock_uses(Mode::shared, kSqliteSharedFirst, kSqliteSharedBytes);
    }
    if (!is_locked) {
      return Failure{FailureKind::busy, 0,
                     fmt::format("another program has locked '{}'", paths_.file)};
    }
  }
  const auto log = base::inspect(paths_.wal);
  if (!log) return log.failure();
  if (log->type == FileType::missing) {
    return Failure{FailureKind::unavailable, 0,
                   fmt::format("'{}' was deleted while it was opened", paths_.wal)};
  }
  wal_ = log->identity;
  return {};
}

// A lock without a reader of the log would keep other programs from changing the journal mode. If
// the lock is refused, a program has the file for itself, and does not share its log.
void ClaimedFile::hold_log() {
  const auto log_in_use = [this]() -> std::optional<base::FileIdentity> {
    const auto log = base::inspect(paths_.wal);
    return log && log->bytes > 0 ? std::optional(log->identity) : std::nullopt;
  };
  if (wal_ || !log_in_use()) return;
  OpenFiles& table = OpenFiles::of_this_process();
  const OpenFiles::Turn turn(table, path());
  using Mode = base::RangeLock::Mode;
  if (!lock_uses(Mode::shared, kSqliteSharedFirst, kSqliteSharedBytes)) return;
  wal_ = log_in_use();
  if (!wal_) unlock_uses();
}

// Looks for a log of another program now, before our last connection is closed. A log that appears
// later may be valid, because a shell can create one. An exclusive lock does not keep our last
// connection from deleting the log, so it stays until the claim ends.
void ClaimedFile::end_use() {
  const auto log = base::inspect(paths_.wal);
  const bool may_drop = lock_ != nullptr;  // a claim for reading changes no file
  const bool is_other =
      may_drop && wal_ && log && log->type != FileType::missing && log->identity != *wal_;
  if (is_other && !has_changed(paths_.file, file_)) other_wal_ = log->identity;
  if (is_exclusive_) return;
  OpenFiles& table = OpenFiles::of_this_process();
  const OpenFiles::Turn turn(table, path());
  unlock_uses();
}

void ClaimedFile::drop_other_log() {
  if (!other_wal_) return;
  const auto log = base::inspect(paths_.wal);
  if (log && log->identity == *other_wal_) (void)drop({paths_.wal, paths_.shm});
}

bool ClaimedFile::is_log_in_place() const noexcept try {
  return !wal_ || !has_changed(paths_.wal, *wal_) || root_.has_changed();
} catch (...) {
  return true;  // out of memory: nothing is known
}

base::Status ClaimedFile::check_in_place() const {
  if (auto same = root_.check(paths_.file); !same) return same;
  if (leads_to_files()) return {};
  return Failure{FailureKind::unavailable, 0,
                 fmt::format("'{}' was deleted or replaced while it was open", paths_.file)};
}

bool ClaimedFile::still_in_place() const noexcept try {
  return root_.has_changed() || leads_to_files();
} catch (...) {
  return true;  // out of memory: nothing is known
}

bool ClaimedFile::leads_to_files() const {
  if (has_changed(paths_.file, file_)) return false;
  if (wal_ && has_changed(paths_.wal, *wal_)) return false;
  // If the locked file is gone, the lock would not keep the next process out.
  return lock_ == nullptr || !has_changed(paths_.lock, lock_file_);
}

}  // namespace ashmemo::store
