#include "maintenance/upkeep.hpp"

#include <algorithm>

#include "base/saturate.hpp"
#include "engine/time.hpp"

namespace ashmemo::maintenance {

using base::Status;

namespace {

// A checkpoint writes each changed page once, however often the WAL contains it. So a longer WAL
// saves writes, but it takes disk space, and reads search it for each page.
constexpr std::int64_t kCheckpointBytes = 4 * MiB;

// While reads of this process prevent the WAL from starting over, it may grow up to this length.
// While a read of another program does, up to Limits::max_wal_bytes, because that read may be much
// longer.
constexpr std::int64_t kMaxWalBytes = engine::kMinMaxWalBytes;

// For WaitsForReads::max_wait.
constexpr std::int64_t kWaitInterval = 1'000'000;

// For WaitsForReads::at_length. One attempt takes 0.1 seconds.
constexpr int kMaxAttempts = 100;

// This share of the file may consist of free pages, because new entries will need them soon.
constexpr std::int64_t kKeptShare = 16;
constexpr std::int64_t kPageBytes = 4096;
constexpr int kPagesAtOnce = 256;

}  // namespace

/// `busy` is no failure here, because the next pass tries again. A corrupt store is marked, so that
/// the next pass opens the file again.
Status Upkeep::tolerate_busy(const store::Store& store, const base::Failure& failure) const {
  if (failure.kind == base::FailureKind::busy) return {};
  if (failure.kind == base::FailureKind::corrupt) {
    engine_.store.mark_corrupt(store, failure.what, engine::Damage::suspected);
  }
  return failure;
}

bool Upkeep::wants_checkpoint(store::Store& store) const {
  // This is not the size of the WAL file, which does not shrink when the WAL starts over.
  return store.writer()->wal_bytes() >= kCheckpointBytes;
}

Status Upkeep::checkpoint(store::Store& store, bool truncate) {
  // Pages of a deleted log would be mixed with those of a log that has replaced it.
  if (!store.is_log_in_place()) {
    return base::Failure{base::FailureKind::unavailable, 0, "the write-ahead log was deleted"};
  }
  const auto done = store.writer()->checkpoint(truncate);
  own_reader_ = done.ok() && done->own_reader;
  if (!done.ok()) return tolerate_busy(store, done.failure());
  // A reader of this process hides readers in other programs. So the state of those is unknown.
  if (done->own_reader) return {};
  foreign_reader_ = done->foreign_reader;
  if (done->foreign_reader) {
    engine_.notices.notify(NoticeKind::foreign_reader,
                           engine_.path +
                               "-wal cannot start over: another program has been reading "
                               "the file since before the last commits",
                           engine_.path);
  } else {
    engine_.notices.notify_end(NoticeKind::foreign_reader, NoticeKind::recovered,
                               engine_.path + "-wal starts over again", engine_.path);
  }
  return {};
}

Status Upkeep::checkpoint_if_long(store::Store& store) {
  if (!disk_full_.is_active() && !wants_checkpoint(store)) return {};
  Status done = checkpoint(store, false);
  if (!done.ok()) transactions_.failed(store, done.failure());
  return done;
}

base::Result<bool> Upkeep::make_wal_space(store::Store& store) {
  if (!wants_checkpoint(store)) return true;
  if (Status done = checkpoint(store, false); !done.ok()) {
    // Nothing may be written, or the WAL would grow without bound. Callers that wait must know.
    transactions_.failed(store, done.failure());
    return done.failure();
  }
  return !is_wal_full(store);
}

bool Upkeep::is_wal_full(store::Store& store) const {
  const std::int64_t bytes = store.writer()->wal_bytes();
  if (own_reader_) return bytes >= kMaxWalBytes;
  return foreign_reader_ && bytes >= engine_.limits.get().max_wal_bytes;
}

/// The store now counts as refusing to write. Otherwise callers would wait for the end of a read,
/// which can take long, for example a backup of a large file.
void Upkeep::report_blocked() {
  engine_.pending.set_refusing(true);
  engine_.set_health(HealthState::degraded);
  engine_.notices.notify(
      NoticeKind::busy,
      engine_.path +
          (is_blocked_by_foreign_reader()
               ? "-wal has reached its limit (Limits::max_wal_bytes), because another program has "
                 "been reading the file for a long time; writes wait in memory until it ends its "
                 "read transaction, or are dropped when the queue is full"
               : "-wal cannot start over: a read of this program (backup, check, a long walk) "
                 "needs it; writes wait in memory until it ends"),
      engine_.path);
}

/// Whether a caller waited for a read less than a second ago, and the store has not written since.
bool Upkeep::has_waited_in_vain(store::Store& store) const {
  return engine_.pending.is_refusing() && wants_checkpoint(store) &&
         engine_.clock->steady_now() < next_wait_;
}

base::Result<bool> Upkeep::find_wal_space(store::Store& store, WaitsForReads waits) {
  if (waits == WaitsForReads::max_wait && has_waited_in_vain(store)) return false;
  const engine::Deadline deadline(*engine_.clock, engine_.options.timing.max_wait.count());
  for (int attempts = 1;; ++attempts) {
    auto space = make_wal_space(store);
    if (!space.ok() || *space) return space;
    report_blocked();
    if (waits == WaitsForReads::once || is_blocked_by_foreign_reader()) return false;
    if (waits == WaitsForReads::max_wait && deadline.is_over()) {
      next_wait_ = base::add_saturated(engine_.clock->steady_now(), kWaitInterval);
      return false;
    }
    // The next cache may only meet a long log, but what a closing cache does not write is lost.
    if (waits == WaitsForReads::at_length && attempts == kMaxAttempts) return engine_.closed.load();
  }
}

Status Upkeep::require_wal_space(store::Store& store, WaitsForReads waits) {
  const auto space = find_wal_space(store, waits);
  if (!space.ok()) return space.failure();
  if (*space) return {};
  return base::Failure{
      base::FailureKind::busy, 0,
      is_blocked_by_foreign_reader()
          ? "the write-ahead log has reached Limits::max_wal_bytes, because another program has "
            "been reading the file for a long time: end its read transaction"
          : "a long read of this program keeps the write-ahead log from starting over"};
}

Status Upkeep::vacuum_some(store::Store& store, bool* more) {
  *more = false;
  const auto free = store.writer()->vacuum(0);
  if (!free.ok()) return tolerate_busy(store, free.failure());
  const auto bytes = store.writer()->bytes_when_moved();
  if (!bytes.ok()) return tolerate_busy(store, bytes.failure());
  const std::int64_t kept = *bytes / kPageBytes / kKeptShare;
  if (*free <= std::max<std::int64_t>(kept, kPagesAtOnce)) return {};
  const std::int64_t surplus = std::min<std::int64_t>(*free - kept, kPagesAtOnce);
  const auto left = store.writer()->vacuum(static_cast<int>(surplus));
  if (!left.ok()) return tolerate_busy(store, left.failure());
  *more = *left > kept && *left < *free;  // if no page could be given back, another try is useless
  return {};
}

Status Upkeep::vacuum_all(store::Store& store) {
  std::int64_t before = base::kForever;
  while (true) {
    if (Status s = require_wal_space(store, WaitsForReads::at_length); !s.ok()) return s;
    const auto left = store.writer()->vacuum(kPagesAtOnce);
    if (!left.ok()) return left.failure();
    if (*left == 0 || *left >= before) return {};
    before = *left;
  }
}

base::Result<bool> Upkeep::can_shrink(store::Store& store) const {
  const auto bytes = store.writer()->bytes_when_moved();
  if (!bytes.ok()) return bytes.failure();
  return *bytes < store.sizes().file_bytes;
}

}  // namespace ashmemo::maintenance
