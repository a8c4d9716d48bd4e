#include "engine/write_queue.hpp"

#include <algorithm>

#include "base/test_point.hpp"
#include "engine/deadline.hpp"

namespace ashmemo::engine {

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

}  // namespace ashmemo::engine
