#include "engine/submit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <ashmemo/error.hpp>

#include "base/test_point.hpp"
#include "engine/reading.hpp"
#include "engine/time.hpp"
#include "store/byte_size.hpp"

namespace ashmemo::engine {

namespace {

WritePtr make_write(const NewEntry& entry, std::int64_t byte_size, std::int64_t now) {
  const store::EntryView row{.rowid = 0,
                             .deadlines = deadlines_from(now, entry.lifetimes),
                             .calculation_id = entry.calculation_id,
                             .record_version = entry.record_version,
                             .cost_us = entry.cost_us,
                             .value = *entry.value};
  return Write::put(entry.key, row, byte_size, entry.is_touched);
}

/// Queues the writes of one call. If the queue is full, it waits at most `max_wait` for each write.
/// After the first write that found no space in that time, it never waits again.
class Offering {
 public:
  explicit Offering(Engine& engine)
      : engine_(engine),
        max_wait_(engine.options.timing.max_wait.count()),
        waited_(engine.options.durability == Durability::relaxed ? Waited::no : Waited::yes) {}

  /// Not accepted if the queue is full or the value is superseded.
  Offered offer(const NewEntry& entry, const WritePtr& write) {
    Offered offered = offer_once(entry, write);
    has_waited_ = false;
    if (offered.accepted || offered.superseded || gave_up_ || engine_.pending.is_stuck()) {
      return offered;
    }
    const Deadline deadline(*engine_.clock, max_wait_);
    has_waited_ = true;
    while (wait_for_space(deadline)) {
      offered = offer_once(entry, write);
      if (offered.accepted || offered.superseded) return offered;
    }
    give_up();
    return offered;
  }

  /// Whether the last offer had to wait for space.
  [[nodiscard]] bool has_waited() const noexcept { return has_waited_; }

 private:
  Offered offer_once(const NewEntry& entry, const WritePtr& write) {
    const memory::TierChange change(engine_.tier.get(), entry.key);
    ASHMEMO_TEST_POINT("change: begun");
    Offered offered = engine_.pending.offer(write, waited_, entry.flight);
    ASHMEMO_TEST_POINT("change: queued");
    return offered;
  }

  bool wait_for_space(const Deadline& deadline) {
    if (engine_.closed || engine_.worker->is_in_hook()) return false;
    const std::size_t before = engine_.pending.bytes();
    const WriteQueue::Waiting waiting(engine_.pending);
    const bool has_run = engine_.worker->run_pending_now();
    if (engine_.process.is_forked_child()) return false;  // a hook in it has forked
    // If this thread just ran maintenance and that freed nothing, waiting cannot help.
    if (has_run) return before == 0 || engine_.pending.bytes() < before;
    ASHMEMO_TEST_POINT("deadline: looks");
    if (deadline.is_over()) return false;
    engine_.worker->wake();
    engine_.pending.wait_a_little(max_wait_);
    return true;
  }

  void give_up() {
    gave_up_ = true;
    if (engine_.worker->is_in_hook()) return;  // it did not wait
    const bool has_thread =
        engine_.options.hooks.worker == WorkerMode::thread && !engine_.lacks_thread;
    engine_.pending.set_stuck(has_thread ? base::kForever : kCallersRetry);
  }

  // Microseconds. If no thread tries the store again, a caller does after this time.
  static constexpr std::int64_t kCallersRetry = 1'000'000;

  Engine& engine_;
  const std::int64_t max_wait_;
  const Waited waited_;
  bool has_waited_ = false;
  bool gave_up_ = false;
};

void report_dropped(Engine& engine, std::string_view key) {
  engine.counters.dropped.add();
  engine.notices.notify(
      NoticeKind::writes_dropped,
      fmt::format("{}: the value of {} was not stored: the queue of {} bytes was full for {} ms; "
                  "until a write has left the queue, no caller waits for space (Cache::health has "
                  "the reason; for bursts raise Options::queue_bytes)",
                  engine.path, key, engine.options.queue_bytes,
                  engine.options.timing.max_wait.count() / 1000),
      std::string(key));
}

/// Whether the entry is within the limit for one entry and, alone, within the limit for all.
bool admit(Engine& engine, std::string_view key, std::int64_t byte_size) {
  const ResolvedLimits limits = engine.limits.get();
  const std::int64_t max = std::min(limits.max_entry_bytes, limits.max_bytes);
  if (byte_size <= max && limits.max_entries != 0) return true;
  engine.counters.refused.add();
  engine.notices.notify(
      NoticeKind::refused,
      fmt::format("{}: {} was not stored: it needs {} bytes, and the limit is {} for one entry "
                  "(Limits::max_entry_bytes) and {} for all (Limits::max_bytes)",
                  engine.path, key, byte_size, limits.max_entry_bytes, limits.max_bytes),
      std::string(key));
  return false;
}

/// The write that is queued for an entry: its value or, if that is refused, the removal of the
/// value that it would have replaced.
WritePtr write_for(Engine& engine, const NewEntry& entry, std::int64_t now) {
  if (entry.value) {
    const std::int64_t byte_size = store::byte_size(entry.key, *entry.value, entry.record_version,
                                                    entry.lifetimes.serve != base::kForever);
    if (admit(engine, entry.key, byte_size)) return make_write(entry, byte_size, now);
  }
  return Write::removal(entry.key, RemovalCause::replaced);
}

std::int64_t count_values(std::span<const NewEntry> entries) {
  return std::count_if(entries.begin(), entries.end(),
                       [](const NewEntry& entry) { return entry.value.has_value(); });
}

bool can_write(const Engine& engine) {
  return !engine.is_out_of_use() && engine.options.access == Access::read_write &&
         engine.store.has_writer();
}

/// Whether the calculation of the result was invalidated or got a new version since the run began.
/// Such a result would never answer, and it must not replace the result of a newer run.
bool is_outdated(const Engine& engine, const NewEntry& entry) {
  return !engine.catalog.is_current(entry.calculation_id);
}

/// The memory tier keeps a value that cannot go into the queue until it needs the space or a store
/// can be written. If one can, the entry must have a flight, because only that shows whether a
/// newer value of the key was committed meanwhile.
void keep_in_memory(Engine& engine, const NewEntry& entry) {
  engine.in_flight.stored(entry.key, entry.flight);
  { const memory::TierChange change(engine.tier.get(), entry.key); }
  memory::MemoryTier::Look look;
  memory::TierCopy copy;
  store::EntryView row;
  (void)engine.tier->find(entry.key, look, copy, row);
  ASHMEMO_TEST_POINT("memory alone: looked");
  // A change from here on invalidates `look`, so that the copy is not stored.
  if (entry.flight != nullptr && entry.flight->superseded) return;
  if (entry.flight == nullptr && engine.store.has_writer()) return;
  if (engine.pending.find(entry.key).kind == Pending::Kind::put) return;
  row = {.rowid = 0,
         .deadlines = deadlines_from(engine.clock->wall_now(), entry.lifetimes),
         .calculation_id = entry.calculation_id,
         .record_version = entry.record_version,
         .cost_us = entry.cost_us,
         .value = *entry.value};
  engine.tier->fill(entry.key, look, row);
}

/// Counts the entries as dropped, because they cannot go into the file. The memory tier may keep
/// their values.
std::size_t put_nowhere(Engine& engine, std::span<const NewEntry> entries) {
  const bool is_for_now =
      !engine.is_out_of_use() && engine.options.access == Access::read_write && engine.tier;
  for (std::size_t i = 0; is_for_now && i < entries.size(); ++i) {
    const NewEntry& entry = entries[i];
    if (entry.value && !is_outdated(engine, entry)) keep_in_memory(engine, entry);
  }
  engine.counters.dropped.add(count_values(entries));
  return 0;
}

/// Waits for the items of one call. Returns true if the item is done; never waits in a hook.
class Awaiting {
 public:
  explicit Awaiting(Engine& engine)
      : engine_(engine), max_wait_(engine.options.timing.max_wait.count()) {}

  template <class ItemPtr>
  bool operator()(const ItemPtr& item) {
    if (engine_.worker->is_in_hook()) return false;
    const WriteQueue::Waiting waiting(engine_.pending);
    const std::int64_t at_most = gave_up_ ? 0 : max_wait_;
    const bool done = engine_.pending.wait(item, at_most, [this] { return push(); });
    gave_up_ = gave_up_ || !done;
    return done;
  }

 private:
  /// Returns false if a hook has forked, and this is the child.
  bool push() {
    // One call waits `max_wait` in all, not for each of its items.
    if (gave_up_ && engine_.pending.is_refusing()) return true;
    if (!engine_.worker->run_pending_now()) engine_.worker->wake();
    return !engine_.process.is_forked_child();
  }

  Engine& engine_;
  const std::int64_t max_wait_;
  bool gave_up_ = false;
};

/// A write that the queue accepted.
struct Taken {
  SlotPtr slot;        // null: the call does not wait
  bool is_put = true;  // false: it removes the older value of a refused one
};

std::size_t count_kept(Engine& engine, const std::vector<Taken>& taken) {
  Awaiting awaiting(engine);
  std::size_t kept = 0;
  for (const Taken& write : taken) {
    kept += awaiting(write.slot) && write.is_put && write.slot->kept ? 1U : 0U;
  }
  return kept;
}

void require_writable(const Engine& engine) {
  if (engine.options.access == Access::read_write) return;
  throw Error(ErrorCode::misuse,
              engine.path + " was opened with Access::read_only: entries cannot be removed",
              engine.path);
}

void report_uncommitted(Engine& engine, const std::string& what) {
  engine.notices.notify(
      NoticeKind::removal_uncommitted,
      engine.path + ": the removal of " + what +
          " is not committed yet, because the file cannot be written; it is in force in this "
          "process and stays queued",
      engine.path);
}

/// `lost`: see Offered::lost.
void report_everything_removed(Engine& engine, const std::optional<std::int64_t>& lost) {
  if (!lost) return;
  { const memory::TierChange all(engine.tier.get()); }
  engine.counters.dropped.add(*lost);
  engine.notices.notify(
      NoticeKind::everything_removed,
      fmt::format("{}: the queued removals need more than {} bytes (Options::queue_bytes) and the "
                  "file cannot be written, so all entries are removed instead; {} accepted values "
                  "were dropped",
                  engine.path, engine.options.queue_bytes, *lost),
      engine.path);
}

std::size_t count_live_keys(Engine& engine, std::span<const std::string_view> keys) {
  std::vector<Query> queries(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) queries[i].key = keys[i];
  return count_live(engine, queries);
}

/// Whether the removal ended a live entry.
bool has_removed(Engine& engine, const Offered& removal, bool done) {
  if (!removal.replaced) return done && removal.slot->existed;
  // The removal replaced a queued write, which is what readers saw.
  const Write& replaced = *removal.replaced;
  return replaced.is_put() && engine.catalog.is_current(replaced.calculation_id()) &&
         is_live(freshness_of(replaced.deadlines(), engine.clock->wall_now()));
}

Offered offer_removal(Engine& engine, std::string_view key) {
  const memory::TierChange change(engine.tier.get(), key);
  ASHMEMO_TEST_POINT("change: begun");
  Offered offered = engine.pending.offer(Write::removal(key, RemovalCause::erased), Waited::yes);
  ASHMEMO_TEST_POINT("change: queued");
  return offered;
}

/// The removals of one call. While it queues many keys it waits from time to time; otherwise the
/// queue would have no bound.
class Removing {
 public:
  explicit Removing(Engine& engine)
      : engine_(engine),
        bound_(static_cast<std::size_t>(engine.options.queue_bytes)),
        awaiting_(engine) {}

  void offer(std::span<const std::string_view> keys) {
    for (std::size_t at = 0; at < keys.size(); at += kAtOnce) {
      if (engine_.process.is_forked_child()) return;  // a hook has forked
      for (const std::string_view key : keys.subspan(at, std::min(kAtOnce, keys.size() - at))) {
        Offered one = offer_removal(engine_, key);
        report_everything_removed(engine_, one.lost);
        if (one.accepted) offered_.push_back(std::move(one));
      }
      if (engine_.pending.bytes() > bound_) await_offered();
    }
  }

  void await_offered() {
    if (engine_.worker->is_in_hook()) return;
    for (const Offered& removal : offered_) {
      const bool done = awaiting_(removal.slot);
      if (engine_.process.is_forked_child()) return;  // a hook has forked
      all_done_ = all_done_ && done;
      existed_ += has_removed(engine_, removal, done) ? 1U : 0U;
    }
    count_ += offered_.size();
    offered_.clear();
  }

  void await(const RangePtr& range) { all_done_ = awaiting_(range) && all_done_; }

  [[nodiscard]] std::size_t existed() const noexcept { return existed_; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] bool all_done() const noexcept { return all_done_; }

 private:
  static constexpr std::size_t kAtOnce =
      256;  // about 0.1 MiB: the queue may exceed its bound by this

  Engine& engine_;
  const std::size_t bound_;
  Awaiting awaiting_;
  std::vector<Offered> offered_;  // not yet waited for
  std::size_t count_ = 0;
  std::size_t existed_ = 0;
  bool all_done_ = true;
};

}  // namespace

std::size_t put(Engine& engine, std::span<NewEntry> entries) {
  engine.counters.puts.add(count_values(entries));
  engine.help_worker();
  if (!can_write(engine)) return put_nowhere(engine, entries);
  Offering offering(engine);
  std::vector<Taken> taken;
  taken.reserve(entries.size());
  // One time for many: equal deadlines are neighbours in their index, so groups change fewer pages.
  std::int64_t now = engine.clock->wall_now();
  for (NewEntry& entry : entries) {
    if (is_outdated(engine, entry)) {
      engine.counters.superseded.add();
      continue;
    }
    const WritePtr write = write_for(engine, entry, now);
    Offered offered = offering.offer(entry, write);
    if (offering.has_waited()) {
      if (engine.process.is_forked_child()) return 0;  // a hook has forked
      now = engine.clock->wall_now();
    }
    if (offered.accepted) {
      taken.push_back({std::move(offered.slot), write->is_put()});
    } else if (offered.superseded) {
      engine.counters.superseded.add();
    } else {
      report_dropped(engine, entry.key);
      if (engine.tier && write->is_put()) keep_in_memory(engine, entry);
    }
  }
  if (taken.empty()) return 0;
  engine.worker->wake();
  if (engine.options.durability != Durability::relaxed) return count_kept(engine, taken);
  return static_cast<std::size_t>(
      std::count_if(taken.begin(), taken.end(), [](const Taken& write) { return write.is_put; }));
}

std::size_t erase(Engine& engine, std::span<const std::string_view> keys,
                  std::span<const RangePtr> ranges) {
  require_writable(engine);
  if (keys.empty() || engine.is_out_of_use()) return 0;
  std::vector<std::string_view> distinct(keys.begin(), keys.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const bool waits = !engine.worker->is_in_hook();
  const std::size_t live = waits ? 0 : count_live_keys(engine, distinct);
  for (const RangePtr& range : ranges) (void)queue_range(engine, range);
  Removing removing(engine);
  removing.offer(distinct);
  engine.worker->wake();
  if (!waits) return live;
  removing.await_offered();
  for (const RangePtr& range : ranges) removing.await(range);
  if (!removing.all_done() && !engine.is_out_of_use()) {
    report_uncommitted(engine, fmt::format("{} keys", removing.count()));
  }
  return removing.existed();
}

bool run_range(Engine& engine, const RangePtr& range) {
  require_writable(engine);
  if (engine.is_out_of_use()) return false;
  const RangePtr queued = queue_range(engine, range);
  if (engine.worker->is_in_hook()) return false;
  const bool done = Awaiting(engine)(queued);
  if (!done && !engine.is_out_of_use() && range->kind != Range::Kind::recount) {
    report_uncommitted(engine, range->prefix.empty() ? "entries" : range->prefix);
  }
  return done;
}

RangePtr queue_range(Engine& engine, const RangePtr& range) {
  if (engine.options.access == Access::read_only) return range;
  WriteQueue::Added added;
  {
    const memory::TierChange change(range->removes() ? engine.tier.get() : nullptr);
    ASHMEMO_TEST_POINT("change: begun");
    added = engine.pending.add(range);
    ASHMEMO_TEST_POINT("change: queued");
  }
  report_everything_removed(engine, added.lost);
  engine.worker->wake();
  return added.range;
}

}  // namespace ashmemo::engine
