#include "maintenance/committer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "base/saturate.hpp"
#include "base/test_point.hpp"
#include "engine/freshness.hpp"

namespace ashmemo::maintenance {

using base::FailureKind;
using base::Status;

namespace {

store::PutRow row_of(const engine::Slot& slot, const engine::Write& write) {
  store::PutRow row;
  row.key = slot.key;
  row.value = write.value;
  row.byte_size = write.byte_size;
  row.stamp = write.stamp;
  row.deadlines = write.deadlines;
  row.calculation_id = write.calculation_id;
  row.record_version = write.record_version;
  row.cost_us = write.cost_us;
  row.touches = write.touches.load(std::memory_order_relaxed);
  return row;
}

/// A group goes back to the queue, whatever happens, unless it was finished.
class TakenGroup {
 public:
  TakenGroup(engine::WriteQueue& queue, const Portion& most)
      : queue_(queue), group_(queue.take(static_cast<std::size_t>(most.rows), most.bytes)) {}
  ~TakenGroup() {
    if (!finished_) queue_.give_back(group_);
  }
  TakenGroup(const TakenGroup&) = delete;
  TakenGroup& operator=(const TakenGroup&) = delete;

  [[nodiscard]] const engine::Group& group() const noexcept { return group_; }
  void finish() {
    queue_.finish(group_);
    finished_ = true;
  }

 private:
  engine::WriteQueue& queue_;
  const engine::Group group_;
  bool finished_ = false;
};

/// Failures that come from what is written, not from the file: trying again changes nothing.
bool is_the_values_fault(const base::Failure& failure) {
  return failure.kind == FailureKind::too_large || failure.kind == FailureKind::other;
}

/// What a group brings in, at most: some of it may replace what is there.
store::Totals puts_of(const engine::Group& group) {
  store::Totals puts;
  for (const engine::WritePtr& write : group.writes) {
    if (!write->is_put) continue;
    ++puts.entries;
    puts.bytes = base::add_saturated(puts.bytes, write->byte_size);
  }
  return puts;
}

store::Totals sum(const store::Totals& a, const store::Totals& b) {
  return {base::add_saturated(a.entries, b.entries), base::add_saturated(a.bytes, b.bytes), 0, 0};
}

}  // namespace

Status Committer::commit_next(store::Store& store, const FindWalSpace& find_wal_space) {
  TakenGroup taken(engine_.pending, next_portion(store.writer()->totals()));
  const engine::Group& group = taken.group();
  if (group.empty()) return {};
  // Limits may have grown while this pass goes on, and the group have what only they let in.
  store.allow_entries_of(engine_.limits.get().max_entry_bytes);
  bool finished = true;
  Status done = group.range ? commit_range(store, *group.range, &finished)
                            : commit_writes(store, group, find_wal_space, &finished);
  ASHMEMO_TEST_POINT("commit: finishes");
  if (done.ok() && finished) taken.finish();
  return done;
}

Portion Committer::next_portion(const store::Totals& totals) {
  Portion most = transactions_.portion();
  if (singly_ > 0) {
    --singly_;
    most.rows = 1;
  } else if (engine_.options.erase_securely && totals.entries > 0) {
    // What a group removes or replaces is overwritten, too: as many rows as are probably no more.
    const std::int64_t average = std::max<std::int64_t>(totals.bytes / totals.entries, 1);
    most.rows = static_cast<int>(std::clamp<std::int64_t>(most.bytes / average, 1, most.rows));
  }
  return most;
}

Status Committer::run_with_calculations(store::Store& store, const Transactions::Body& body) {
  std::vector<store::CalculationRow> undelivered;
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    undelivered = engine_.catalog.take_unwritten();
    for (const store::CalculationRow& row : undelivered) {
      if (Status put = writer.put_calculation(row); !put.ok()) return put;
    }
    return body(writer, changes);
  });
  if (!done.ok()) engine_.catalog.give_back_unwritten(undelivered);
  return done;
}

Status Committer::commit_writes(store::Store& store, const engine::Group& group,
                                const FindWalSpace& find_wal_space, bool* finished) {
  const auto room = make_wal_space(store, group, find_wal_space);
  if (!room.ok()) return room.failure();
  if (!*room) {
    *finished = false;
    return {};
  }
  Status done = try_writes(store, group);
  if (done.ok() || !is_the_values_fault(done.failure())) return done;
  if (group.slots.size() == 1) {
    // A removal that cannot be done stays: what it removes must not come back.
    return group.writes.front()->is_put ? drop(store, *group.slots.front(), done.failure()) : done;
  }
  singly_ = static_cast<int>(group.slots.size());
  *finished = false;
  return {};
}

/// Where nothing may be evicted, due entries still make room: before the group, for its transaction
/// has no room for them. False: there is not yet room.
base::Result<bool> Committer::make_wal_space(store::Store& store, const engine::Group& group,
                                             const FindWalSpace& find_wal_space) {
  const store::Totals puts = puts_of(group);
  const auto is_beyond = [&] { return is_over_limit(sum(store.writer()->totals(), puts)); };
  bool more_is_due = policy_ == nullptr && puts.entries > 0 && is_beyond();
  while (more_is_due) {
    if (Status s = sweeper_.expire_some(store, &more_is_due); !s.ok()) return s.failure();
    more_is_due = more_is_due && is_beyond();
    auto room = find_wal_space(!more_is_due);
    if (!room.ok() || !*room) return room;
  }
  return true;
}

Status Committer::try_writes(store::Store& store, const engine::Group& group) {
  // In the order of the keys: neighbours share pages.
  std::vector<std::size_t> order(group.slots.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&group](std::size_t a, std::size_t b) {
    const auto& [left, right] = std::pair(group.slots[a], group.slots[b]);
    return left->key != right->key ? left->key < right->key : left->number < right->number;
  });
  std::vector<Fate> fates(group.slots.size());
  Status done =
      run_with_calculations(store, [&](store::Writer& writer, Changes& changes) -> Status {
        for (const std::size_t i : order) {
          Status one = write(writer, *group.slots[i], *group.writes[i], changes, fates[i]);
          if (!one.ok()) return one;
        }
        return {};
      });
  if (!done.ok()) return done;
  for (std::size_t i = 0; i < fates.size(); ++i) {
    group.slots[i]->existed = fates[i].existed;
    group.slots[i]->kept = fates[i].kept;
  }
  return done;
}

Status Committer::write(store::Writer& writer, const engine::Slot& slot, const engine::Write& write,
                        Changes& changes, Fate& fate) {
  if (write.is_put) return put(writer, slot, write, changes, fate);
  auto before = writer.erase(slot.key);
  if (!before.ok()) return before.failure();
  if (!before->has_value()) return {};
  fate.existed = was_live(**before);
  changes.remove(slot.key, write.cause, transactions_.wants_keys());
  return {};
}

bool Committer::was_live(const store::RemovedRow& row) const {
  return engine_.catalog.is_current(row.calculation_id) &&
         engine::is_live(engine::freshness_of(row.deadlines, engine_.clock->wall_now()));
}

Status Committer::put(store::Writer& writer, const engine::Slot& slot, const engine::Write& write,
                      Changes& changes, Fate& fate) {
  // A result that was invalidated while it waited: nobody would ever see it, or clear it away.
  if (!engine_.catalog.is_current(write.calculation_id)) return erase_older(writer, slot, changes);
  store::PutRow row = row_of(slot, write);
  if (policy_ != nullptr) {
    const eviction::Admission admission = policy_->admit(slot.key);
    row.eviction_counter = admission.counter;
    row.eviction_queue = admission.queue;
  }
  auto before = writer.put(row);
  if (!before.ok()) return before.failure();
  fate.existed = before->has_value() && was_live(**before);
  if (before->has_value())
    changes.remove(slot.key, RemovalCause::replaced, transactions_.wants_keys());
  if (policy_ == nullptr && is_over_limit(writer.totals())) return refuse(writer, slot, changes);
  fate.kept = true;
  newest_stamp_ = std::max(newest_stamp_, row.stamp);
  changes.bytes_written += row.byte_size;
  return {};
}

/// A value that is not written ends the older one all the same, as one that is refused does.
Status Committer::erase_older(store::Writer& writer, const engine::Slot& slot, Changes& changes) {
  auto before = writer.erase(slot.key);
  if (!before.ok()) return before.failure();
  if (before->has_value())
    changes.remove(slot.key, RemovalCause::replaced, transactions_.wants_keys());
  return {};
}

Status Committer::refuse(store::Writer& writer, const engine::Slot& slot, Changes& changes) {
  // What was there before is gone too: the caller has replaced it, and must not read it again.
  if (auto undone = writer.erase(slot.key); !undone.ok()) return undone.failure();
  ++changes.refused;
  engine_.notices.notify(NoticeKind::refused,
                         fmt::format("{}: {} was not kept: the cache is at its limit and "
                                     "Eviction::none lets nothing leave",
                                     engine_.path, slot.key),
                         slot.key);
  return {};
}

bool Committer::is_over_limit(const store::Totals& totals) const {
  const engine::ResolvedLimits limits = engine_.limits.get();
  return totals.entries > limits.max_entries || totals.bytes > limits.max_bytes;
}

Status Committer::drop(store::Store& store, const engine::Slot& slot,
                       const base::Failure& failure) {
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    ++changes.dropped;
    return erase_older(writer, slot, changes);
  });
  if (!done.ok()) return done;
  engine_.notices.notify(NoticeKind::writes_dropped,
                         fmt::format("{}: the value of {} cannot be stored and was dropped: {}",
                                     engine_.path, slot.key, failure.what),
                         slot.key);
  return done;
}

// Commands about more than one key, each in as many bounded transactions as it needs. Between two
// of them the worker does its other work, so that the write-ahead log stays small.

using base::Status;
using engine::Range;

Status Committer::commit_range(store::Store& store, Range& range, bool* finished) {
  std::int64_t removed = 0;
  Status done = run_with_calculations(store, [&](store::Writer& writer, Changes& changes) {
    Status step = step_range(writer, range, changes, finished);
    removed = changes.erased;
    return step;
  });
  if (done.ok()) range.removed += removed;
  return done;
}

Status Committer::step_range(store::Writer& writer, Range& range, Changes& changes,
                             bool* finished) {
  switch (range.kind) {
    case Range::Kind::erase_prefix:
      return erase_some(writer, range.prefix, changes, finished);
    case Range::Kind::erase_all:
      return erase_all(writer, changes, finished);
    case Range::Kind::put_calculations:
      return {};  // as every one of these transactions does
    case Range::Kind::recount: {
      auto off = writer.recount();
      if (!off.ok()) return off.failure();
      range.totals_off = *off;
      return {};
    }
  }
  return {};
}

Status Committer::erase_some(store::Writer& writer, std::string_view prefix, Changes& changes,
                             bool* finished) {
  auto removed = writer.erase_prefix(prefix, transactions_.portion().rows);
  if (!removed.ok()) return removed.failure();
  for (store::RemovedRow& row : *removed) {
    changes.remove(std::move(row.key), RemovalCause::erased, transactions_.wants_keys());
  }
  *finished = removed->empty();
  return {};
}

Status Committer::erase_all(store::Writer& writer, Changes& changes, bool* finished) {
  // Whoever listens wants the keys, and what is overwritten with zeroes goes through the log: then
  // row by row.
  if (transactions_.wants_keys() || engine_.options.erase_securely)
    return erase_some(writer, {}, changes, finished);
  auto removed = writer.erase_all();
  if (!removed.ok()) return removed.failure();
  changes.erased += *removed;
  return {};
}

}  // namespace ashmemo::maintenance
