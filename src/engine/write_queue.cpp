#include "engine/write_queue.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/saturate.hpp"
#include "base/test_point.hpp"
#include "engine/time.hpp"

namespace ashmemo::engine {

namespace {

// A wait is cut into slices, because a test may move the steady clock by hand.
constexpr std::int64_t kMinSlice = 1'000;
constexpr std::int64_t kWaitSlice = 20'000;

// The maximum number of lookups in one hold of the mutex. A writer may have to wait for these.
constexpr std::size_t kLookupsAtOnce = 256;

std::chrono::microseconds slice_of(std::int64_t at_most) {
  return std::chrono::microseconds(std::clamp(at_most, kMinSlice, kWaitSlice));
}

std::size_t bytes_of(std::string_view key, const Write& write) {
  return kItemOverhead + key.size() + write.value.size_bytes() + write.record_version.size_bytes();
}

template <class Item>
bool is_taken(const Item& item) {
  return std::visit([](const auto& one) { return one->taken; }, item);
}

template <class Item>
bool is_done(const Item& item) {
  return std::visit([](const auto& one) { return one->done; }, item);
}

template <class Item>
std::uint64_t number_of(const Item& item) {
  return std::visit([](const auto& one) { return one->number; }, item);
}

}  // namespace

// ---- RangeRemovals

void RangeRemovals::add(const RangePtr& removal) {
  const std::string_view prefix = removal->prefix;
  auto older = newest_.extract(prefix);
  if (!older.empty()) {
    older.key() = prefix;
    older.mapped() = removal;
    newest_.insert(std::move(older));
    return;
  }
  // The length first: a length without a prefix costs one lookup, but a prefix without its length
  // would never be found.
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

bool RangeRemovals::cover(std::string_view key, std::uint64_t number) const {
  for (const auto& [length, count] : lengths_) {
    if (length > key.size()) return false;
    const auto found = newest_.find(key.substr(0, length));
    if (found != newest_.end() && found->second->number > number) return true;
  }
  return false;
}

// ---- WriteQueue: callers

WriteQueue::WriteQueue(std::size_t max_bytes, std::shared_ptr<Clock> clock,
                       InFlightTable& in_flight, std::int64_t max_wait)
    : max_bytes_(max_bytes), max_wait_(max_wait), clock_(std::move(clock)), in_flight_(in_flight) {}

Offered WriteQueue::offer(std::string_view key, const WritePtr& write, const InFlight* by) {
  const std::size_t bytes = bytes_of(key, *write);
  const std::int64_t now = write->is_erasure() ? clock_->steady_now() : 0;
  base::Lock lock(mutex_);
  if (closed_) return {};
  if (by != nullptr && by->superseded) return {nullptr, nullptr, true};
  const SlotPtr older = replaceable_locked(key);
  const bool frees = older && !older->write->is_erasure();
  const std::size_t freed = frees ? older->bytes : 0;
  const std::size_t others = bytes_.load() - removal_bytes_ - freed;
  if (!write->is_erasure() && others != 0 && others + bytes > max_bytes_) return {};
  ++changes_;
  supersede_locked(key, *write, by);
  if (older) {
    const WritePtr replaced = older->write;
    replace_locked(older, write, bytes);
    return {older, replaced, false};
  }
  std::optional<std::int64_t> lost;
  if (write->is_erasure()) lost = bound_removals_locked(bytes, now);
  return {append_locked(key, write, bytes), nullptr, false, lost};
}

WriteQueue::Added WriteQueue::add(const RangePtr& range) {
  const std::int64_t now = clock_->steady_now();
  base::Lock lock(mutex_);
  if (closed_) return {range};
  ++changes_;
  if (range->kind == Range::Kind::put_calculations) {
    const bool waits = calculations_ && !calculations_->taken && !calculations_->dropped;
    if (waits) return {calculations_};
  }
  if (range->removes()) in_flight_.removed_prefix(range->prefix);
  range->bytes = kItemOverhead + range->prefix.size();
  const std::optional<std::int64_t> lost = bound_removals_locked(range->bytes, now);
  append_locked(range);
  if (range->kind == Range::Kind::put_calculations) calculations_ = range;
  return {range, lost};
}

void WriteQueue::supersede_locked(std::string_view key, const Write& write, const InFlight* by) {
  write.is_erasure() ? in_flight_.removed(key) : in_flight_.stored(key, by);
}

SlotPtr WriteQueue::replaceable_locked(std::string_view key) const {
  const auto found = newest_.find(key);
  if (found == newest_.end()) return nullptr;
  const SlotPtr& slot = found->second;
  return slot->taken || slot->number < last_range_ ? nullptr : slot;
}

void WriteQueue::replace_locked(const SlotPtr& slot, const WritePtr& write, std::size_t bytes) {
  count_locked(*write, bytes, true);
  count_locked(*slot->write, slot->bytes, false);
  slot->write = write;
  slot->bytes = bytes;
}

SlotPtr WriteQueue::append_locked(std::string_view key, const WritePtr& write, std::size_t bytes) {
  auto slot = std::make_shared<Slot>();
  slot->key = key;
  slot->number = last_number_ + 1;
  slot->write = write;
  slot->bytes = bytes;
  items_.push_back(slot);
  try {
    index_locked(slot);
  } catch (...) {  // an item in only one of the two would never be written, or never be found
    items_.pop_back();
    throw;
  }
  ++last_number_;
  ++items_count_;
  count_locked(*write, bytes, true);
  return slot;
}

void WriteQueue::append_locked(const RangePtr& range) {
  items_.push_back(range);
  try {
    if (range->removes()) removals_.add(range);
  } catch (...) {  // as in the other append_locked
    items_.pop_back();
    throw;
  }
  range->number = last_range_ = ++last_number_;
  ++items_count_;
  bytes_ += range->bytes;
  removal_bytes_ += range->bytes;
}

// The map's key is a view into its slot, so it must change together with the slot.
void WriteQueue::index_locked(const SlotPtr& slot) {
  auto older = newest_.extract(slot->key);
  if (older.empty()) {
    newest_.emplace(slot->key, slot);
    return;
  }
  older.key() = slot->key;
  older.mapped() = slot;
  newest_.insert(std::move(older));
}

void WriteQueue::count_locked(const Write& write, std::size_t bytes, bool added) {
  const std::size_t of_removals = write.is_erasure() ? bytes : 0;
  bytes_ += added ? bytes : 0 - bytes;
  removal_bytes_ += added ? of_removals : 0 - of_removals;
}

std::optional<std::int64_t> WriteQueue::bound_removals_locked(std::size_t bytes, std::int64_t now) {
  if (removal_bytes_ + bytes <= max_bytes_ || !is_refused_locked(max_wait_, now)) {
    return std::nullopt;
  }
  return remove_everything_locked();
}

std::int64_t WriteQueue::remove_everything_locked() {
  const auto all = std::make_shared<Range>();
  all->bytes = kItemOverhead;
  append_locked(all);
  std::int64_t lost = 0;
  auto kept = items_.begin();  // compacts in place: nothing may throw from here on
  for (Item& item : items_) {
    if (is_taken(item) || number_of(item) == all->number) {
      std::swap(*kept++, item);
      continue;
    }
    if (const auto* const slot = std::get_if<SlotPtr>(&item)) {
      lost += (*slot)->write->is_put ? 1 : 0;
      release_locked(*slot);
      (*slot)->dropped = true;
    } else {
      const RangePtr& range = std::get<RangePtr>(item);
      release_locked(range);
      range->dropped = true;
    }
  }
  items_.erase(kept, items_.end());
  return lost;
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
  for (std::size_t at = 0; at < keys.size() && !empty(); at += kLookupsAtOnce) {
    base::Lock lock(mutex_);
    for (const store::Lookup& key : keys.subspan(at, std::min(kLookupsAtOnce, keys.size() - at))) {
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

RangeRemovals WriteQueue::range_removals() const {
  base::Lock lock(mutex_);
  return removals_;
}

void WriteQueue::set_stuck(std::int64_t at_most) {
  stuck_until_ = base::add_saturated(clock_->steady_now(), at_most);
}

bool WriteQueue::is_stuck() const {
  const std::int64_t until = stuck_until_.load();
  return until != kNotStuck && clock_->steady_now() < until;
}

void WriteQueue::wait_a_little(std::int64_t at_most) {
  base::Lock lock(mutex_);
  if (!closed_) changed_.wait_for(mutex_, slice_of(at_most));
}

bool WriteQueue::is_refused_locked(std::int64_t max_wait, std::int64_t now) const {
  return refusing_since_ && now - *refusing_since_ >= max_wait;
}

template <class ItemPtr>
bool WriteQueue::wait_until_done(const ItemPtr& item, std::int64_t max_wait, const Push& push) {
  std::optional<Deadline> deadline;  // starts when this wait first sees that the store refuses
  while (true) {
    push();
    ASHMEMO_TEST_POINT("deadline: looks");
    if (!is_refusing()) {
      deadline.reset();
    } else if (!deadline) {
      deadline.emplace(*clock_, max_wait);
    }
    const bool is_late = deadline && deadline->is_over();
    const std::int64_t now = clock_->steady_now();
    base::Lock lock(mutex_);
    const bool refused = is_refused_locked(max_wait, now) || (refusing_since_ && is_late);
    if (item->done || item->dropped || closed_ || refused) return item->done;
    changed_.wait_for(mutex_, slice_of(max_wait));
  }
}

bool WriteQueue::wait(const SlotPtr& slot, std::int64_t max_wait, const Push& push) {
  return wait_until_done(slot, max_wait, push);
}

bool WriteQueue::wait(const RangePtr& range, std::int64_t max_wait, const Push& push) {
  return wait_until_done(range, max_wait, push);
}

// ---- WriteQueue: the worker. Taken items stay in their places until they are done, so giving them
// back needs no memory.

Group WriteQueue::take(std::size_t max_rows, std::int64_t max_bytes) {
  Group group;
  std::int64_t bytes = 0;
  base::Lock lock(mutex_);
  // Reserve first: nothing may throw after the first item is taken.
  group.slots.reserve(std::min(max_rows, items_.size()));
  group.writes.reserve(std::min(max_rows, items_.size()));
  for (const Item& item : items_) {
    if (is_taken(item)) continue;
    if (const auto* range = std::get_if<RangePtr>(&item)) {
      if (!group.slots.empty()) break;
      group.range = *range;
      group.range->taken = true;
      break;
    }
    const auto& slot = std::get<SlotPtr>(item);
    bytes += slot->write->byte_size;
    if (group.slots.size() == max_rows || (!group.slots.empty() && bytes > max_bytes)) break;
    slot->taken = true;
    group.writes.push_back(slot->write);
    group.slots.push_back(slot);
  }
  return group;
}

void WriteQueue::finish(const Group& group) {
  stuck_until_ = kNotStuck;
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

void WriteQueue::give_back(const Group& group) noexcept {
  base::Lock lock(mutex_);
  if (group.range) group.range->taken = false;
  for (const SlotPtr& slot : group.slots) slot->taken = false;
}

void WriteQueue::drop_done_locked() {
  while (!items_.empty() && is_done(items_.front())) items_.pop_front();
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
  --items_count_;
}

void WriteQueue::set_refusing(bool refusing) {
  if (!refusing) stuck_until_ = kNotStuck;
  const std::int64_t now = clock_->steady_now();
  {
    base::Lock lock(mutex_);
    if (refusing_.exchange(refusing) == refusing) return;
    refusing_since_.reset();
    if (refusing) refusing_since_ = now;
  }
  changed_.notify_all();
}

std::uint64_t WriteQueue::last_number() const {
  base::Lock lock(mutex_);
  return last_number_;
}

bool WriteQueue::has_until(std::uint64_t number) const {
  base::Lock lock(mutex_);
  const auto first = std::find_if_not(items_.begin(), items_.end(), is_taken<Item>);
  return first != items_.end() && number_of(*first) <= number;
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
    removal_bytes_ = 0;
    items_count_ = 0;
    bytes_ = 0;
  }
  changed_.notify_all();
  return lost;
}

}  // namespace ashmemo::engine
