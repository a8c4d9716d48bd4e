#include <algorithm>

#include "engine/write_queue.hpp"

// The worker's side of the queue: groups are taken from the front, committed, and reported back.
// What is taken stays in its place until it is done, so giving it back needs no memory.

namespace ashmemo::engine {

Group WriteQueue::take(std::size_t most_rows, std::int64_t most_bytes) {
  Group group;
  std::int64_t bytes = 0;
  base::Lock lock(mutex_);
  // Nothing may throw once the first item is taken.
  group.slots.reserve(std::min(most_rows, items_.size()));
  group.writes.reserve(std::min(most_rows, items_.size()));
  for (const Item& item : items_) {
    if (is_empty_place(item) || is_taken(item)) continue;
    if (const auto* place = std::get_if<Place>(&item)) {
      if (!group.slots.empty()) break;
      group.range = place->range;
      group.range->taken = true;
      break;
    }
    const auto& slot = std::get<SlotPtr>(item);
    bytes += slot->write->byte_size;
    if (group.slots.size() == most_rows || (!group.slots.empty() && bytes > most_bytes)) break;
    slot->taken = true;
    group.writes.push_back(slot->write);
    group.slots.push_back(slot);
  }
  return group;
}

bool WriteQueue::is_done(const Item& item) {
  const auto* place = std::get_if<Place>(&item);
  return place != nullptr ? place->range->done : std::get<SlotPtr>(item)->done;
}

bool WriteQueue::is_taken(const Item& item) {
  const auto* place = std::get_if<Place>(&item);
  return place != nullptr ? place->range->taken : std::get<SlotPtr>(item)->taken;
}

std::uint64_t WriteQueue::last_number() const {
  base::Lock lock(mutex_);
  return last_number_;
}

bool WriteQueue::has_until(std::uint64_t number) const {
  base::Lock lock(mutex_);
  const auto is_over = [](const Item& item) { return is_empty_place(item) || is_taken(item); };
  const auto first = std::find_if_not(items_.begin(), items_.end(), is_over);
  // What has moved may have been up to `number` before.
  return first != items_.end() && number_of(*first) <= std::max(number, last_move_);
}

void WriteQueue::release_locked(const SlotPtr& slot) {
  const auto found = newest_.find(slot->key);
  if (found != newest_.end() && found->second == slot) newest_.erase(found);
  count_locked(*slot->write, slot->bytes, false);
  --items_count_;
}

void WriteQueue::release_locked(const RangePtr& range) {
  bytes_ -= range->bytes;
  removal_bytes_ -= range->bytes;
  removals_.remove(*range);
  const auto command = commands_.find(range->kind);
  if (command != commands_.end() && command->second == range) commands_.erase(command);
  --items_count_;
}

void WriteQueue::finish(const Group& group) {
  {
    base::Lock lock(mutex_);
    for (const SlotPtr& slot : group.slots) {
      release_locked(slot);
      slot->done = true;
    }
    if (group.range) {
      release_locked(group.range);
      group.range->done = true;
    }
    drop_done_locked();
  }
  changed_.notify_all();
}

/// From the front, and empty places between them.
void WriteQueue::drop_done_locked() {
  while (!items_.empty()) {
    const bool is_empty = is_empty_place(items_.front());
    if (!is_empty && !is_done(items_.front())) break;
    items_.pop_front();
    empty_places_ -= is_empty ? 1 : 0;
  }
}

void WriteQueue::give_back(const Group& group) noexcept {
  base::Lock lock(mutex_);
  if (group.range) group.range->taken = false;
  for (const SlotPtr& slot : group.slots) slot->taken = false;
}

void WriteQueue::set_refusing(bool refusing) {
  {
    base::Lock lock(mutex_);
    if (refusing_.exchange(refusing) == refusing) return;
    refusing_since_.reset();
    if (refusing) refusing_since_ = clock_->steady_now();
  }
  changed_.notify_all();
}

std::int64_t WriteQueue::drop_all() {
  std::int64_t lost = 0;
  {
    base::Lock lock(mutex_);
    closed_ = true;
    for (const Item& item : items_) {
      const auto* slot = std::get_if<SlotPtr>(&item);
      if (slot != nullptr && !(*slot)->taken && (*slot)->write->is_put) ++lost;
    }
    items_.clear();
    newest_.clear();
    removals_.clear();
    commands_.clear();
    empty_places_ = 0;
    removal_bytes_ = 0;
    items_count_ = 0;
    bytes_ = 0;
  }
  changed_.notify_all();
  return lost;
}

}  // namespace ashmemo::engine
