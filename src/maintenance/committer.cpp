#include "maintenance/committer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/saturate.hpp"
#include "base/test_point.hpp"
#include "store/rowid_hints.hpp"

namespace ashmemo::maintenance {

using base::FailureKind;
using base::Status;

namespace {

// The number of keys that are looked up at once, before a group.
constexpr std::size_t kLookups = 1'000;

// If none of this many keys (or up to twice as many) is in the file, no other is looked up.
constexpr std::size_t kSample = 64;

// Memory is usually free again soon. A value that finds none at each of these tries is too large.
constexpr int kMaxTriesWithoutMemory = 50;

/// Looks up some of the keys, at equal distances. Returns whether the file has one of them.
bool has_some(store::Writer& writer, std::span<const store::RowidOf> keys) {
  std::vector<store::RowidOf> sample;
  const std::size_t step = std::max<std::size_t>(keys.size() / kSample, 1);
  for (std::size_t i = 0; i < keys.size(); i += step) sample.push_back(keys[i]);
  return writer.find_rowids(sample).ok() &&
         std::any_of(sample.begin(), sample.end(), [](const auto& row) { return row.rowid != 0; });
}

store::PutRow row_of(const engine::Write& write, std::int64_t stamp) {
  return {write.view(), write.key(), write.byte_size(), stamp,
          write.touches.load(std::memory_order_relaxed)};
}

/// Gives the group back to the queue unless it was finished.
class TakenGroup {
 public:
  TakenGroup(engine::WriteQueue& queue, const Portion& max)
      : queue_(queue), group_(queue.take(static_cast<std::size_t>(max.rows), max.bytes)) {}
  ~TakenGroup() {
    if (!finished_) queue_.give_back(group_, failed_);
  }
  TakenGroup(const TakenGroup&) = delete;
  TakenGroup& operator=(const TakenGroup&) = delete;

  [[nodiscard]] engine::Group& group() noexcept { return group_; }
  void finish() {
    queue_.finish(group_);
    finished_ = true;
  }
  void go_on_later() noexcept { failed_ = false; }

 private:
  engine::WriteQueue& queue_;
  engine::Group group_;
  bool finished_ = false;
  bool failed_ = true;
};

/// Whether the written value may have caused the failure, so that another try would fail too.
bool is_caused_by_value(const base::Failure& failure) {
  return failure.kind == FailureKind::too_large || failure.kind == FailureKind::other;
}

/// The entries and bytes that a group adds at most. Some of its puts may replace entries.
store::Totals puts_of(const engine::Group& group) {
  store::Totals puts;
  for (const engine::Group::Item& item : group.items) {
    if (!item.write->is_put()) continue;
    ++puts.entries;
    puts.bytes = base::add_saturated(puts.bytes, item.write->byte_size());
  }
  return puts;
}

store::Totals sum(const store::Totals& a, const store::Totals& b) {
  return {base::add_saturated(a.entries, b.entries), base::add_saturated(a.bytes, b.bytes), 0, 0};
}

}  // namespace

Status Committer::commit_next(store::Store& store, const CommitTime& time) {
  arrange_sweep(store);
  TakenGroup taken(engine_.pending, next_portion(store.writer()->totals()));
  engine::Group& group = taken.group();
  if (group.empty()) return {};
  engine_.pending.drop_covered(group);
  if (!group.dropped.empty()) count_dropped(*store.writer(), group);
  // The limit for one entry may have grown during this pass, and the group may need it.
  store.allow_entries_of(engine_.limits.get().max_entry_bytes);
  bool finished = true;
  Status done = group.range ? commit_range(store, *group.range, &finished)
                            : commit_writes(store, group, time, &finished);
  ASHMEMO_TEST_POINT("commit: finishes");
  if (done.ok()) finished ? taken.finish() : taken.go_on_later();
  if (done.ok() && finished && !group.range && singly_ > 0) --singly_;
  return done;
}

// ---- sweeps

/// A new sweep is arranged in the order of the file. So is the rest of a sweep when another file is
/// open, because it has other rowids.
void Committer::arrange_sweep(store::Store& store) {
  const bool again = sweep_store_.lock().get() != &store;
  const std::vector<engine::WritePtr> writes = engine_.pending.begin_sweep(again);
  sweep_store_ = engine_.store.get();
  if (again) written_.clear();
  if (writes.size() > 1) engine_.pending.arrange(file_order(*store.writer(), writes));
}

/// Old rows by rowid, then new rows by key, so that a group changes few pages. The new rows of one
/// group are in the order in which they were queued: a group changes the same pages in any order,
/// and so results that were stored together are neighbours in the file. Keys without a hint are
/// looked up if a sample of them shows that some are old: at least kLookups of them, and more while
/// no caller waits. The others count as new. The order changes only the cost.
std::vector<std::uint32_t> Committer::file_order(store::Writer& writer,
                                                 std::span<const engine::WritePtr> writes) {
  const std::ptrdiff_t in_group = transactions_.portion().rows;
  std::vector<store::RowidOf> rows;
  rows.reserve(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (!writes[i]) continue;
    const std::string_view key = writes[i]->key();
    rows.push_back({{key, i}, engine_.hints->find(key).value_or(0)});
  }
  const auto has_rowid = [](const store::RowidOf& row) { return row.rowid != 0; };
  const auto unknown = std::partition(rows.begin(), rows.end(), has_rowid);
  std::sort(unknown, rows.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  std::span<store::RowidOf> rest(unknown, rows.end());
  for (bool more = has_some(writer, rest); more;) {
    const std::span<store::RowidOf> part = rest.first(std::min(rest.size(), kLookups));
    rest = rest.subspan(part.size());
    more = writer.find_rowids(part).ok() && !rest.empty() && !engine_.pending.is_awaited();
  }
  const auto is_new = std::stable_partition(unknown, rows.end(), has_rowid);
  std::sort(rows.begin(), is_new, [](const auto& a, const auto& b) { return a.rowid < b.rowid; });
  const auto by_queue = [](const auto& a, const auto& b) { return a.index < b.index; };
  for (auto first = is_new; first != rows.end();) {
    const auto left = in_group - (first - rows.begin()) % in_group;
    const auto last = first + std::min(left, rows.end() - first);
    std::sort(first, last, by_queue);
    first = last;
  }
  std::vector<std::uint32_t> order;
  order.reserve(rows.size());
  for (const store::RowidOf& row : rows) order.push_back(static_cast<std::uint32_t>(row.index));
  return order;
}

Portion Committer::next_portion(const store::Totals& totals) {
  Portion portion = transactions_.portion();
  if (singly_ > 0) {
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

Status Committer::commit_writes(store::Store& store, engine::Group& group, const CommitTime& time,
                                bool* finished) {
  const auto has_capacity = make_capacity(store, group, time);
  if (!has_capacity.ok()) return has_capacity.failure();
  if (!*has_capacity) {
    *finished = false;
    return {};
  }
  Status done = try_writes(store, group);
  group.is_lost = transactions_.has_lost_commit();
  if (done.ok()) {
    tries_without_memory_ = 0;
    return done;
  }
  const bool is_too_large = time.is_last_try && done.failure().kind == FailureKind::full &&
                            puts_of(group).bytes > DiskFullMode::kMaxEntryBytes;
  if (!is_too_large && !is_caused_by_value(done.failure())) return done;
  if (group.items.size() == 1) {
    // A removal that fails stays queued, because its entry must not become visible again.
    engine::Group::Item& item = group.items.front();
    if (!item.write->is_put()) return done;
    if (store::is_out_of_memory(done.failure()) &&
        ++tries_without_memory_ < kMaxTriesWithoutMemory) {
      return done;
    }
    item.existed = item.kept = false;
    return drop(store, *item.write, done.failure());
  }
  singly_ = static_cast<int>(group.items.size());
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

Status Committer::try_writes(store::Store& store, engine::Group& group) {
  return run_with_calculations(store, [&](store::Writer& writer, Changes& changes) -> Status {
    written_.clear();
    for (engine::Group::Item& item : group.items) {
      if (Status one = write(writer, item, changes); !one.ok()) return one;
    }
    return {};
  });
}

Status Committer::write(store::Writer& writer, engine::Group::Item& item, Changes& changes) {
  if (item.write->is_put()) return put(writer, item, changes);
  item.kept = true;  // a put that the removal replaced in the queue was accepted
  auto before = writer.delete_key(item.write->key());
  if (!before.ok()) return before.failure();
  if (!before->has_value()) return {};
  // A commit whose log was deleted has counted the row, but not one that was replaced.
  if (item.existed && item.write->cause() == RemovalCause::erased) return {};
  item.existed = was_live(**before, engine_.clock->wall_now());
  changes.remove(std::string(item.write->key()), item.write->cause(), transactions_.wants_keys());
  return {};
}

bool Committer::was_live(const store::DeletedRow& row, std::int64_t now) const {
  return engine_.catalog.is_current(row.calculation_id) && store::is_live(row.deadlines, now);
}

Status Committer::put(store::Writer& writer, engine::Group::Item& item, Changes& changes) {
  const engine::Write& write = *item.write;
  // An invalidated result would never be read, and nothing would delete it later.
  if (!engine_.catalog.is_current(write.calculation_id()))
    return erase_older(writer, write, changes);
  store::PutRow row = row_of(write, next_stamp(write));
  row.now = engine_.clock->wall_now();
  if (policy_ != nullptr) {
    const eviction::Admission admission = policy_->admit(write.key());
    row.eviction_counter = admission.counter;
    row.eviction_queue = admission.queue;
    row.overwrite = write.is_touched() ? policy_->overwrite() : store::Overwrite{};
  }
  auto before = writer.put(row);
  if (!before.ok()) return before.failure();
  item.existed = before->has_value() && was_live(**before, row.now);
  if (before->has_value()) {
    changes.remove(std::string(write.key()), RemovalCause::replaced, transactions_.wants_keys());
  }
  if (policy_ == nullptr && is_over_limit(writer.totals())) return refuse(writer, write, changes);
  item.kept = true;
  written_.push_back(writer.last_rowid());
  changes.bytes_written += row.byte_size;
  return {};
}

/// The row gets its stamp when it is written, so that rows are appended to the eviction queue in
/// the order of the file. The stamp is never earlier than the computation: see
/// Sweeper::expire_future.
std::int64_t Committer::next_stamp(const engine::Write& write) {
  return engine_.sequence_clock.next(
      std::max(engine_.clock->wall_now(), write.deadlines().computed_at));
}

/// The caller replaced the older value. So it must go although the new one is not written.
Status Committer::erase_older(store::Writer& writer, const engine::Write& write, Changes& changes) {
  auto before = writer.delete_key(write.key());
  if (!before.ok()) return before.failure();
  if (before->has_value())
    changes.remove(std::string(write.key()), RemovalCause::replaced, transactions_.wants_keys());
  return {};
}

Status Committer::refuse(store::Writer& writer, const engine::Write& write, Changes& changes) {
  // The older value must go too, because the caller replaced it.
  if (auto undone = writer.delete_key(write.key()); !undone.ok()) return undone.failure();
  ++changes.refused;
  engine_.notices.notify(NoticeKind::refused,
                         fmt::format("{}: the value of {} was not kept: the cache is at its limit "
                                     "and Eviction::none evicts nothing; raise the limits or "
                                     "remove entries",
                                     engine_.path, write.key()),
                         std::string(write.key()));
  return {};
}

bool Committer::is_over_limit(const store::Totals& totals) const {
  const engine::ResolvedLimits limits = engine_.limits.get();
  return totals.entries > limits.max_entries || totals.bytes > limits.max_bytes;
}

Status Committer::drop(store::Store& store, const engine::Write& write,
                       const base::Failure& failure) {
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    ++changes.dropped;
    return erase_older(writer, write, changes);
  });
  if (!done.ok()) return done;
  tries_without_memory_ = 0;
  engine_.notices.notify(NoticeKind::writes_dropped,
                         fmt::format("{}: the value of {} cannot be stored and was dropped: {}",
                                     engine_.path, write.key(), failure.what),
                         std::string(write.key()));
  return done;
}

// ---- range commands. Each one runs in bounded transactions. Between two of them the pass does its
// other work, so that the write-ahead log stays small.

/// A put that a removal has dropped counts as a removed row, unless the file has an older row of
/// its key, which the removal will count.
void Committer::count_dropped(store::Writer& writer, const engine::Group& group) {
  std::vector<store::RowidOf> rows;
  rows.reserve(group.dropped.size());
  for (std::size_t i = 0; i < group.dropped.size(); ++i) {
    const engine::Write& write = *group.dropped[i].write;
    if (engine_.catalog.is_current(write.calculation_id())) rows.push_back({{write.key(), i}, 0});
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  (void)writer.find_rowids(rows);
  for (const store::RowidOf& row : rows) {
    if (row.rowid == 0) ++group.dropped[row.index].by->removed;
  }
}

Status Committer::commit_range(store::Store& store, engine::Range& range, bool* finished) {
  std::int64_t removed = 0;
  Status done = run_with_calculations(store, [&](store::Writer& writer, Changes& changes) {
    Status step = step_range(writer, range, changes, finished);
    removed = changes.erased;
    return step;
  });
  if (done.ok() || transactions_.has_lost_commit()) range.removed += removed;
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
  // them to the write-ahead log. On a full disk that log has no space for all changed pages.
  if (transactions_.wants_keys() || engine_.options.erase_securely || transactions_.is_disk_full())
    return erase_some(writer, {}, changes, finished);
  auto removed = writer.delete_everything();
  if (!removed.ok()) return removed.failure();
  changes.erased += *removed;
  return {};
}

}  // namespace ashmemo::maintenance
