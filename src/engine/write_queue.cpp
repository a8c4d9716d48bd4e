#include "engine/write_queue.hpp"

#include <algorithm>
#include <utility>

#include "base/test_point.hpp"
#include "engine/time.hpp"

namespace ashmemo::engine {

void RangeRemovals::add(const RangePtr& removal) {
  const std::string_view prefix = removal->prefix;
  auto older = newest_.extract(prefix);
  if (!older.empty()) {
    older.key() = prefix;
    older.mapped() = removal;
    newest_.insert(std::move(older));
    return;
  }
  // First: a length of no prefix costs a look-up, a prefix without its length would not be found.
  std::size_t& prefixes = lengths_[prefix.size()];
  newest_.emplace(prefix, removal);
  ++prefixes;
}

void RangeRemovals::remove(const Range& removal) {
  const auto found = newest_.find(removal.prefix);
  if (found == newest_.end() || found->second.get() != &removal) return;
  const auto length = lengths_.find(removal.prefix.size());
  if (--length->second == 0) lengths_.erase(length);
  newest_.erase(found);
}

void RangeRemovals::clear() {
  newest_.clear();
  lengths_.clear();
}

RangePtr RangeRemovals::find(std::string_view prefix) const {
  const auto found = newest_.find(prefix);
  return found == newest_.end() ? nullptr : found->second;
}

bool RangeRemovals::cover(std::string_view key, std::uint64_t number) const {
  for (const auto& [length, count] : lengths_) {
    if (length > key.size()) return false;
    const auto found = newest_.find(key.substr(0, length));
    if (found != newest_.end() && found->second->number > number) return true;
  }
  return false;
}

namespace {

// Waits are cut into slices: the steady clock may be one that a test moves by hand.
constexpr std::int64_t kMinSlice = 1'000;
constexpr std::int64_t kWaitSlice = 20'000;

std::chrono::microseconds slice_of(std::int64_t at_most) {
  return std::chrono::microseconds(std::clamp(at_most, kMinSlice, kWaitSlice));
}

std::size_t bytes_of(std::string_view key, const Write& write) {
  return kItemOverhead + key.size() + write.value.size_bytes() + write.record_version.size_bytes();
}

}  // namespace

WriteQueue::WriteQueue(std::size_t most_bytes, std::shared_ptr<Clock> clock,
                       InFlightTable& in_flight, std::int64_t max_wait)
    : most_bytes_(most_bytes),
      max_wait_(max_wait),
      clock_(std::move(clock)),
      in_flight_(in_flight) {}

Offered WriteQueue::offer(std::string_view key, const WritePtr& write, const InFlight* by) {
  const std::size_t bytes = bytes_of(key, *write);
  base::Lock lock(mutex_);
  if (closed_) return {};
  if (by != nullptr && by->superseded) return {nullptr, nullptr, true};
  const SlotPtr joinable = joinable_locked(key);
  const bool replaces = joinable && !joinable->write->is_erasure();
  const std::size_t freed = replaces ? joinable->bytes : 0;
  const std::size_t others =
      bytes_.load() - removal_bytes_ - freed;  // removals have their own room
  if (!write->is_erasure() && others != 0 && others + bytes > most_bytes_) return {};
  ++changes_;
  supersede_locked(key, *write, by);
  if (joinable) {
    const WritePtr replaced = joinable->write;
    join_locked(joinable, write, bytes);
    return {joinable, replaced, false};
  }
  std::optional<std::int64_t> lost;
  if (write->is_erasure()) lost = bound_removals_locked(bytes);
  return {append_locked(key, write, bytes), nullptr, false, lost};
}

void WriteQueue::supersede_locked(std::string_view key, const Write& write, const InFlight* by) {
  write.is_erasure() ? in_flight_.removed(key) : in_flight_.stored(key, by);
}

SlotPtr WriteQueue::joinable_locked(std::string_view key) const {
  const auto found = newest_.find(key);
  if (found == newest_.end()) return nullptr;
  const SlotPtr& slot = found->second;
  return slot->taken || slot->number < last_range_ ? nullptr : slot;
}

void WriteQueue::join_locked(const SlotPtr& slot, const WritePtr& write, std::size_t bytes) {
  count_locked(*write, bytes, true);
  count_locked(*slot->write, slot->bytes, false);
  slot->write = write;
  slot->bytes = bytes;
}

SlotPtr WriteQueue::append_locked(std::string_view key, const WritePtr& write, std::size_t bytes) {
  auto slot = std::make_shared<Slot>();
  slot->key = key;
  slot->number = ++last_number_;
  slot->write = write;
  slot->bytes = bytes;
  items_.push_back(slot);
  try {
    remember_locked(slot);
  } catch (...) {  // a slot that is in one of the two only would never be written, or never found
    items_.pop_back();
    throw;
  }
  ++items_count_;
  count_locked(*write, bytes, true);
  return slot;
}

// The map's key is a view into its slot: never keep an old slot's.
void WriteQueue::remember_locked(const SlotPtr& slot) {
  auto older = newest_.extract(slot->key);
  if (older.empty()) {
    newest_.emplace(slot->key, slot);
    return;
  }
  older.key() = slot->key;
  older.mapped() = slot;
  newest_.insert(std::move(older));
}

void WriteQueue::count_locked(const Write& write, std::size_t bytes, bool comes) {
  const std::size_t of_removals = write.is_erasure() ? bytes : 0;
  bytes_ += comes ? bytes : 0 - bytes;
  removal_bytes_ += comes ? of_removals : 0 - of_removals;
}

Pending WriteQueue::find_locked(std::string_view key) const {
  const auto found = newest_.find(key);
  const std::uint64_t number = found == newest_.end() ? 0 : found->second->number;
  if (removals_.cover(key, number)) return {Pending::Kind::removed, nullptr};
  if (number == 0) return {};
  const WritePtr& write = found->second->write;
  if (!write->is_put) return {Pending::Kind::removed, nullptr};
  return {Pending::Kind::put, write};
}

Pending WriteQueue::find(std::string_view key) const {
  if (empty()) return {};
  base::Lock lock(mutex_);
  return find_locked(key);
}

void WriteQueue::find_many(std::span<const store::Lookup> keys,
                           const std::function<void(std::size_t, const Pending&)>& found) const {
  // A writer waits for the lock at most this many look-ups.
  constexpr std::size_t kAtOnce = 256;
  for (std::size_t at = 0; at < keys.size() && !empty(); at += kAtOnce) {
    base::Lock lock(mutex_);
    for (const store::Lookup& key : keys.subspan(at, std::min(kAtOnce, keys.size() - at))) {
      const Pending pending = find_locked(key.key);
      if (pending.kind != Pending::Kind::nothing) found(key.index, pending);
    }
  }
}

std::vector<std::pair<std::string, Pending>> WriteQueue::with_prefix(
    std::string_view prefix) const {
  std::vector<std::pair<std::string, Pending>> out;
  {
    base::Lock lock(mutex_);
    for (const auto& [key, slot] : newest_) {
      if (key.starts_with(prefix)) out.emplace_back(key, find_locked(key));
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

void WriteQueue::wait_a_little(std::int64_t at_most) {
  base::Lock lock(mutex_);
  if (!closed_) changed_.wait_for(mutex_, slice_of(at_most));
}

bool WriteQueue::is_refused_locked(std::int64_t max_wait) const {
  return refusing_since_ && clock_->steady_now() - *refusing_since_ >= max_wait;
}

bool WriteQueue::is_done(const Range& range) {
  return range.done || (range.instead && is_done(*range.instead));
}

bool WriteQueue::is_done(const Slot& slot) {
  return slot.done || (slot.instead && is_done(*slot.instead));
}

template <class ItemPtr>
bool WriteQueue::wait_until_done(const ItemPtr& item, std::int64_t max_wait, const Push& push) {
  std::optional<Deadline> deadline;  // since this wait has seen the store refuse
  while (true) {
    push();
    ASHMEMO_TEST_POINT("patience: looks");
    base::Lock lock(mutex_);
    if (!refusing_since_) {
      deadline.reset();
    } else if (!deadline) {
      deadline.emplace(*clock_, max_wait);
    }
    const bool refused = is_refused_locked(max_wait) || (deadline && deadline->is_over());
    const bool done = is_done(*item);
    if (done || closed_ || refused) return done;
    changed_.wait_for(mutex_, slice_of(max_wait));
  }
}

bool WriteQueue::wait(const SlotPtr& slot, std::int64_t max_wait, const Push& push) {
  return wait_until_done(slot, max_wait, push);
}

bool WriteQueue::wait(const RangePtr& range, std::int64_t max_wait, const Push& push) {
  return wait_until_done(range, max_wait, push);
}

// Commands about more than one key: how they are queued and joined, and what keeps removals from
// filling the memory while the file cannot be written.

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

// The worker's side of the queue: groups are taken from the front, committed, and reported back.
// What is taken stays in its place until it is done, so giving it back needs no memory.

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
