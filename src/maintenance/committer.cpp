#include "maintenance/committer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "base/saturate.hpp"
#include "base/test_point.hpp"

namespace ashmemo::maintenance {

using base::FailureKind;
using base::Status;

namespace {

store::PutRow row_of(const engine::Slot& slot, const engine::Write& write) {
  return {write.view(), slot.key, write.byte_size, write.stamp,
          write.touches.load(std::memory_order_relaxed)};
}

/// Gives the group back to the queue unless it was finished.
class TakenGroup {
 public:
  TakenGroup(engine::WriteQueue& queue, const Portion& max)
      : queue_(queue), group_(queue.take(static_cast<std::size_t>(max.rows), max.bytes)) {}
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

/// Whether the written value caused the failure, so that another try would fail too.
bool is_caused_by_value(const base::Failure& failure) {
  return failure.kind == FailureKind::too_large || failure.kind == FailureKind::other;
}

/// The entries and bytes that a group adds at most. Some of its puts may replace entries.
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

Status Committer::commit_next(store::Store& store, const CommitTime& time) {
  TakenGroup taken(engine_.pending, next_portion(store.writer()->totals()));
  const engine::Group& group = taken.group();
  if (group.empty()) return {};
  // The limit for one entry may have grown during this pass, and the group may need it.
  store.allow_entries_of(engine_.limits.get().max_entry_bytes);
  bool finished = true;
  Status done = group.range ? commit_range(store, *group.range, &finished)
                            : commit_writes(store, group, time, &finished);
  ASHMEMO_TEST_POINT("commit: finishes");
  if (done.ok() && finished) taken.finish();
  return done;
}

Portion Committer::next_portion(const store::Totals& totals) {
  Portion portion = transactions_.portion();
  if (singly_ > 0) {
    --singly_;
    portion.rows = 1;
  } else if (engine_.options.erase_securely && totals.entries > 0) {
    // SQLite also overwrites the rows that a group removes or replaces. So the group gets the
    // number of rows that probably have no more bytes than the portion.
    const std::int64_t average = std::max<std::int64_t>(totals.bytes / totals.entries, 1);
    portion.rows =
        static_cast<int>(std::clamp<std::int64_t>(portion.bytes / average, 1, portion.rows));
  }
  return portion;
}

/// Runs a transaction that first writes the calculations that the file does not know. The row of a
/// calculation must precede its entries. Otherwise its id could be used for another one after a
/// crash.
Status Committer::run_with_calculations(store::Store& store, const Transactions::Body& body) {
  std::vector<store::CalculationRow> unwritten;
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    unwritten = engine_.catalog.take_unwritten();
    for (const store::CalculationRow& row : unwritten) {
      if (Status put = writer.put_calculation(row); !put.ok()) return put;
    }
    return body(writer, changes);
  });
  if (!done.ok()) engine_.catalog.give_back_unwritten(unwritten);
  return done;
}

// ---- writes

Status Committer::commit_writes(store::Store& store, const engine::Group& group,
                                const CommitTime& time, bool* finished) {
  const auto has_capacity = make_capacity(store, group, time);
  if (!has_capacity.ok()) return has_capacity.failure();
  if (!*has_capacity) {
    *finished = false;
    return {};
  }
  Status done = try_writes(store, group);
  if (done.ok() || !is_caused_by_value(done.failure())) return done;
  if (group.slots.size() == 1) {
    // A removal that fails stays queued, because its entry must not become visible again.
    return group.writes.front()->is_put ? drop(store, *group.slots.front(), done.failure()) : done;
  }
  singly_ = static_cast<int>(group.slots.size());
  *finished = false;
  return {};
}

/// Under Eviction::none only expired entries make room for a group, and then entries from the
/// future. They are deleted in transactions of their own, because the group's transaction has no
/// space for them. Returns false if there is not enough room yet.
base::Result<bool> Committer::make_capacity(store::Store& store, const engine::Group& group,
                                            const CommitTime& time) {
  const store::Totals puts = puts_of(group);
  const auto is_beyond = [&] { return is_over_limit(sum(store.writer()->totals(), puts)); };
  if (policy_ != nullptr || puts.entries == 0) return true;
  for (const auto expire : {&Sweeper::expire_some, &Sweeper::expire_future}) {
    bool more = is_beyond();
    while (more) {
      if (Status s = (sweeper_.*expire)(store, &more); !s.ok()) return s.failure();
      more = more && is_beyond();
      // When there is room, the group follows in the same pass even if its time is over.
      if (more && engine_.clock->steady_now() >= time.until) return false;
      auto has_space = upkeep_.find_wal_space(store, time.waits);
      if (!has_space.ok() || !*has_space) return has_space;
    }
  }
  return true;
}

Status Committer::try_writes(store::Store& store, const engine::Group& group) {
  // In the order of the keys, because neighbours share pages.
  std::vector<std::size_t> order(group.slots.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&group](std::size_t a, std::size_t b) {
    const auto& [left, right] = std::pair(group.slots[a], group.slots[b]);
    return left->key != right->key ? left->key < right->key : left->number < right->number;
  });
  std::vector<Outcome> outcomes(group.slots.size());
  Status done =
      run_with_calculations(store, [&](store::Writer& writer, Changes& changes) -> Status {
        for (const std::size_t i : order) {
          Status one = write(writer, *group.slots[i], *group.writes[i], changes, outcomes[i]);
          if (!one.ok()) return one;
        }
        return {};
      });
  if (!done.ok()) return done;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    group.slots[i]->existed = outcomes[i].existed;
    group.slots[i]->kept = outcomes[i].kept;
  }
  return done;
}

Status Committer::write(store::Writer& writer, const engine::Slot& slot, const engine::Write& write,
                        Changes& changes, Outcome& outcome) {
  if (write.is_put) return put(writer, slot, write, changes, outcome);
  auto before = writer.delete_key(slot.key);
  if (!before.ok()) return before.failure();
  if (!before->has_value()) return {};
  outcome.existed = was_live(**before, engine_.clock->wall_now());
  changes.remove(slot.key, write.cause, transactions_.wants_keys());
  return {};
}

bool Committer::was_live(const store::DeletedRow& row, std::int64_t now) const {
  return engine_.catalog.is_current(row.calculation_id) && store::is_live(row.deadlines, now);
}

Status Committer::put(store::Writer& writer, const engine::Slot& slot, const engine::Write& write,
                      Changes& changes, Outcome& outcome) {
  // An invalidated result would never be read, and nothing would delete it later.
  if (!engine_.catalog.is_current(write.calculation_id)) return erase_older(writer, slot, changes);
  store::PutRow row = row_of(slot, write);
  row.now = engine_.clock->wall_now();
  if (policy_ != nullptr) {
    const eviction::Admission admission = policy_->admit(slot.key);
    row.eviction_counter = admission.counter;
    row.eviction_queue = admission.queue;
    row.overwrite = write.is_touched ? policy_->overwrite() : store::Overwrite{};
  }
  auto before = writer.put(row);
  if (!before.ok()) return before.failure();
  outcome.existed = before->has_value() && was_live(**before, row.now);
  if (before->has_value())
    changes.remove(slot.key, RemovalCause::replaced, transactions_.wants_keys());
  if (policy_ == nullptr && is_over_limit(writer.totals())) return refuse(writer, slot, changes);
  outcome.kept = true;
  newest_stamp_ = std::max(newest_stamp_, row.stamp);
  changes.bytes_written += row.byte_size;
  return {};
}

/// The caller replaced the older value. So it must go although the new one is not written.
Status Committer::erase_older(store::Writer& writer, const engine::Slot& slot, Changes& changes) {
  auto before = writer.delete_key(slot.key);
  if (!before.ok()) return before.failure();
  if (before->has_value())
    changes.remove(slot.key, RemovalCause::replaced, transactions_.wants_keys());
  return {};
}

Status Committer::refuse(store::Writer& writer, const engine::Slot& slot, Changes& changes) {
  // The older value must go too, because the caller replaced it.
  if (auto undone = writer.delete_key(slot.key); !undone.ok()) return undone.failure();
  ++changes.refused;
  engine_.notices.notify(NoticeKind::refused,
                         fmt::format("{}: the value of {} was not kept: the cache is at its limit "
                                     "and Eviction::none evicts nothing; raise the limits or "
                                     "remove entries",
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

// ---- range commands. Each one runs in bounded transactions. Between two of them the pass does its
// other work, so that the write-ahead log stays small.

Status Committer::commit_range(store::Store& store, engine::Range& range, bool* finished) {
  std::int64_t removed = 0;
  Status done = run_with_calculations(store, [&](store::Writer& writer, Changes& changes) {
    Status step = step_range(writer, range, changes, finished);
    removed = changes.erased;
    return step;
  });
  if (done.ok()) range.removed += removed;
  return done;
}

Status Committer::step_range(store::Writer& writer, engine::Range& range, Changes& changes,
                             bool* finished) {
  switch (range.kind) {
    case engine::Range::Kind::erase_prefix:
      return erase_some(writer, range.prefix, changes, finished);
    case engine::Range::Kind::erase_all:
      return erase_all(writer, changes, finished);
    case engine::Range::Kind::put_calculations:
      return {};  // run_with_calculations has written them
    case engine::Range::Kind::recount: {
      const auto off = writer.recount();
      if (!off.ok()) return off.failure();
      range.totals_off = *off;
      return {};
    }
  }
  return {};
}

Status Committer::erase_some(store::Writer& writer, std::string_view prefix, Changes& changes,
                             bool* finished) {
  auto removed = writer.delete_prefix(prefix, transactions_.portion().rows);
  if (!removed.ok()) return removed.failure();
  for (store::DeletedRow& row : *removed) {
    changes.remove(std::move(row.key), RemovalCause::erased, transactions_.wants_keys());
  }
  *finished = removed->empty();
  return {};
}

Status Committer::erase_all(store::Writer& writer, Changes& changes, bool* finished) {
  // Row by row if a hook needs the keys, or if the rows are overwritten with zeroes, which adds
  // them to the write-ahead log.
  if (transactions_.wants_keys() || engine_.options.erase_securely)
    return erase_some(writer, {}, changes, finished);
  auto removed = writer.delete_everything();
  if (!removed.ok()) return removed.failure();
  changes.erased += *removed;
  return {};
}

}  // namespace ashmemo::maintenance
