#include "engine/in_flight.hpp"

#include <chrono>
#include <functional>
#include <new>
#include <utility>

#include "base/mutex.hpp"
#include "base/platform.hpp"

namespace ashmemo::engine {

namespace {

struct WaitGraph {
  base::Mutex mutex ASHMEMO_LOCK_LEVEL(5);
};

base::Mutex& mutex_of_waits();

void before_fork() ASHMEMO_THREAD(no_thread_safety_analysis) { mutex_of_waits().lock(); }

void after_fork() ASHMEMO_THREAD(no_thread_safety_analysis) { mutex_of_waits().unlock(); }

// Never destroyed: threads may outlive static objects. A forked child that opens its own cache uses
// it, too, so a fork waits until it is free.
base::Mutex& mutex_of_waits() {
  static auto* const graph = [] {
    base::at_fork(before_fork, after_fork);
    return new WaitGraph;
  }();
  return graph->mutex;
}

// Whether the owner of `flight` waits for `waiter`, directly or through others. No thread waits for
// a result that has ended.
bool waits_for(const InFlight& flight, const Waiter& waiter) {
  const InFlight* next = &flight;
  while (next != nullptr && next->is_running()) {
    if (next->owner.get() == &waiter) return true;
    next = next->owner->waiting_for.get();
  }
  return false;
}

}  // namespace

// The program may load in the destructor of a static or thread_local object, which may run after
// `end` was destroyed. So `waiter` is a plain pointer, and `late_end` destroys a waiter that is
// made that late.
const WaiterPtr& this_waiter() {
  thread_local const WaiterPtr* waiter = nullptr;
  thread_local bool is_late = false;
  struct End {
    ~End() { delete std::exchange(waiter, nullptr); }
  };
  if (waiter == nullptr) {
    waiter = new WaiterPtr(std::make_shared<Waiter>());
    if (is_late) {
      thread_local const End late_end;
    } else {
      thread_local const End end;
    }
    is_late = true;
  }
  return *waiter;
}

bool Refreshing::must_end() noexcept {
  const Refreshing* here = innermost();
  while (here != nullptr && !here->closed_) here = here->outer();
  return here != nullptr;
}

Wait::Wait(WaiterPtr waiter, InFlightPtr flight) : waiter_(std::move(waiter)) {
  base::Lock lock(mutex_of_waits());
  closes_circle_ = waits_for(*flight, *waiter_);
  if (!closes_circle_) waiter_->waiting_for = std::move(flight);
}

Wait::~Wait() {
  InFlightPtr ended;  // destroyed after the mutex is released
  base::Lock lock(mutex_of_waits());
  if (!closes_circle_) ended = std::exchange(waiter_->waiting_for, nullptr);
}

namespace {

// Different from the hash of a key with the same text.
std::uint64_t hash_of_prefix(std::string_view prefix) { return ~base::hash_of(prefix); }

}  // namespace

void RemovalFilter::add_key(std::string_view key) noexcept {
  ++count_;
  add(base::hash_of(key));
}

void RemovalFilter::add_prefix(std::string_view prefix) noexcept {
  prefix = prefix.substr(0, kMaxPrefix);
  prefixes_[prefix.size()] = ++count_;
  add(hash_of_prefix(prefix));
}

void RemovalFilter::add(std::uint64_t hash) noexcept {
  Bucket& bucket = buckets_[hash % kBuckets];
  if (bucket.hash != hash) bucket.others = bucket.last;
  bucket.hash = hash;
  bucket.last = count_;
}

bool RemovalFilter::is_removed(std::uint64_t hash, std::uint64_t since) const noexcept {
  const Bucket& bucket = buckets_[hash % kBuckets];
  return bucket.others > since || (bucket.hash == hash && bucket.last > since);
}

bool RemovalFilter::covers(std::string_view key, std::uint64_t since) const noexcept {
  if (count_ == since) return false;
  if (is_removed(base::hash_of(key), since)) return true;
  for (std::size_t length = 0; length <= std::min(kMaxPrefix, key.size()); ++length) {
    if (prefixes_[length] <= since) continue;
    if (is_removed(hash_of_prefix(key.substr(0, length)), since)) return true;
  }
  return false;
}

namespace {

// A clock that a test moves wakes no thread, so a wait with a deadline looks at the clock this
// often.
constexpr std::chrono::microseconds kLook{2'000};

}  // namespace

InFlightPtr InFlightTable::find_locked(const Wanted& wanted, std::int64_t now) const {
  const auto [first, last] = table_.equal_range(wanted.key);
  for (auto at = first; at != last; ++at) {
    const InFlight& flight = *at->second;
    const bool same = flight.is_joinable && flight.calculation_id == wanted.calculation_id &&
                      flight.record_version.view() == wanted.record_version &&
                      !flight.is_too_old(now);
    if (same) return at->second;
  }
  return nullptr;
}

InFlightPtr InFlightTable::add_locked(const Wanted& wanted, std::uint64_t removals_before,
                                      const WaiterPtr& waiter) {
  auto flight = std::make_shared<InFlight>();
  flight->key = wanted.key;
  flight->record_version = Value(wanted.record_version);
  flight->calculation_id = wanted.calculation_id;
  flight->owner = waiter;
  flight->superseded = removal_filter_.covers(wanted.key, removals_before);
  if (!flight->superseded) table_.emplace(flight->key, flight);
  size_ = table_.size();
  return flight;
}

std::vector<InFlightTable::Claim> InFlightTable::claim(std::span<const Wanted> wanted,
                                                       std::uint64_t removals_before,
                                                       const WaiterPtr& waiter, std::int64_t now) {
  std::vector<Claim> claims;
  claims.reserve(wanted.size());
  base::Lock lock(mutex_);
  try {
    for (const Wanted& one : wanted) {
      if (InFlightPtr found = find_locked(one, now)) {
        const bool is_removed = removal_filter_.covers(one.key, removals_before);
        claims.push_back({std::move(found), false, is_removed});
      } else {
        claims.push_back({add_locked(one, removals_before, waiter), true, false});
      }
    }
  } catch (...) {  // no memory: no caller would ever end those that were added
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
  try {
    for (const Wanted& one : wanted) {
      in_flight.push_back(add_locked(one, removals_before, waiter));
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

void InFlightTable::complete(InFlight& flight, const Value& value, std::int64_t fresh_until) {
  Value copy(value);
  base::Lock lock(mutex_);
  if (!flight.is_running()) return;
  flight.value = std::move(copy);
  flight.fresh_until = fresh_until;
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
                                          const Deadline& deadline) {
  if (!flight->is_running()) return Waited::ended;
  const Wait wait(waiter, flight);
  if (wait.closes_circle()) return Waited::circle;
  base::Lock lock(mutex_);
  ++waiting_;
  // The calling refresh may belong to another cache, and closing that cache does not wake this
  // table.
  const bool looks = deadline.needs_looks() || Refreshing::is_here();
  while (flight->is_running() && !Refreshing::must_end() && !deadline.is_over()) {
    ended_condition_.wait_for(mutex_, looks ? kLook : deadline.left());
  }
  --waiting_;
  return flight->is_running() ? Waited::late : Waited::ended;
}

void InFlightTable::close() {
  base::Lock lock(mutex_);
  closed_ = true;
  ended_condition_.notify_all();
}

std::vector<std::size_t> InFlightTable::begin_refresh(RefreshBatch& batch,
                                                      std::span<const std::string_view> keys,
                                                      std::uint64_t removals_before) {
  std::vector<std::size_t> taken = refreshes_->begin(batch, keys);
  // Checked after `begin`, because a later removal finds the keys in the table.
  if (removals() == removals_before) return taken;
  const base::Lock lock(mutex_);
  for (std::size_t i = 0; i < batch.keys().size(); ++i) {
    const std::string_view key = batch.keys()[i];
    if (removal_filter_.covers(key, removals_before)) refreshes_->removed(key);
  }
  return taken;
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
  removal_filter_.add_key(key);
  removals_ = removal_filter_.count();
  supersede_locked(key, nullptr);
  if (refreshes_ != nullptr) refreshes_->removed(key);
}

void InFlightTable::removed_prefix(std::string_view prefix) {
  base::Lock lock(mutex_);
  removal_filter_.add_prefix(prefix);
  removals_ = removal_filter_.count();
  if (refreshes_ != nullptr) refreshes_->removed_prefix(prefix);
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
