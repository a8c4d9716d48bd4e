#include "engine/write_queue.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
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

// The maximum number of writes of a sweep that are looked at in one hold of the mutex.
constexpr std::size_t kSweepPart = 1'000;

// A list is cleaned if it has twice as many items as are queued, and this number more.
constexpr std::size_t kManyGone = 1'000;

std::size_t bytes_of(const Write& write) { return kItemOverhead + write.content_bytes(); }

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

RangePtr RangeRemovals::covering(std::string_view key, std::uint64_t number) const {
  for (const auto& [length, count] : lengths_) {
    if (length > key.size()) return nullptr;
    const auto found = newest_.find(key.substr(0, length));
    if (found != newest_.end() && found->second->number > number) return found->second;
  }
  return nullptr;
}

// ---- WriteQueue: callers

WriteQueue::WriteQueue(std::size_t max_bytes, std::shared_ptr<Clock> clock,
                       InFlightTable& in_flight, std::int64_t max_wait)
    : max_bytes_(max_bytes), max_wait_(max_wait), clock_(std::move(clock)), in_flight_(in_flight) {}

Offered WriteQueue::offer(const WritePtr& write, Waited waited, const InFlight* by) {
  const std::int64_t now = write->is_erasure() ? clock_->steady_now() : 0;
  base::Lock lock(mutex_);
  ASHMEMO_TEST_POINT("queue: locked");
  if (closed_) return {};
  if (by != nullptr && by->superseded) return {.superseded = true};
  Offered offered{.accepted = true};
  const Entry* older = untaken_locked(write->key());
  if (write->is_erasure() && (older == nullptr || !older->write->is_erasure())) {
    offered.lost = bound_removals_locked(bytes_of(*write), now);
    if (offered.lost) older = nullptr;
  }
  const std::size_t others = puts_bytes_without_locked(older);
  if (!write->is_erasure() && others != 0 && others + bytes_of(*write) > max_bytes_) return {};
  ++changes_;
  supersede_locked(*write, by);
  if (waited_.size() >= 2 * entries_.size() + kManyGone) {
    std::erase_if(waited_, [](const SlotPtr& slot) { return !slot->is_queued(); });
  }
  if (older != nullptr && (waited == Waited::no || older->slot)) {
    offered.slot = older->slot;
  } else if (waited == Waited::yes) {
    waited_.push_back(std::make_shared<Slot>());
    offered.slot = waited_.back();
  }
  if (older != nullptr) {
    older->slot = offered.slot;
    offered.replaced = replace_locked(*older, write);
    return offered;
  }
  append_locked(write, offered.slot);
  return offered;
}

/// The queued write of the key that a new one replaces, or null.
const WriteQueue::Entry* WriteQueue::untaken_locked(std::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() || found->taken ? nullptr : &*found;
}

/// The memory of all puts, except this one.
std::size_t WriteQueue::puts_bytes_without_locked(const Entry* entry) const {
  const bool counts = entry != nullptr && !entry->write->is_erasure();
  return bytes_.load() - removal_bytes_ - (counts ? bytes_of(*entry->write) : 0);
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

void WriteQueue::supersede_locked(const Write& write, const InFlight* by) {
  write.is_erasure() ? in_flight_.removed(write.key()) : in_flight_.stored(write.key(), by);
}

/// Callers that wait for the older write then wait for the new one, so the number stays. But if a
/// queued range removal covers the older write, they wait for that, and the new one gets a new
/// number. Returns the older write unless a removal covers it.
WritePtr WriteQueue::replace_locked(const Entry& entry, const WritePtr& write) {
  const RangePtr by = removals_.covering(write->key(), entry.number);
  if (by) {
    by->oldest = std::min(by->oldest, entry.number);
    entry.number = ++last_number_;
  }
  count_locked(*write, true);
  count_locked(*entry.write, false);
  WritePtr older = std::exchange(entry.write, write);
  if (entry.slot) entry.slot->write = write;
  return by ? nullptr : older;
}

void WriteQueue::append_locked(const WritePtr& write, const SlotPtr& slot) {
  const std::uint64_t number = last_number_ + 1;
  reserve_locked(1);
  const auto [entry, is_new] = entries_.insert(Entry{write, slot, number, {}});
  // From here on nothing may throw.
  if (!is_new) {  // the worker is committing the older write
    entry->write = write;
    entry->slot = slot;
    entry->number = number;
    entry->taken = false;
  }
  join_next_sweep_locked(*entry);
  if (slot) slot->write = write;
  last_number_ = number;
  count_locked(*write, true);
  count_items_locked();
}

void WriteQueue::append_locked(const RangePtr& range) {
  ranges_.push_back(range);
  try {
    if (range->removes()) removals_.add(range);
  } catch (...) {  // a command in only one of the two would never run, or never be seen
    ranges_.pop_back();
    throw;
  }
  range->number = range->oldest = ++last_number_;
  bytes_ += range->bytes;
  removal_bytes_ += range->bytes;
  count_items_locked();
}

void WriteQueue::count_locked(const Write& write, bool added) {
  const std::size_t bytes = bytes_of(write);
  const std::size_t of_removals = write.is_erasure() ? bytes : 0;
  bytes_ += added ? bytes : 0 - bytes;
  removal_bytes_ += added ? of_removals : 0 - of_removals;
}

void WriteQueue::count_items_locked() {
  items_count_ = entries_.size() + ranges_.size();
  has_full_group_ = !has_only_held_ && sweeps_[current_].left >= kFullGroup;
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
  all->oldest = 0;
  std::int64_t lost = 0;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    lost += !entry->taken && entry->write->is_put() ? 1 : 0;
    entry = entry->taken ? std::next(entry) : drop_locked(entry, nullptr);
  }
  for (const RangePtr& range : ranges_) {
    if (range->taken || range == all) continue;
    range->dropped = true;
    release_locked(range);
  }
  std::erase_if(ranges_, [](const RangePtr& range) { return range->dropped; });
  sweeps_[1 - current_].entries.clear();  // they are null
  count_items_locked();
  return lost;
}

Pending WriteQueue::find_locked(std::string_view key) const {
  const auto found = entries_.find(key);
  const std::uint64_t number = found == entries_.end() ? 0 : found->number;
  if (removals_.cover(key, number)) return {Pending::Kind::removed, nullptr};
  if (number == 0) return {};
  const WritePtr& write = found->write;
  if (!write->is_put()) return {Pending::Kind::removed, nullptr};
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
    for (const Entry& entry : entries_) {
      const std::string_view key = entry.write->key();
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

/// Copies the outcome of the newer write, or of the removal, for which the slot's callers wait now.
void WriteQueue::settle(Slot& slot) {
  if (slot.done || slot.dropped) return;
  const Slot* last = &slot;
  while (last->next) last = last->next.get();
  slot.existed = slot.existed || last->existed;
  slot.kept = last->kept;
  slot.dropped = last->dropped || (last->range && last->range->dropped);
  slot.done = last->done || (last->range && last->range->done);
}

template <class ItemPtr>
bool WriteQueue::wait_until_done(const ItemPtr& item, std::int64_t max_wait, const Push& push) {
  std::optional<Deadline> deadline;  // starts when this wait first sees that the store refuses
  while (true) {
    if (!push()) return false;
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
    settle(*item);
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

// ---- WriteQueue: the worker. Taken items stay in the table until they are done, so giving them
// back needs no memory.

std::vector<WritePtr> WriteQueue::begin_sweep(bool again) {
  std::size_t size = 0;
  {
    base::Lock lock(mutex_);
    Sweep& last = sweeps_[current_];
    Sweep& next = sweeps_[1 - current_];
    const bool ended = last.left == 0 || (has_only_held_ && next.left > 0);
    if (!ended && !again) return {};
    if (ended) {
      next.entries.reserve(next.entries.size() + last.left);
      std::vector<std::uint32_t> order(next.entries.size() + last.left);
      std::iota(order.begin(), order.end(), 0U);
      for (const Entry* const held : last.entries) {
        if (held != nullptr) join_next_sweep_locked(*held);
      }
      last = {};
      order_ = std::move(order);
      at_ = 0;
      current_ = 1 - current_;
      sweep_end_ = last_number_;
      has_only_held_ = false;
      was_passed_by_ = false;
    }
    size = sweeps_[current_].entries.size();
  }
  return writes_of_sweep(size);
}

/// In parts, because reads need the mutex. No write joins the sweep meanwhile.
std::vector<WritePtr> WriteQueue::writes_of_sweep(std::size_t size) const {
  std::vector<WritePtr> writes(size);
  for (std::size_t i = 0; i < size;) {
    base::Lock lock(mutex_);
    for (const std::size_t end = std::min(size, i + kSweepPart); i < end; ++i) {
      const Entry* const entry = sweeps_[current_].entries[i];
      if (entry != nullptr) writes[i] = entry->write;
    }
  }
  return writes;
}

void WriteQueue::arrange(std::vector<std::uint32_t> order) {
  base::Lock lock(mutex_);
  order_ = std::move(order);
  at_ = 0;
}

/// After it, `more` writes and those that the worker has taken join the next sweep without an
/// allocation.
void WriteQueue::reserve_locked(std::size_t more) {
  std::vector<const Entry*>& entries = sweeps_[1 - current_].entries;
  const std::size_t needed = entries.size() + taken_ + more;
  if (needed > entries.capacity()) entries.reserve(std::max(needed, 2 * entries.size()));
}

void WriteQueue::join_next_sweep_locked(const Entry& entry) {
  Sweep& next = sweeps_[1 - current_];
  entry.place = {1 - current_, next.entries.size()};
  next.entries.push_back(&entry);
  ++next.left;
}

void WriteQueue::leave_sweep_locked(const Entry& entry) {
  if (entry.place.is_nowhere()) return;
  Sweep& sweep = sweeps_[entry.place.sweep()];
  sweep.entries[entry.place.position()] = nullptr;
  --sweep.left;
  entry.place = {};
}

/// The rows and bytes that still fit into a group.
struct WriteQueue::GroupCapacity {
  std::size_t rows;
  std::int64_t bytes;  // of byte_size
  // This part is for other writes.
  std::size_t rows_of_others = 0;
  std::int64_t bytes_of_others = 0;

  [[nodiscard]] bool has_rows() const noexcept { return rows > rows_of_others; }
  /// Returns false if the write does not fit. The first one always does.
  [[nodiscard]] bool use(const Group& group, const Write& write) {
    if (!has_rows()) return false;
    if (!group.items.empty() && write.byte_size() > bytes - bytes_of_others) return false;
    --rows;
    bytes -= std::min(bytes, write.byte_size());
    return true;
  }
};

Group WriteQueue::take(std::size_t max_rows, std::int64_t max_bytes) {
  Group group;
  base::Lock lock(mutex_);
  // Reserve first: nothing may throw after the first item is taken.
  group.items.reserve(std::min(max_rows, entries_.size()));
  reserve_locked(std::min(max_rows, entries_.size()));
  const bool is_range = range_is_next_ && take_range_locked(group);
  if (!is_range) {
    GroupCapacity capacity{max_rows, max_bytes};
    if (was_passed_by_) take_from_sweep_locked(group, capacity);
    half_is_larger_ = !half_is_larger_;  // a half of one row is one row or none
    capacity.rows_of_others = (max_rows + (half_is_larger_ ? 0 : 1)) / 2;
    capacity.bytes_of_others = max_bytes / 2;
    take_waited_locked(group, capacity);
    capacity.rows_of_others = 0;
    capacity.bytes_of_others = 0;
    take_from_sweep_locked(group, capacity);
    take_waited_locked(group, capacity);
    if (group.empty()) (void)take_range_locked(group);
  }
  range_is_next_ = group.range == nullptr;
  taken_ = group.items.size();
  count_items_locked();
  return group;
}

/// Returns false if no range command is queued.
bool WriteQueue::take_range_locked(Group& group) {
  if (ranges_.empty() || ranges_.front()->taken) return false;
  ranges_.front()->taken = true;
  group.range = ranges_.front();
  return true;
}

/// One pass serves all removals that are queued now, because a page of records is removed by many.
void WriteQueue::drop_covered(Group& group) {
  if (!group.range || !group.range->removes()) return;
  std::uint64_t until = 0;
  {
    base::Lock lock(mutex_);
    if (group.range->number <= covered_until_) return;
    until = last_number_;
  }
  for (const std::size_t sweep : {0U, 1U}) {
    std::size_t from = 0;
    while (drop_some_covered(group, sweep, from)) from += kSweepPart;
  }
  base::Lock lock(mutex_);
  covered_until_ = until;
}

/// Looks at the part of a sweep that begins at `from`. Returns false at the end.
bool WriteQueue::drop_some_covered(Group& group, std::size_t sweep, std::size_t from) {
  base::Lock lock(mutex_);
  const std::vector<const Entry*>& entries = sweeps_[sweep].entries;
  for (std::size_t i = from; i < std::min(entries.size(), from + kSweepPart); ++i) {
    if (entries[i] == nullptr) continue;
    const WritePtr& write = entries[i]->write;
    const RangePtr by = removals_.covering(write->key(), entries[i]->number);
    if (!by) continue;
    if (write->is_put()) group.dropped.push_back({write, by});
    (void)drop_locked(entries_.find(write->key()), by);
  }
  return from + kSweepPart < entries.size();
}

/// `by`: the removal that covers the write; null: no commit ends the write.
WriteQueue::Entries::iterator WriteQueue::drop_locked(Entries::iterator entry, const RangePtr& by) {
  count_locked(*entry->write, false);
  leave_sweep_locked(*entry);
  if (by) by->oldest = std::min(by->oldest, entry->number);
  if (entry->slot) {
    entry->slot->range = by;
    entry->slot->dropped = !by;
    entry->slot->kept = by != nullptr;  // the removal came later
    entry->slot->write = nullptr;
  }
  const auto next = entries_.erase(entry);
  count_items_locked();
  return next;
}

void WriteQueue::take_waited_locked(Group& group, GroupCapacity& capacity) {
  while (!waited_.empty() && !waited_.front()->is_queued()) waited_.pop_front();
  std::size_t held = 0;
  for (const SlotPtr& slot : waited_) {
    if (!capacity.has_rows() || held == kSweepPart) return;
    if (!slot->is_queued()) continue;
    const auto entry = entries_.find(slot->write->key());
    if (entry == entries_.end() || entry->taken) continue;
    const std::size_t before = group.items.size();
    if (!take_locked(group, capacity, *entry)) return;
    held += group.items.size() == before ? 1U : 0U;
  }
}

/// Goes round the sweep, because held writes are behind `at_`. If the next write of the sweep did
/// not fit beside waited ones, the next group begins with it. So waited writes do not delay a large
/// one for ever.
void WriteQueue::take_from_sweep_locked(Group& group, GroupCapacity& capacity) {
  const Sweep& sweep = sweeps_[current_];
  const std::size_t before = group.items.size();
  was_passed_by_ = false;
  if (has_only_held_) return;
  for (std::size_t looked_at = 0; looked_at < order_.size(); ++looked_at) {
    if (sweep.left == 0 || !capacity.has_rows()) return;
    const Entry* const entry = sweep.entries[order_[at_]];
    if (entry != nullptr && !take_locked(group, capacity, *entry)) {
      was_passed_by_ = group.items.size() == before;
      return;
    }
    at_ = at_ + 1 == order_.size() ? 0 : at_ + 1;
  }
  has_only_held_ = true;
}

/// Returns false if the write does not fit into the group. A write that a queued range removal
/// covers is held until that is done.
bool WriteQueue::take_locked(Group& group, GroupCapacity& capacity, const Entry& entry) {
  if (removals_.size() > 0 && removals_.cover(entry.write->key(), 0)) return true;
  if (!capacity.use(group, *entry.write)) return false;
  const bool existed = entry.slot && entry.slot->existed;
  group.items.push_back({entry.write, entry.slot, entry.number, entry.place, existed});
  leave_sweep_locked(entry);
  entry.taken = true;
  return true;
}

void WriteQueue::finish(const Group& group) {
  stuck_until_ = kNotStuck;
  {
    base::Lock lock(mutex_);
    taken_ = 0;
    for (const Group::Item& item : group.items) {
      count_locked(*item.write, false);
      if (item.slot) {
        item.slot->existed = item.slot->existed || item.existed;
        item.slot->kept = item.kept;
        item.slot->done = true;
        item.slot->write = nullptr;
      }
      const auto entry = entries_.find(item.write->key());
      if (entry != entries_.end() && entry->write == item.write) entries_.erase(entry);
    }
    if (group.range) {
      group.range->done = true;
      has_only_held_ = false;
      release_locked(group.range);
      if (ranges_.front() == group.range) ranges_.pop_front();
    }
    count_items_locked();
  }
  changed_.notify_all();
}

void WriteQueue::give_back(const Group& group, bool failed) noexcept {
  base::Lock lock(mutex_);
  if (group.range) group.range->taken = false;
  for (const Group::Item& item : group.items) {
    const bool is_lost_erasure = group.is_lost && item.write->is_erasure();
    if (is_lost_erasure && item.slot) item.slot->existed = item.existed;
  }
  for (const Group::Item& item : group.items) give_back_locked(item);
  taken_ = 0;
  if (!group.items.empty()) {
    at_ = 0;
    has_only_held_ = false;
    shorten_next_sweep_locked();
  }
  if (failed) range_is_next_ = group.range != nullptr;
  if (failed) was_passed_by_ = false;
  count_items_locked();
}

/// Writes that are given back join the next sweep again. So while the store refuses, it would grow
/// with each try. No other function may move the writes of a sweep: drop_covered finds them by
/// their places.
void WriteQueue::shorten_next_sweep_locked() {
  std::vector<const Entry*>& entries = sweeps_[1 - current_].entries;
  if (entries.size() <= 2 * sweeps_[1 - current_].left + kManyGone) return;
  std::erase(entries, nullptr);
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i]->place = {1 - current_, i};
}

void WriteQueue::give_back_locked(const Group::Item& item) {
  const std::string_view key = item.write->key();
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || entry->write != item.write) count_locked(*item.write, false);
  if (entry == entries_.end()) {  // remove_everything_locked has dropped a newer write
    if (item.slot) item.slot->dropped = true;
    if (item.slot) item.slot->write = nullptr;
    return;
  }
  entry->taken = false;
  if (entry->write != item.write) {  // a newer write replaces it now
    if (item.slot && entry->slot) {
      item.slot->next = entry->slot;
      item.slot->write = nullptr;
    } else if (item.slot) {
      entry->slot = item.slot;
      entry->slot->write = entry->write;
    }
    if (const RangePtr by = removals_.covering(key, item.number)) {
      by->oldest = std::min(by->oldest, item.number);
    } else {
      entry->number = item.number;
    }
  }
  leave_sweep_locked(*entry);
  if (item.place.sweep() == current_) {
    entry->place = item.place;
    sweeps_[current_].entries[item.place.position()] = &*entry;
    ++sweeps_[current_].left;
  } else {
    join_next_sweep_locked(*entry);
  }
  if (const RangePtr by = removals_.covering(key, entry->number)) drop_locked(entry, by);
}

void WriteQueue::release_locked(const RangePtr& range) {
  bytes_ -= range->bytes;
  removal_bytes_ -= range->bytes;
  removals_.remove(*range);
}

void WriteQueue::set_refusing(bool refusing) {
  const std::int64_t now = clock_->steady_now();
  {
    base::Lock lock(mutex_);
    if (refusing_.exchange(refusing) == refusing) return;
    refusing_since_.reset();
    if (refusing) refusing_since_ = now;
  }
  changed_.notify_all();
}

bool WriteQueue::has_refused_for_long() const {
  if (!is_refusing()) return false;
  const std::int64_t now = clock_->steady_now();
  base::Lock lock(mutex_);
  return is_refused_locked(max_wait_, now);
}

std::uint64_t WriteQueue::last_number() const {
  base::Lock lock(mutex_);
  return last_number_;
}

bool WriteQueue::has_until(std::uint64_t number) const {
  base::Lock lock(mutex_);
  const Sweep& sweep = sweeps_[current_];
  if (sweep_end_ < number && !entries_.empty()) return true;
  if (sweep_end_ <= number && sweep.left > 0) return true;
  // The sweep also has newer writes, of which some may be held for long.
  const auto is_until = [number](const Entry* entry) {
    return entry != nullptr && entry->number <= number;
  };
  return (sweep.left > 0 && std::any_of(sweep.entries.begin(), sweep.entries.end(), is_until)) ||
         std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const RangePtr& range) { return range->oldest <= number; });
}

std::int64_t WriteQueue::drop_all() {
  std::int64_t lost = 0;
  {
    base::Lock lock(mutex_);
    closed_ = true;
    for (const Entry& entry : entries_) lost += !entry.taken && entry.write->is_put() ? 1 : 0;
    entries_.clear();
    waited_.clear();
    ranges_.clear();
    sweeps_ = {};
    order_.clear();
    removals_.clear();
    removal_bytes_ = 0;
    bytes_ = 0;
    count_items_locked();
  }
  changed_.notify_all();
  return lost;
}

}  // namespace ashmemo::engine
