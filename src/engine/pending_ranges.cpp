#include <algorithm>

#include "engine/write_queue.hpp"

// Commands about more than one key: how they are queued and joined, and what keeps removals from
// filling the memory while the file cannot be written.

namespace ashmemo::engine {

bool WriteQueue::is_empty_place(const Item& item) {
  const auto* place = std::get_if<Place>(&item);
  return place != nullptr && place->number != place->range->number;
}

std::uint64_t WriteQueue::number_of(const Item& item) {
  const auto* place = std::get_if<Place>(&item);
  return place != nullptr ? place->number : std::get<SlotPtr>(item)->number;
}

std::optional<std::int64_t> WriteQueue::add(const RangePtr& range) {
  base::Lock lock(mutex_);
  if (closed_) return std::nullopt;
  ++changes_;
  if (range->removes()) in_flight_.removed_prefix(range->prefix);
  if (const RangePtr joined = joinable_locked(*range)) {
    if (joined->removes() && joined->number != last_number_) move_to_end_locked(joined);
    range->instead = joined;
    return std::nullopt;
  }
  std::optional<std::int64_t> lost;
  if (range->removes()) {
    range->bytes = kItemOverhead + range->prefix.size();
    lost = bound_removals_locked(range->bytes);
  }
  append_locked(range);
  return lost;
}

RangePtr WriteQueue::joinable_locked(const Range& range) const {
  if (!range.removes()) {
    const auto found = commands_.find(range.kind);
    return found == commands_.end() || found->second->taken ? nullptr : found->second;
  }
  const RangePtr found = removals_.find(range.prefix);
  if (!found || found->taken) return nullptr;
  return refusing_since_ || found->number == last_number_ ? found : nullptr;
}

void WriteQueue::append_locked(const RangePtr& range) {
  items_.push_back(Place{range, last_number_ + 1});
  try {
    remember_locked(range);
  } catch (...) {  // it would be done, and hide nothing until then
    items_.pop_back();
    throw;
  }
  range->number = last_range_ = ++last_number_;
  ++items_count_;
  bytes_ += range->bytes;
  removal_bytes_ += range->bytes;
}

void WriteQueue::remember_locked(const RangePtr& range) {
  if (range->removes()) {
    removals_.add(range);
  } else {
    commands_[range->kind] = range;
  }
}

// The place where it was stays behind, empty.
void WriteQueue::move_to_end_locked(const RangePtr& range) {
  items_.push_back(Place{range, last_number_ + 1});
  range->number = last_range_ = last_move_ = ++last_number_;
  if (++empty_places_ <= items_.size() / 2) return;
  std::erase_if(items_, is_empty_place);
  empty_places_ = 0;
}

RangePtr WriteQueue::committed_for(const RangePtr& range) const {
  base::Lock lock(mutex_);
  RangePtr last = range;
  while (last->instead) last = last->instead;
  return last;
}

std::optional<std::int64_t> WriteQueue::bound_removals_locked(std::size_t bytes) {
  if (removal_bytes_ + bytes <= most_bytes_ || !is_refused_locked(max_wait_)) return std::nullopt;
  return remove_everything_locked();
}

std::int64_t WriteQueue::remove_everything_locked() {
  RangePtr all = removals_.find({});
  if (all && !all->taken) {
    move_to_end_locked(all);
  } else {
    all = std::make_shared<Range>();
    all->bytes = kItemOverhead;
    append_locked(all);
    last_move_ = all->number;
  }
  std::int64_t lost = 0;
  auto kept = items_.begin();
  for (Item& item : items_) {
    if (!replace_locked(item, all, &lost)) std::swap(*kept++, item);
  }
  items_.erase(kept, items_.end());
  empty_places_ = 0;
  return lost;
}

/// False: it stays.
bool WriteQueue::replace_locked(const Item& item, const RangePtr& all, std::int64_t* lost) {
  if (is_empty_place(item)) return true;
  if (is_taken(item)) return false;
  if (const auto* slot = std::get_if<SlotPtr>(&item)) {
    *lost += (*slot)->write->is_put ? 1 : 0;
    release_locked(*slot);
    (*slot)->instead = all;
    return true;
  }
  const RangePtr& range = std::get<Place>(item).range;
  if (range == all || !range->removes()) return false;
  release_locked(range);
  range->instead = all;
  return true;
}

}  // namespace ashmemo::engine
