#include "maintenance/committer.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>

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

/// Failures that come from what is written, not from the file: trying again changes nothing.
bool is_the_values_fault(const base::Failure& failure) {
  return failure.kind == FailureKind::too_large || failure.kind == FailureKind::other;
}

}  // namespace

Status Committer::commit_next(store::Store& store) {
  const int most = singly_ > 0 ? 1 : kMostRows;
  const engine::Group group = engine_.pending.take(static_cast<std::size_t>(most), kMostBytes);
  if (group.empty()) return {};
  if (singly_ > 0) --singly_;
  return group.range ? commit_range(store, group) : commit_writes(store, group);
}

Status Committer::commit_writes(store::Store& store, const engine::Group& group) {
  Status done = try_writes(store, group);
  if (done.ok()) {
    engine_.pending.finish(group);
    return done;
  }
  if (is_the_values_fault(done.failure())) {
    if (group.slots.size() == 1) return drop(group, done.failure());
    singly_ = static_cast<int>(group.slots.size());
    engine_.pending.give_back(group);
    return {};
  }
  engine_.pending.give_back(group);
  return done;
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
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
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
  fate.existed = engine::is_live(engine::judge((*before)->deadlines, engine_.clock->wall_now()));
  changes.remove(slot.key, RemovalCause::erased, transactions_.wants_keys());
  return {};
}

Status Committer::put(store::Writer& writer, const engine::Slot& slot, const engine::Write& write,
                      Changes& changes, Fate& fate) {
  store::PutRow row = row_of(slot, write);
  if (policy_ != nullptr) {
    const engine::Admission admission = policy_->admit(slot.key);
    row.eviction_counter = admission.counter;
    row.eviction_queue = admission.queue;
  }
  auto before = writer.put(row);
  if (!before.ok()) return before.failure();
  fate.existed = before->has_value() &&
                 engine::is_live(engine::judge((*before)->deadlines, engine_.clock->wall_now()));
  if (before->has_value()) changes.remove(slot.key, RemovalCause::replaced, transactions_.wants_keys());
  if (policy_ == nullptr && is_over_limit(writer.totals())) return refuse(writer, slot);
  fate.kept = true;
  changes.bytes_written += row.byte_size;
  return {};
}

Status Committer::refuse(store::Writer& writer, const engine::Slot& slot) {
  // What was there before is gone too: the caller has replaced it, and must not read it again.
  if (auto undone = writer.erase(slot.key); !undone.ok()) return undone.failure();
  engine_.counters.refused.add();
  engine_.notices.tell(NoticeKind::refused,
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

Status Committer::drop(const engine::Group& group, const base::Failure& failure) {
  const std::string& key = group.slots.front()->key;
  engine_.counters.dropped.add();
  engine_.notices.tell(NoticeKind::writes_dropped,
                       fmt::format("{}: the value of {} cannot be stored and was dropped: {}",
                                   engine_.path, key, failure.what),
                       key);
  engine_.pending.finish(group);
  return {};
}

}  // namespace ashmemo::maintenance
