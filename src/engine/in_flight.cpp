#include "engine/in_flight.hpp"

#include <chrono>
#include <functional>
#include <new>
#include <utility>

#include "base/mutex.hpp"

namespace ashmemo::engine {

thread_local const Refreshing* Refreshing::innermost_ = nullptr;

namespace {

// Never destroyed: threads may outlive static objects.
base::Mutex& mutex_of_waits() {
  static auto* const mutex = new base::Mutex;
  return *mutex;
}

// A wait for a flight that has ended is as good as over.
bool waits_for(const InFlight& flight, const Waiter& waiter) {
  const InFlight* next = &flight;
  while (next != nullptr && next->is_running()) {
    if (next->owner.get() == &waiter) return true;
    next = next->owner->waiting_for.get();
  }
  return false;
}

}  // namespace

const WaiterPtr& this_waiter() {
  thread_local const WaiterPtr waiter = std::make_shared<Waiter>();
  return waiter;
}

bool Refreshing::must_end() noexcept {
  const Refreshing* here = innermost_;
  while (here != nullptr && !here->closed_) here = here->outer_;
  return here != nullptr;
}

Wait::Wait(WaiterPtr waiter, InFlightPtr flight) : waiter_(std::move(waiter)) {
  base::Lock lock(mutex_of_waits());
  closes_circle_ = waits_for(*flight, *waiter_);
  if (!closes_circle_) waiter_->waiting_for = std::move(flight);
}

Wait::~Wait() {
  InFlightPtr ended;  // let go of after the lock
  base::Lock lock(mutex_of_waits());
  if (!closes_circle_) ended = std::exchange(waiter_->waiting_for, nullptr);
}

void RecentRemovals::add_key(std::string_view key) noexcept {
  add(false, std::hash<std::string_view>()(key), {});
}

void RecentRemovals::add_prefix(std::string_view prefix) noexcept {
  add(true, 0, prefix.substr(0, kMaxPrefix));
}

void RecentRemovals::add(bool is_prefix, std::size_t hash, std::string_view prefix) noexcept {
  ++last_;
  try {
    known_.push_back({is_prefix, hash, std::string(prefix)});
    if (known_.size() > kMax) known_.pop_front();
  } catch (const std::bad_alloc&) {
    known_.clear();
  }
}

RecentRemovals::Since::Since(const RecentRemovals& removals, std::uint64_t number) {
  const std::uint64_t missed = removals.last_ - number;
  all_ = missed > removals.known_.size();
  if (all_ || missed == 0) return;
  for (auto at = removals.known_.end() - static_cast<std::ptrdiff_t>(missed);
       at != removals.known_.end(); ++at) {
    if (at->is_prefix) {
      prefixes_.push_back(at->prefix);
    } else {
      keys_.push_back(at->hash);
    }
  }
  sort();
}

void RecentRemovals::Since::sort() {
  std::sort(keys_.begin(), keys_.end());
  std::sort(prefixes_.begin(), prefixes_.end());
  std::vector<std::string_view> shortest;
  for (const std::string_view prefix : prefixes_) {
    if (shortest.empty() || !prefix.starts_with(shortest.back())) shortest.push_back(prefix);
  }
  prefixes_.swap(shortest);
}

bool RecentRemovals::Since::covers(std::string_view key) const {
  if (all_) return true;
  if (keys_.empty() && prefixes_.empty()) return false;
  if (std::binary_search(keys_.begin(), keys_.end(), std::hash<std::string_view>()(key))) {
    return true;
  }
  const auto after = std::upper_bound(prefixes_.begin(), prefixes_.end(), key);
  return after != prefixes_.begin() && key.starts_with(*(after - 1));
}

namespace {

// A clock that is moved by hand wakes nobody: who waits until a moment looks at it this often.
constexpr std::chrono::microseconds kLook{2'000};
constexpr std::chrono::microseconds kLongLook{3'600'000'000};

}  // namespace

InFlightPtr InFlightTable::find_locked(const Wanted& wanted) const {
  const auto [first, last] = table_.equal_range(wanted.key);
  for (auto at = first; at != last; ++at) {
    const InFlight& flight = *at->second;
    const bool same = flight.is_joinable && flight.calculation_id == wanted.calculation_id &&
                      flight.record_version.view() == wanted.record_version;
    if (same) return at->second;
  }
  return nullptr;
}

InFlightPtr InFlightTable::add_locked(const Wanted& wanted, const RecentRemovals::Since& removed,
                                      const WaiterPtr& waiter) {
  auto flight = std::make_shared<InFlight>();
  flight->key = wanted.key;
  flight->record_version = Value(wanted.record_version);
  flight->calculation_id = wanted.calculation_id;
  flight->owner = waiter;
  flight->superseded = removed.covers(wanted.key);
  if (!flight->superseded) table_.emplace(flight->key, flight);
  size_ = table_.size();
  return flight;
}

std::vector<InFlightTable::Claim> InFlightTable::claim(std::span<const Wanted> wanted,
                                                       std::uint64_t removals_before,
                                                       const WaiterPtr& waiter) {
  std::vector<Claim> claims;
  claims.reserve(wanted.size());
  base::Lock lock(mutex_);
  const RecentRemovals::Since removed(recent_removals_, removals_before);
  try {
    for (const Wanted& one : wanted) {
      InFlightPtr found = find_locked(one);
      const bool is_own = !found;
      claims.push_back({is_own ? add_locked(one, removed, waiter) : std::move(found), is_own});
    }
  } catch (...) {  // no memory: nobody would ever end those that were added
    for (const Claim& claim : claims) {
      if (claim.is_own) remove_locked(*claim.flight);
    }
    throw;
  }
  return claims;
}

std::vector<InFlightPtr> InFlightTable::claim_alone(std::span<const Wanted> wanted,
                                                    std::uint64_t removals_before,
                                                    const WaiterPtr& waiter) {
  std::vector<InFlightPtr> in_flight;
  in_flight.reserve(wanted.size());
  base::Lock lock(mutex_);
  const RecentRemovals::Since removed(recent_removals_, removals_before);
  try {
    for (const Wanted& one : wanted) {
      in_flight.push_back(add_locked(one, removed, waiter));
      in_flight.back()->is_joinable = false;
    }
  } catch (...) {
    for (const InFlightPtr& flight : in_flight) remove_locked(*flight);
    throw;
  }
  return in_flight;
}

void InFlightTable::end_locked(InFlight& flight, InFlight::State state) {
  flight.state = state;
  if (waiting_ > 0) ended_condition_.notify_all();
}

void InFlightTable::complete(InFlight& flight, const Value& value) {
  Value copy(value);
  base::Lock lock(mutex_);
  if (!flight.is_running()) return;
  flight.value = std::move(copy);
  end_locked(flight, InFlight::State::completed);
}

void InFlightTable::end_thrown(InFlight& flight, std::exception_ptr thrown) {
  base::Lock lock(mutex_);
  if (!flight.is_running()) return;
  flight.thrown = std::move(thrown);
  end_locked(flight, InFlight::State::thrown);
}

void InFlightTable::end_failed(InFlight& flight, const std::string& why) {
  base::Lock lock(mutex_);
  if (!flight.is_running()) return;
  flight.why = why;
  end_locked(flight, InFlight::State::failed);
}

void InFlightTable::leave(std::span<const InFlightPtr> in_flight) {
  if (in_flight.empty()) return;
  base::Lock lock(mutex_);
  for (const InFlightPtr& flight : in_flight) {
    if (flight->is_running()) end_locked(*flight, InFlight::State::cancelled);
    remove_locked(*flight);
  }
  ++ended_;
}

void InFlightTable::remove_locked(const InFlight& flight) {
  const auto [first, last] = table_.equal_range(flight.key);
  for (auto at = first; at != last; ++at) {
    if (at->second.get() != &flight) continue;
    table_.erase(at);
    break;
  }
  size_ = table_.size();
}

InFlightTable::Waited InFlightTable::wait(const InFlightPtr& flight, const WaiterPtr& waiter,
                                          const Deadline* deadline) {
  if (!flight->is_running()) return Waited::ended;
  const Wait wait(waiter, flight);
  if (wait.closes_circle()) return Waited::circle;
  base::Lock lock(mutex_);
  ++waiting_;
  const auto is_over = [deadline] {
    return Refreshing::must_end() || (deadline != nullptr && deadline->is_over());
  };
  // A refresh may be one of another cache, whose closing does not wake this table.
  const bool looks = deadline != nullptr || Refreshing::is_here();
  while (flight->is_running() && !is_over()) {
    ended_condition_.wait_for(mutex_, looks ? kLook : kLongLook);
  }
  --waiting_;
  return flight->is_running() ? Waited::late : Waited::ended;
}

void InFlightTable::close() {
  base::Lock lock(mutex_);
  closed_ = true;
  ended_condition_.notify_all();
}

void InFlightTable::supersede_locked(std::string_view key, const InFlight* but) {
  const auto [first, last] = table_.equal_range(key);
  for (auto at = first; at != last;) {
    const InFlightPtr flight = at->second;  // the table's key is a view of its key
    if (flight.get() == but) {
      ++at;
      continue;
    }
    flight->superseded = true;
    at = table_.erase(at);
  }
  size_ = table_.size();
}

void InFlightTable::stored(std::string_view key, const InFlight* by) {
  if (size_.load() == 0) return;
  base::Lock lock(mutex_);
  supersede_locked(key, by);
}

void InFlightTable::removed(std::string_view key) {
  base::Lock lock(mutex_);
  recent_removals_.add_key(key);
  removals_ = recent_removals_.last();
  supersede_locked(key, nullptr);
}

void InFlightTable::removed_prefix(std::string_view prefix) {
  base::Lock lock(mutex_);
  recent_removals_.add_prefix(prefix);
  removals_ = recent_removals_.last();
  for (auto at = table_.begin(); at != table_.end();) {
    if (!at->first.starts_with(prefix)) {
      ++at;
      continue;
    }
    const InFlightPtr flight = at->second;  // the table's key is a view of its key
    flight->superseded = true;
    at = table_.erase(at);
  }
  size_ = table_.size();
}

}  // namespace ashmemo::engine
