#include "maintenance/maintenance_pass.hpp"

#include "base/saturate.hpp"
#include "engine/time.hpp"

namespace ashmemo::maintenance {

using base::Status;

namespace {

// Deletions and touches, that nobody waits for: so many transactions of each a second, so that
// reads hardly notice.
constexpr Duration kQuietInterval = std::chrono::milliseconds(100);

// Deleted and replaced files, aged snapshots, the log: looked at this often while there is work.
constexpr Duration kLookInterval = std::chrono::seconds(1);

// On a full disk, before a write is tried again: so many small transactions that delete, at most,
// until so many pages are free.
constexpr int kReliefs = 40;
constexpr std::int64_t kPagesForPortion = 128;

// A flush goes on after so many of them, 0.1 s each: a read of ours may take as long as a large
// file.
constexpr int kMaxTriesForRoom = 100;

bool is_full(const Status& done) {
  return !done.ok() && done.failure().kind == base::FailureKind::full;
}

base::Failure no_store() {
  return {base::FailureKind::unavailable, 0, "there is no cache file at the moment"};
}

base::Failure no_wal_space() {
  return {base::FailureKind::busy, 0,
          "a long read of this program keeps the write-ahead log from starting over"};
}

}  // namespace

MaintenancePass::MaintenancePass(engine::Engine& engine, Events& events)
    : engine_(engine),
      policy_(eviction::make_eviction_policy(engine.options.eviction)),
      transactions_(engine, events),
      supervisor_(engine),
      sweeper_(engine, transactions_),
      committer_(engine, transactions_, policy_.get(), sweeper_),
      evictor_(engine, transactions_, policy_.get()),
      access_writer_(engine, transactions_),
      upkeep_(engine) {}

bool MaintenancePass::is_due(std::int64_t* next, Duration interval, const Budget& budget) const {
  const std::int64_t now = engine_.clock->steady_now();
  if (now < *next && !budget.everything_due) return false;
  *next = base::add_saturated(now, interval.count());
  return true;
}

bool MaintenancePass::run_once(const Budget& budget) {
  if (engine_.options.access == Access::read_only) {
    follow();
    return false;
  }
  const bool looks = is_due(&next_look_, kLookInterval, budget) || engine_.tier_watch.is_asked();
  if (looks) supervisor_.look_at_file();
  const auto store = supervisor_.ensure();
  if (!store || store->writer() == nullptr) return false;
  relax();
  bool more = false;
  Status done = looks ? transactions_.look(*store) : Status{};
  if (looks && done.ok()) engine_.tier_watch.looked();
  if (done.ok()) done = work(*store, budget, &more);
  if (is_full(done)) use_small_transactions(*store);
  store->release_snapshots(0);
  return done.ok() && more;
}

Status MaintenancePass::work(store::Store& store, const Budget& budget, bool* more) {
  if (Status s = commit_pending(store, budget); !s.ok()) return s;
  const auto room = make_wal_space(store);
  if (!room.ok()) return room.failure();
  if (!*room) {
    *more = true;
    return {};
  }
  if (Status s = probe(store); !s.ok()) return s;
  if (Status s = record_some(store, budget, more); !s.ok()) return s;
  if (Status s = move_long_log(store); !s.ok()) return s;
  if (Status s = delete_some(store, budget, more); !s.ok()) return s;
  if (Status s = keep_small(store, budget, more); !s.ok()) return s;
  *more = *more || !engine_.pending.empty();
  return {};
}

/// A store that has refused to write is asked again: by what is pending, or else by a transaction
/// of nothing. Otherwise it would count as refusing until somebody writes. A log that could not be
/// moved comes first: the transaction would find room behind it, and say that all is well.
Status MaintenancePass::probe(store::Store& store) {
  if (!engine_.pending.is_refusing() || !engine_.pending.empty() || unheld_) return {};
  if (Status s = move_long_log(store); !s.ok()) return s;
  return transactions_.run(store, [](store::Writer&, Changes&) -> Status { return {}; });
}

Status MaintenancePass::commit_pending(store::Store& store, const Budget& budget) {
  while (unheld_ || !engine_.pending.empty()) {
    const auto room = find_wal_space(store, WaitsForReads::once);
    if (!room.ok()) return room.failure();
    if (!*room) return {};
    if (Status s = commit_some(store, WaitsForReads::once, budget.until); !s.ok()) return s;
    if (unheld_ || engine_.clock->steady_now() >= budget.until) return {};
  }
  return {};
}

/// Who waits for a commit must not wait for as long as a backup of a large file takes: to callers
/// it is as if the store refused to write.
void MaintenancePass::report_blocked_by_own_read() {
  engine_.pending.set_refusing(true);
  engine_.set_health(HealthState::degraded);
  engine_.notices.notify(
      NoticeKind::busy,
      engine_.path +
          "-wal cannot start over: a read of this program (backup, check, a long "
          "walk) needs it; writes wait in memory until it ends",
      engine_.path);
}

/// What must leave before a group may take longer than until `until`: then the group stays pending.
Status MaintenancePass::commit_some(store::Store& store, WaitsForReads waits, std::int64_t until) {
  if (unheld_) return hold_limits(store, *unheld_, waits);
  const store::Totals before = store.writer()->totals();
  const auto find_wal_space_in_time = [&](bool is_last) -> base::Result<bool> {
    if (!is_last && engine_.clock->steady_now() >= until) return false;
    return find_wal_space(store, waits);
  };
  if (Status s = commit_next(store, find_wal_space_in_time); !s.ok()) return s;
  return hold_limits(store, before, waits);
}

/// On a full disk in smaller groups: first into the log as it is, then into what others leave.
Status MaintenancePass::commit_next(store::Store& store,
                                    const Committer::FindWalSpace& find_wal_space) {
  Status done = committer_.commit_next(store, find_wal_space);
  if (!is_full(done)) return done;
  use_small_transactions(store);
  done = committer_.commit_next(store, find_wal_space);
  if (!is_full(done)) return done;
  transactions_.set_relieving(true);
  const Status relieved = relieve(store);
  transactions_.set_relieving(false);
  return relieved.ok() ? committer_.commit_next(store, find_wal_space) : done;
}

/// From now on little at a time goes into the log, which starts over each time.
void MaintenancePass::use_small_transactions(store::Store& store) {
  disk_is_full_ = true;
  (void)is_due(&next_relaxing_, engine_.options.timing.maintenance_interval, {0, true});
  transactions_.set_portion(kSmallPortion);
  (void)upkeep_.checkpoint(store, false);
}

/// What is due leaves, and then the oldest, a little at a time: as much as finds room in the log,
/// which starts over each time. New entries take the pages that become free; the first few rows
/// that leave may free none, for those that came together stand in another order.
Status MaintenancePass::relieve(store::Store& store) {
  if (Status s = sweeper_.expire_some(store, &expiring_); !s.ok()) return s;
  for (int i = 0; i < kReliefs; ++i) {
    if (Status s = upkeep_.checkpoint(store, false); !s.ok()) return s;
    const auto free = store.writer()->vacuum(0);
    if (!free.ok()) return free.failure();
    const store::Totals totals = store.writer()->totals();
    if (*free >= kPagesForPortion || !evictor_.squeeze(totals)) break;
    if (Status s = evictor_.evict_some(store, committer_.newest_stamp()); !s.ok()) return s;
  }
  return upkeep_.checkpoint(store, false);
}

/// There may be room again: if not, it is taken again.
void MaintenancePass::relax() {
  if (!disk_is_full_) return;
  if (!is_due(&next_relaxing_, engine_.options.timing.maintenance_interval, {})) return;
  disk_is_full_ = false;
  transactions_.set_portion({});
  evictor_.relax();
}

/// Where a long log cannot be moved nothing may be written, or it would grow without end: whoever
/// waits for a commit must know.
base::Result<bool> MaintenancePass::make_wal_space(store::Store& store) {
  auto room = upkeep_.make_wal_space(store);
  if (!room.ok()) transactions_.failed(store, room.failure());
  return room;
}

/// Each try waits for the reads a little. False: there is no room, and nothing may be written.
base::Result<bool> MaintenancePass::find_wal_space(store::Store& store, WaitsForReads waits) {
  const engine::Deadline deadline(*engine_.clock, engine_.options.timing.max_wait.count());
  for (int tries = 1;; ++tries) {
    auto room = make_wal_space(store);
    if (!room.ok() || *room) return room;
    report_blocked_by_own_read();
    if (waits == WaitsForReads::once) return false;
    if (waits == WaitsForReads::max_wait && deadline.is_over()) return false;
    if (waits == WaitsForReads::at_length && tries == kMaxTriesForRoom) return true;
  }
}

Status MaintenancePass::wait_for_wal_space(store::Store& store, WaitsForReads waits) {
  const auto room = find_wal_space(store, waits);
  if (!room.ok()) return room.failure();
  return *room ? Status{} : no_wal_space();
}

/// As much leaves as the group has brought in, however small the rows that leave for a large one.
/// What was above a limit before, because that was lowered, is paced like other deletions; so by
/// the limits that hold now, which a caller or a full disk may have lowered since. Where it fails
/// or has no room, it comes before the next group: else each failure would add to the excess.
Status MaintenancePass::hold_limits(store::Store& store, store::Totals before,
                                    WaitsForReads waits) {
  unheld_ = before;
  const store::Writer& writer = *store.writer();
  const auto is_beyond = [&] {
    return evictor_.excess(writer.totals()).is_beyond(evictor_.excess(before));
  };
  while (evictor_.has_work(writer.totals()) && is_beyond()) {
    if (disk_is_full_) {
      if (Status s = move_long_log(store); !s.ok()) return s;
    }
    const auto room = find_wal_space(store, waits);
    if (!room.ok()) return room.failure();
    if (!*room) return {};
    if (Status s = evict_next(store); !s.ok()) return s;
  }
  unheld_.reset();
  return {};
}

/// On a full disk less at a time, into the log as it is.
Status MaintenancePass::evict_next(store::Store& store) {
  Status done = evictor_.evict_some(store, committer_.newest_stamp());
  if (!is_full(done)) return done;
  use_small_transactions(store);
  return evictor_.evict_some(store, committer_.newest_stamp());
}

Status MaintenancePass::move_long_log(store::Store& store) {
  if (!disk_is_full_ && !upkeep_.wants_checkpoint(store)) return {};
  Status moved = upkeep_.checkpoint(store, false);
  if (!moved.ok()) transactions_.failed(store, moved.failure());
  return moved;
}

Status MaintenancePass::record_some(store::Store& store, const Budget& budget, bool* more) {
  const Duration interval = engine_.options.timing.touch_interval;
  recording_ = recording_ || is_due(&next_touches_, interval, budget);
  if (recording_ && is_due(&next_record_, kQuietInterval, budget)) {
    if (Status s = access_writer_.write_some(store, &recording_); !s.ok()) return s;
    // From the end of the round on: else the first rows of the next would come too soon.
    if (!recording_) (void)is_due(&next_touches_, interval, {0, true});
  }
  *more = recording_;
  return {};
}

Status MaintenancePass::record_all(store::Store& store, WaitsForReads waits) {
  access_writer_.start_over();
  recording_ = true;
  while (recording_) {
    if (Status s = wait_for_wal_space(store, waits); !s.ok()) return s;
    if (Status s = access_writer_.write_some(store, &recording_); !s.ok()) return s;
  }
  return {};
}

Status MaintenancePass::delete_some(store::Store& store, const Budget& budget, bool* more) {
  if (is_due(&next_deletion_, kQuietInterval, budget)) {
    if (Status s = sweeper_.remove_damaged(store); !s.ok()) return s;
    if (Status s = expire(store, budget); !s.ok()) return s;
    if (!expiring_ && sweeper_.has_retired()) {
      if (Status s = sweeper_.remove_retired(store); !s.ok()) return s;
    }
    if (!expiring_ && evictor_.has_work(store.writer()->totals())) {
      if (Status s = evictor_.evict_some(store, committer_.newest_stamp()); !s.ok()) return s;
    }
  }
  *more = *more || !engine_.suspects.empty() || expiring_ || sweeper_.has_retired() ||
          evictor_.has_work(store.writer()->totals());
  return {};
}

Status MaintenancePass::expire(store::Store& store, const Budget& budget) {
  const bool due = is_due(&next_expiry_, engine_.options.timing.maintenance_interval, budget);
  return due || expiring_ ? sweeper_.expire_some(store, &expiring_) : Status{};
}

Status MaintenancePass::keep_small(store::Store& store, const Budget& budget, bool* more) {
  bool vacuuming = false;
  if (Status s = upkeep_.vacuum_some(store, &vacuuming); !s.ok()) return s;
  *more = *more || vacuuming;
  const bool idle = engine_.pending.empty() && !*more;
  if (!idle) return move_long_log(store);
  const auto shrinks = upkeep_.can_shrink(store);
  if (!shrinks.ok()) return shrinks.failure();
  if (*shrinks || budget.everything_due || upkeep_.wants_checkpoint(store)) {
    return upkeep_.checkpoint(store, true);
  }
  return {};
}

Status MaintenancePass::finish_accepted(WaitsForReads waits) {
  supervisor_.look_at_file();
  const auto store = supervisor_.ensure();
  if (!store || store->writer() == nullptr) return no_store();
  if (Status s = transactions_.look(*store); !s.ok()) return s;
  if (Status s = finish_pending(*store, waits); !s.ok()) return s;
  if (Status s = record_all(*store, waits); !s.ok()) return s;
  while (evictor_.has_work(store->writer()->totals())) {
    if (Status s = wait_for_wal_space(*store, waits); !s.ok()) return s;
    if (Status s = evictor_.evict_some(*store, committer_.newest_stamp()); !s.ok()) return s;
  }
  (void)probe(*store);
  return move_long_log(*store);
}

/// What comes in while this runs is not waited for: else a busy cache would never be flushed.
Status MaintenancePass::finish_pending(store::Store& store, WaitsForReads waits) {
  const auto last = engine_.pending.last_number();
  while (unheld_ || engine_.pending.has_until(last)) {
    if (Status s = wait_for_wal_space(store, waits); !s.ok()) return s;
    if (Status s = commit_some(store, waits); !s.ok()) return s;
  }
  return {};
}

Status MaintenancePass::compact() {
  if (Status s = finish_accepted(); !s.ok()) return s;
  const auto store = engine_.store.get();
  if (!store || store->writer() == nullptr) return no_store();
  const auto find_wal_space = [&] { return wait_for_wal_space(*store, WaitsForReads::at_length); };
  for (bool more = true; more;) {
    if (Status s = find_wal_space(); !s.ok()) return s;
    if (Status s = sweeper_.expire_some(*store, &more); !s.ok()) return s;
  }
  if (Status s = sweeper_.remove_damaged(*store); !s.ok()) return s;
  while (sweeper_.has_retired()) {
    if (Status s = find_wal_space(); !s.ok()) return s;
    if (Status s = sweeper_.remove_retired(*store); !s.ok()) return s;
  }
  if (Status s = upkeep_.vacuum_all(*store, find_wal_space); !s.ok()) return s;
  (void)probe(*store);
  return upkeep_.checkpoint(*store, true);
}

}  // namespace ashmemo::maintenance
