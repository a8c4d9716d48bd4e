#include "engine/pending_writes.hpp"

#include <algorithm>

#include "base/test_point.hpp"
#include "engine/patience.hpp"

namespace ashmemo::engine {

namespace {

// Waits are cut into slices: the steady clock may be one that a test moves by hand.
constexpr std::int64_t kShortestSlice = 1'000;
constexpr std::int64_t kWaitSlice = 20'000;

std::chrono::microseconds slice_of(std::int64_t at_most) {
  return std::chrono::microseconds(std::clamp(at_most, kShortestSlice, kWaitSlice));
}

std::size_t bytes_of(std::string_view key, const Write& write) {
  return kItemOverhead + key.size() + write.value.size_bytes() + write.record_version.size_bytes();
}

}  // namespace

PendingWrites::PendingWrites(std::size_t most_bytes, std::shared_ptr<Clock> clock, Flights& flights,
                             std::int64_t max_wait)
    : most_bytes_(most_bytes), max_wait_(max_wait), clock_(std::move(clock)), flights_(flights) {}

Offered PendingWrites::offer(std::string_view key, const WritePtr& write, const Flight* by) {
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

void PendingWrites::supersede_locked(std::string_view key, const Write& write, const Flight* by) {
  write.is_erasure() ? flights_.removed(key) : flights_.stored(key, by);
}

SlotPtr PendingWrites::joinable_locked(std::string_view key) const {
  const auto found = newest_.find(key);
  if (found == newest_.end()) return nullptr;
  const SlotPtr& slot = found->second;
  return slot->taken || slot->number < last_range_ ? nullptr : slot;
}

void PendingWrites::join_locked(const SlotPtr& slot, const WritePtr& write, std::size_t bytes) {
  count_locked(*write, bytes, true);
  count_locked(*slot->write, slot->bytes, false);
  slot->write = write;
  slot->bytes = bytes;
}

SlotPtr PendingWrites::append_locked(std::string_view key, const WritePtr& write,
                                     std::size_t bytes) {
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
void PendingWrites::remember_locked(const SlotPtr& slot) {
  auto older = newest_.extract(slot->key);
  if (older.empty()) {
    newest_.emplace(slot->key, slot);
    return;
  }
  older.key() = slot->key;
  older.mapped() = slot;
  newest_.insert(std::move(older));
}

void PendingWrites::count_locked(const Write& write, std::size_t bytes, bool comes) {
  const std::size_t of_removals = write.is_erasure() ? bytes : 0;
  bytes_ += comes ? bytes : 0 - bytes;
  removal_bytes_ += comes ? of_removals : 0 - of_removals;
}

Pending PendingWrites::find_locked(std::string_view key) const {
  const auto found = newest_.find(key);
  const std::uint64_t number = found == newest_.end() ? 0 : found->second->number;
  if (removals_.cover(key, number)) return {Pending::Kind::removed, nullptr};
  if (number == 0) return {};
  const WritePtr& write = found->second->write;
  if (!write->is_put) return {Pending::Kind::removed, nullptr};
  return {Pending::Kind::put, write};
}

Pending PendingWrites::find(std::string_view key) const {
  if (empty()) return {};
  base::Lock lock(mutex_);
  return find_locked(key);
}

void PendingWrites::find_many(std::span<const store::Lookup> keys,
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

std::vector<std::pair<std::string, Pending>> PendingWrites::with_prefix(
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

void PendingWrites::wait_a_little(std::int64_t at_most) {
  base::Lock lock(mutex_);
  if (!closed_) changed_.wait_for(mutex_, slice_of(at_most));
}

bool PendingWrites::is_refused_locked(std::int64_t max_wait) const {
  return refusing_since_ && clock_->steady_now() - *refusing_since_ >= max_wait;
}

bool PendingWrites::is_done(const Range& range) {
  return range.done || (range.instead && is_done(*range.instead));
}

bool PendingWrites::is_done(const Slot& slot) {
  return slot.done || (slot.instead && is_done(*slot.instead));
}

template <class ItemPtr>
bool PendingWrites::wait_until_done(const ItemPtr& item, std::int64_t max_wait, const Push& push) {
  std::optional<Patience> patience;  // since this wait has seen the store refuse
  while (true) {
    push();
    ASHMEMO_TEST_POINT("patience: looks");
    base::Lock lock(mutex_);
    if (!refusing_since_) {
      patience.reset();
    } else if (!patience) {
      patience.emplace(*clock_, max_wait);
    }
    const bool refused = is_refused_locked(max_wait) || (patience && patience->is_over());
    const bool done = is_done(*item);
    if (done || closed_ || refused) return done;
    changed_.wait_for(mutex_, slice_of(max_wait));
  }
}

bool PendingWrites::wait(const SlotPtr& slot, std::int64_t max_wait, const Push& push) {
  return wait_until_done(slot, max_wait, push);
}

bool PendingWrites::wait(const RangePtr& range, std::int64_t max_wait, const Push& push) {
  return wait_until_done(range, max_wait, push);
}

}  // namespace ashmemo::engine
