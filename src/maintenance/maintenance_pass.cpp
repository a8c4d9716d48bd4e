#include "maintenance/maintenance_pass.hpp"

#include <utility>

#include "base/saturate.hpp"

namespace ashmemo::maintenance {

using base::Status;

namespace {

// Background deletions and touches: ten transactions of each a second, so that reads hardly notice.
// Many retired calculations are deleted faster.
constexpr Duration kQuietInterval = std::chrono::milliseconds(100);

// While there is work, a pass checks once a second whether the file was deleted, replaced or
// changed by another program.
constexpr Duration kLookInterval = std::chrono::seconds(1);

// While evictions fail, commits may add this share of a limit. The promise about the disk allows
// it.
constexpr std::int64_t kGrowthShare = 8;
// A file counts as damaged when writes have waited for this time and this number of attempts,
// because the device cannot read the file. Microseconds.
constexpr std::int64_t kMaxTimeUnwritten = 30'000'000;
constexpr int kMinTriesUnwritten = 9;

bool is_disk_full(const Status& done) {
  return !done.ok() && done.failure().kind == base::FailureKind::full;
}

base::Failure not_writable(const store::Store* store) {
  return {base::FailureKind::unavailable, 0,
          store == nullptr ? "there is no cache file at the moment"
                           : "the cache file can only be read at the moment"};
}

}  // namespace

MaintenancePass::MaintenancePass(engine::Engine& engine, Events& events)
    : engine_(engine),
      policy_(eviction::make_eviction_policy(engine.options.eviction)),
      disk_full_(engine),
      transactions_(engine, events, disk_full_),
      supervisor_(engine),
      upkeep_(engine, transactions_, disk_full_),
      sweeper_(engine, transactions_),
      committer_(engine, transactions_, upkeep_, sweeper_, policy_.get()),
      evictor_(engine, transactions_, disk_full_, policy_.get()),
      access_writer_(engine, transactions_) {}

/// Whether the time `*next` is reached; then sets it to one interval from now.
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
  bool more = false;
  const Status done =
      on_store([&](store::Store& store) { return look_and_work(store, looks, budget, &more); });
  return done.ok() && more;
}

Status MaintenancePass::on_store(const std::function<Status(store::Store&)>& work) {
  constexpr int kMaxTries = 3;
  for (int tries = 1;; ++tries) {
    const auto store = supervisor_.ensure();
    if (!store || store->writer() == nullptr) return not_writable(store.get());
    Status done = work(*store);
    watch_device(store, done);
    if (done.ok()) return done;
    const auto corruption = engine_.store.corruption();
    const bool is_suspected = corruption && corruption->damage == engine::Damage::suspected;
    if (is_suspected && tries == 1) continue;  // on new connections
    if (store->is_log_in_place()) return done;
    supervisor_.look_at_file();
    if (tries < kMaxTries) continue;
    supervisor_.postpone(done.failure());
    return done;
  }
}

/// A bad sector can make every commit fail, because a group that failed is tried again before the
/// others. A commit that succeeds ends the watch.
void MaintenancePass::watch_device(const std::shared_ptr<store::Store>& store, const Status& done) {
  if (engine_.pending.empty()) return unwritten_.reset();
  if (done.ok() || !store::is_unreadable(done.failure())) return;
  const std::int64_t now = engine_.clock->steady_now();
  if (!unwritten_ || unwritten_->store.lock() != store) unwritten_ = Unwritten{store, now, 0};
  ++unwritten_->tries;
  if (now - unwritten_->since < kMaxTimeUnwritten) return;
  if (unwritten_->tries < kMinTriesUnwritten) return;
  engine_.store.mark_corrupt(*store, "its writes cannot be stored: " + done.failure().what);
  unwritten_.reset();
}

Status MaintenancePass::look_and_work(store::Store& store, bool looks, const Budget& budget,
                                      bool* more) {
  disk_full_.end_if_due();
  Status done = looks ? transactions_.look(store) : Status{};
  if (looks && done.ok()) engine_.tier_watch.looked();
  if (done.ok()) done = work(store, budget, more);
  if (is_disk_full(done)) begin_disk_full_mode(store);
  store.release_snapshots(0);
  return done;
}

Status MaintenancePass::work(store::Store& store, const Budget& budget, bool* more) {
  if (Status s = commit_pending(store, budget); !s.ok()) return s;
  const auto has_space = upkeep_.make_wal_space(store);
  if (!has_space.ok()) return has_space.failure();
  if (!*has_space) {
    *more = true;
    return {};
  }
  if (Status s = probe(store); !s.ok()) return s;
  if (Status s = write_some_accesses(store, budget, more); !s.ok()) return s;
  if (Status s = upkeep_.checkpoint_if_long(store); !s.ok()) return s;
  if (upkeep_.is_wal_full(store)) {
    *more = true;
    return {};
  }
  if (Status s = delete_some(store, budget, more); !s.ok()) return s;
  if (Status s = keep_small(store, budget, more); !s.ok()) return s;
  *more = *more || !engine_.pending.empty();
  return {};
}

/// Ends the refusing state if the store accepts writes again and nothing is pending, and the
/// trouble of evictions and deletions that are not needed any more: commits an empty transaction. A
/// long write-ahead log must be copied first, because an empty transaction also succeeds when that
/// is impossible.
Status MaintenancePass::probe(store::Store& store) {
  if (!engine_.pending.empty() || before_group_) return {};
  const bool needs_no_eviction = unevicted_since_ && !evictor_.has_work(store.writer()->totals());
  const bool needs_no_deletion = retired_.fail && !sweeper_.has_retired();
  if (needs_no_deletion) retired_ = {};
  if (needs_no_eviction) set_unevicted(std::nullopt);
  report_deleting_fails();
  if (!engine_.pending.is_refusing() && !needs_no_eviction && !needs_no_deletion) return {};
  if (Status s = upkeep_.checkpoint_if_long(store); !s.ok()) return s;
  return transactions_.run(store, [](store::Writer&, Changes&) -> Status { return {}; });
}

// ---- pending writes

Status MaintenancePass::commit_pending(store::Store& store, const Budget& budget) {
  const CommitTime time{WaitsForReads::once, budget.until};
  while (before_group_ || !engine_.pending.empty()) {
    const auto has_space = upkeep_.find_wal_space(store, time.waits);
    if (!has_space.ok()) return has_space.failure();
    if (!*has_space) return {};
    if (Status s = commit_some(store, time); !s.ok()) return s;
    if (before_group_ || engine_.clock->steady_now() >= budget.until) return {};
  }
  return {};
}

/// Does not wait for items that are queued while it runs. Otherwise a flush of a busy cache would
/// not return.
Status MaintenancePass::finish_pending(store::Store& store, WaitsForReads waits) {
  const auto last = engine_.pending.last_number();
  while (before_group_ || engine_.pending.has_until(last)) {
    if (Status s = upkeep_.require_wal_space(store, waits); !s.ok()) return s;
    if (Status s = commit_some(store, {waits, base::kForever}); !s.ok()) return s;
  }
  return {};
}

/// Commits a group and evicts as much as it added. If the evictions after the last group are not
/// finished, it only continues these.
Status MaintenancePass::commit_some(store::Store& store, const CommitTime& time) {
  if (before_group_) return hold_limits(store, *before_group_, time.waits);
  if (disk_full_.is_active()) {
    if (Status s = upkeep_.checkpoint_if_long(store); !s.ok()) return s;
  }
  const store::Totals before = store.writer()->totals();
  if (Status s = commit_next(store, time); !s.ok()) return s;
  unwritten_.reset();
  return hold_limits(store, before, time.waits);
}

/// On a full disk tries a smaller group, and then again after freeing space. If even then a large
/// entry finds no space, it is dropped.
Status MaintenancePass::commit_next(store::Store& store, const CommitTime& time) {
  Status done = committer_.commit_next(store, time);
  if (!is_disk_full(done)) return done;
  begin_disk_full_mode(store);
  done = committer_.commit_next(store, time);
  if (!is_disk_full(done)) return done;
  if (!free_disk_space(store).ok()) return done;
  return committer_.commit_next(store, {time.waits, time.until, true});
}

/// Evicts at least as many bytes as the group added, even if the evicted rows are small. Excess
/// that existed before the group, for example after `set_limits`, is removed later at the
/// background rate. The limits may fall meanwhile, so the excess before the group is computed again
/// each time. If an eviction fails or finds no space, it continues before the next group. Otherwise
/// each failure would add to the excess.
Status MaintenancePass::hold_limits(store::Store& store, store::Totals before,
                                    WaitsForReads waits) {
  before_group_ = before;
  const store::Writer& writer = *store.writer();
  const auto is_beyond = [&] {
    return evictor_.excess(writer.totals()).is_beyond(evictor_.excess(before));
  };
  while (evictor_.has_work(writer.totals()) && is_beyond()) {
    if (disk_full_.is_active()) {
      if (Status s = upkeep_.checkpoint_if_long(store); !s.ok()) return s;
    }
    const auto has_space = upkeep_.find_wal_space(store, waits);
    if (!has_space.ok()) return has_space.failure();
    if (!*has_space) return {};
    Status done = evict_some(store);
    if (is_disk_full(done)) {
      begin_disk_full_mode(store);
      done = evict_some(store);
    }
    if (!done.ok()) {
      if (!may_grow(store, done.failure())) return done;
      break;
    }
  }
  before_group_.reset();
  return {};
}

Status MaintenancePass::evict_some(store::Store& store) {
  const store::Totals since = unevicted_since_.value_or(store.writer()->totals());
  set_unevicted(std::nullopt);  // the commit of this eviction ends the trouble
  Status done = evictor_.evict_some(store, committer_.written());
  if (!done.ok() && store::is_unreadable(done.failure())) set_unevicted(since);
  return done;
}

void MaintenancePass::set_unevicted(const std::optional<store::Totals>& since) {
  unevicted_since_ = since;
  report_deleting_fails();
}

void MaintenancePass::report_deleting_fails() noexcept {
  transactions_.set_deleting_fails(unevicted_since_ || due_.fail || retired_.fail);
}

/// A bad sector can make every eviction fail. Then commits go on, until they have added an eighth
/// of a limit. A file that cannot be kept within its limits counts as damaged.
bool MaintenancePass::may_grow(store::Store& store, const base::Failure& failure) {
  if (!unevicted_since_) return false;
  const store::Totals now = store.writer()->totals();
  const engine::ResolvedLimits limits = engine_.limits.get();
  if (now.entries - unevicted_since_->entries <= limits.max_entries / kGrowthShare &&
      now.bytes - unevicted_since_->bytes <= limits.max_bytes / kGrowthShare) {
    return true;
  }
  engine_.store.mark_corrupt(store, "its entries cannot be evicted: " + failure.what);
  set_unevicted(std::nullopt);
  return false;
}

// ---- a full disk: see DiskFullMode

void MaintenancePass::begin_disk_full_mode(store::Store& store) {
  disk_full_.begin();
  (void)upkeep_.checkpoint(store, false);
}

/// Deletes expired entries, and then evicts in small transactions, until there are enough free
/// pages for the next group. With Eviction::none it deletes entries from the future instead of
/// evicting. The first evicted rows may free no page, because rows that were written together do
/// not share pages.
Status MaintenancePass::free_disk_space(store::Store& store) {
  const DiskFullMode::FreeingSpace freeing(disk_full_);
  if (Status s = sweeper_.expire_some(store, &more_is_expired_); !s.ok()) return s;
  bool more_is_future = policy_ == nullptr;
  for (int step = 0; step < DiskFullMode::kMaxSteps; ++step) {
    if (Status s = upkeep_.checkpoint(store, false); !s.ok()) return s;
    const auto free_pages = store.writer()->vacuum(0);
    if (!free_pages.ok()) return free_pages.failure();
    if (*free_pages >= DiskFullMode::kEnoughPages) break;
    if (more_is_future && !more_is_expired_) {
      if (Status s = sweeper_.expire_future(store, &more_is_future); !s.ok()) return s;
      continue;
    }
    const store::Totals totals = store.writer()->totals();
    if (!evictor_.has_work(totals)) disk_full_.lower_limit(totals.bytes);
    if (!evictor_.has_work(totals)) break;
    if (Status s = evict_some(store); !s.ok()) return s;
  }
  return upkeep_.checkpoint(store, false);
}

// ---- background work

Status MaintenancePass::write_some_accesses(store::Store& store, const Budget& budget, bool* more) {
  const Duration interval = engine_.options.timing.touch_interval;
  is_writing_accesses_ = is_writing_accesses_ || is_due(&next_round_of_accesses_, interval, budget);
  if (is_writing_accesses_ && is_due(&next_accesses_, kQuietInterval, budget)) {
    if (Status s = access_writer_.write_some(store, &is_writing_accesses_); !s.ok()) return s;
    // The interval begins at the end of a round. Otherwise the first rows of the next round would
    // be written too soon.
    if (!is_writing_accesses_) (void)is_due(&next_round_of_accesses_, interval, {0, true});
  }
  *more = is_writing_accesses_;
  return {};
}

Status MaintenancePass::write_all_accesses(store::Store& store, WaitsForReads waits) {
  access_writer_.start_over();
  is_writing_accesses_ = true;
  while (is_writing_accesses_) {
    if (Status s = upkeep_.require_wal_space(store, waits); !s.ok()) return s;
    if (Status s = access_writer_.write_some(store, &is_writing_accesses_); !s.ok()) return s;
  }
  return {};
}

Status MaintenancePass::delete_some(store::Store& store, const Budget& budget, bool* more) {
  if (is_due(&next_deletion_, kQuietInterval, budget)) {
    if (Status s = sweeper_.delete_damaged(store); !s.ok()) return s;
    if (Status s = expire(store, budget); !s.ok()) return s;
    if (!more_is_expired_ && sweeper_.has_retired()) {
      if (Status s = delete_retired(store); !s.ok()) return s;
    }
    if (!more_is_expired_ && evictor_.has_work(store.writer()->totals())) {
      if (Status s = evict_some(store); !s.ok()) return s;
    }
  }
  if (Status s = delete_many_retired(store, budget); !s.ok()) return s;
  *more = *more || more_is_expired_ || !engine_.suspects.empty() ||
          (sweeper_.has_retired() && !retired_.fail) || evictor_.has_work(store.writer()->totals());
  return {};
}

Status MaintenancePass::expire(store::Store& store, const Budget& budget) {
  const bool due = is_due(&next_expiry_, engine_.options.timing.maintenance_interval, budget);
  if (!due && !more_is_expired_ && !due_.fail) return {};
  return try_to_delete(due_, [&] { return sweeper_.expire_some(store, &more_is_expired_); });
}

Status MaintenancePass::delete_retired(store::Store& store) {
  return try_to_delete(retired_, [&] { return sweeper_.delete_retired(store); });
}

/// Without the pauses of other deletions, because the retired rows have a bound. Callers may add
/// them faster than a walk through a large file with pauses ends.
Status MaintenancePass::delete_many_retired(store::Store& store, const Budget& budget) {
  while (sweeper_.has_many_retired() && !disk_full_.is_active() &&
         engine_.clock->steady_now() < budget.until) {
    const auto has_space = upkeep_.make_wal_space(store);
    if (!has_space.ok()) return has_space.failure();
    if (!*has_space) return {};
    if (Status s = delete_retired(store); !s.ok() || retired_.fail) return s;
  }
  return {};
}

/// If the device cannot read a row that must be deleted, the other work goes on and the next tries
/// are rare. The trouble lasts until a try succeeds. Otherwise each commit would report its end,
/// and each try its begin.
Status MaintenancePass::try_to_delete(Deletions& deletions, const std::function<Status()>& step) {
  const std::int64_t now = engine_.clock->steady_now();
  if (!deletions.next_try.is_over(now)) return {};
  const bool failed_before = std::exchange(deletions.fail, false);
  report_deleting_fails();  // the commit of this step ends the trouble
  Status done = step();
  const bool is_unreadable = !done.ok() && store::is_unreadable(done.failure());
  deletions.fail = !done.ok() && (failed_before || is_unreadable);
  report_deleting_fails();
  if (done.ok()) deletions.next_try = {};
  if (!is_unreadable) return done;
  deletions.next_try.failed(now, now);
  return {};
}

Status MaintenancePass::keep_small(store::Store& store, const Budget& budget, bool* more) {
  bool vacuuming = false;
  if (Status s = upkeep_.vacuum_some(store, &vacuuming); !s.ok()) return s;
  *more = *more || vacuuming;
  const bool idle = engine_.pending.empty() && !*more;
  if (!idle) return upkeep_.checkpoint_if_long(store);
  const auto shrinks = upkeep_.can_shrink(store);
  if (!shrinks.ok()) return shrinks.failure();
  if (*shrinks || budget.everything_due || upkeep_.wants_checkpoint(store)) {
    return upkeep_.checkpoint(store, true);
  }
  return {};
}

// ---- work that a caller waits for

Status MaintenancePass::finish_accepted(WaitsForReads waits) {
  supervisor_.look_at_file();
  return on_store([&](store::Store& store) { return finish_on(store, waits); });
}

Status MaintenancePass::finish_on(store::Store& store, WaitsForReads waits) {
  if (Status s = transactions_.look(store); !s.ok()) return s;
  if (Status s = finish_pending(store, waits); !s.ok()) return s;
  if (Status s = write_all_accesses(store, waits); !s.ok()) return s;
  while (evictor_.has_work(store.writer()->totals())) {
    if (Status s = upkeep_.require_wal_space(store, waits); !s.ok()) return s;
    if (Status s = evict_some(store); !s.ok()) return s;
  }
  (void)probe(store);
  return upkeep_.checkpoint_if_long(store);
}

Status MaintenancePass::compact() {
  if (Status s = finish_accepted(); !s.ok()) return s;
  return on_store([&](store::Store& store) { return compact_on(store); });
}

Status MaintenancePass::compact_on(store::Store& store) {
  for (bool more = true; more;) {
    if (Status s = upkeep_.require_wal_space(store, WaitsForReads::at_length); !s.ok()) return s;
    if (Status s = sweeper_.expire_some(store, &more); !s.ok()) return s;
  }
  if (Status s = upkeep_.require_wal_space(store, WaitsForReads::at_length); !s.ok()) return s;
  if (Status s = sweeper_.delete_damaged(store); !s.ok()) return s;
  while (sweeper_.has_retired()) {
    if (Status s = upkeep_.require_wal_space(store, WaitsForReads::at_length); !s.ok()) return s;
    if (Status s = sweeper_.delete_retired(store); !s.ok()) return s;
  }
  if (Status s = upkeep_.vacuum_all(store); !s.ok()) return s;
  (void)probe(store);
  return upkeep_.checkpoint(store, true);
}

}  // namespace ashmemo::maintenance
