#include <algorithm>

#include "engine/pending_writes.hpp"

// The worker's side of the queue: groups are taken from the front, committed, and reported back.

namespace ashmemo::engine {

Group PendingWrites::take(std::size_t most_rows, std::int64_t most_bytes) {
  Group group;
  std::int64_t bytes = 0;
  base::Lock lock(mutex_);
  // Nothing may throw once the first item has left the queue.
  group.slots.reserve(std::min(most_rows, items_.size()));
  group.writes.reserve(std::min(most_rows, items_.size()));
  while (!items_.empty() && group.slots.size() < most_rows) {
    if (auto* range = std::get_if<RangePtr>(&items_.front())) {
      if (!group.slots.empty()) break;
      group.range = std::move(*range);
      items_.pop_front();
      break;
    }
    const auto& slot = std::get<SlotPtr>(items_.front());
    bytes += slot->write->byte_size;
    if (!group.slots.empty() && bytes > most_bytes) break;
    slot->taken = true;
    group.writes.push_back(slot->write);
    group.slots.push_back(slot);
    items_.pop_front();
  }
  return group;
}

std::uint64_t PendingWrites::last_number() const {
  base::Lock lock(mutex_);
  return last_number_;
}

bool PendingWrites::has_until(std::uint64_t number) const {
  base::Lock lock(mutex_);
  if (items_.empty()) return false;
  const Item& first = items_.front();
  const auto* range = std::get_if<RangePtr>(&first);
  return (range != nullptr ? (*range)->number : std::get<SlotPtr>(first)->number) <= number;
}

void PendingWrites::release_locked(const SlotPtr& slot) {
  const auto found = newest_.find(slot->key);
  if (found != newest_.end() && found->second == slot) newest_.erase(found);
  bytes_ -= slot->bytes;
  slot->done = true;
}

void PendingWrites::finish(const Group& group) {
  {
    base::Lock lock(mutex_);
    for (const SlotPtr& slot : group.slots) release_locked(slot);
    items_count_ -= group.slots.size();
    if (group.range) {
      group.range->done = true;
      std::erase(removals_, group.range);
      --items_count_;
    }
  }
  changed_.notify_all();
}

void PendingWrites::give_back(const Group& group) {
  base::Lock lock(mutex_);
  if (group.range) items_.push_front(group.range);
  for (auto slot = group.slots.rbegin(); slot != group.slots.rend(); ++slot) {
    (*slot)->taken = false;
    items_.push_front(*slot);
  }
}

void PendingWrites::set_refusing(bool refusing) {
  {
    base::Lock lock(mutex_);
    if (refusing_.exchange(refusing) == refusing) return;
    refusing_since_.reset();
    if (refusing) refusing_since_ = clock_->steady_now();
  }
  changed_.notify_all();
}

std::int64_t PendingWrites::drop_all() {
  std::int64_t lost = 0;
  {
    base::Lock lock(mutex_);
    closed_ = true;
    for (const Item& item : items_) {
      const auto* slot = std::get_if<SlotPtr>(&item);
      if (slot != nullptr && (*slot)->write->is_put) ++lost;
    }
    items_.clear();
    newest_.clear();
    removals_.clear();
    items_count_ = 0;
    bytes_ = 0;
  }
  changed_.notify_all();
  return lost;
}

}  // namespace ashmemo::engine
