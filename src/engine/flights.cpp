#include "engine/flights.hpp"

#include <chrono>
#include <utility>

#include "engine/waits.hpp"

namespace ashmemo::engine {
namespace {

// A clock that is moved by hand wakes nobody: who waits until a moment looks at it this often.
constexpr std::chrono::microseconds kLook{2'000};
constexpr std::chrono::microseconds kLongLook{3'600'000'000};

}  // namespace

FlightPtr Flights::find_locked(const Wanted& wanted) const {
  const auto [first, last] = table_.equal_range(wanted.key);
  for (auto at = first; at != last; ++at) {
    const Flight& flight = *at->second;
    const bool same = flight.is_joinable && flight.calculation_id == wanted.calculation_id &&
                      flight.record_version.view() == wanted.record_version;
    if (same) return at->second;
  }
  return nullptr;
}

FlightPtr Flights::add_locked(const Wanted& wanted, const RecentRemovals::Since& removed,
                              const PartyPtr& party) {
  auto flight = std::make_shared<Flight>();
  flight->key = wanted.key;
  flight->record_version = Value(wanted.record_version);
  flight->calculation_id = wanted.calculation_id;
  flight->owner = party;
  flight->superseded = removed.covers(wanted.key);
  if (!flight->superseded) table_.emplace(flight->key, flight);
  size_ = table_.size();
  return flight;
}

std::vector<Flights::Claim> Flights::claim(std::span<const Wanted> wanted,
                                           std::uint64_t removals_before, const PartyPtr& party) {
  std::vector<Claim> claims;
  claims.reserve(wanted.size());
  base::Lock lock(mutex_);
  const RecentRemovals::Since removed(recent_removals_, removals_before);
  try {
    for (const Wanted& one : wanted) {
      FlightPtr found = find_locked(one);
      const bool is_own = !found;
      claims.push_back({is_own ? add_locked(one, removed, party) : std::move(found), is_own});
    }
  } catch (...) {  // no memory: nobody would ever end those that were added
    for (const Claim& claim : claims) {
      if (claim.is_own) remove_locked(*claim.flight);
    }
    throw;
  }
  return claims;
}

std::vector<FlightPtr> Flights::claim_alone(std::span<const Wanted> wanted,
                                            std::uint64_t removals_before, const PartyPtr& party) {
  std::vector<FlightPtr> flights;
  flights.reserve(wanted.size());
  base::Lock lock(mutex_);
  const RecentRemovals::Since removed(recent_removals_, removals_before);
  try {
    for (const Wanted& one : wanted) {
      flights.push_back(add_locked(one, removed, party));
      flights.back()->is_joinable = false;
    }
  } catch (...) {
    for (const FlightPtr& flight : flights) remove_locked(*flight);
    throw;
  }
  return flights;
}

void Flights::end_locked(Flight& flight, Flight::State state) {
  flight.state = state;
  if (waiting_ > 0) ended_condition_.notify_all();
}

void Flights::land(Flight& flight, const Value& value) {
  Value copy(value);
  base::Lock lock(mutex_);
  if (!flight.is_flying()) return;
  flight.value = std::move(copy);
  end_locked(flight, Flight::State::landed);
}

void Flights::end_thrown(Flight& flight, std::exception_ptr thrown) {
  base::Lock lock(mutex_);
  if (!flight.is_flying()) return;
  flight.thrown = std::move(thrown);
  end_locked(flight, Flight::State::thrown);
}

void Flights::end_failed(Flight& flight, const std::string& why) {
  base::Lock lock(mutex_);
  if (!flight.is_flying()) return;
  flight.why = why;
  end_locked(flight, Flight::State::failed);
}

void Flights::leave(std::span<const FlightPtr> flights) {
  if (flights.empty()) return;
  base::Lock lock(mutex_);
  for (const FlightPtr& flight : flights) {
    if (flight->is_flying()) end_locked(*flight, Flight::State::abandoned);
    remove_locked(*flight);
  }
  ++ended_;
}

void Flights::remove_locked(const Flight& flight) {
  const auto [first, last] = table_.equal_range(flight.key);
  for (auto at = first; at != last; ++at) {
    if (at->second.get() != &flight) continue;
    table_.erase(at);
    break;
  }
  size_ = table_.size();
}

Flights::Waited Flights::wait(const FlightPtr& flight, const PartyPtr& party,
                              const Patience* patience) {
  if (!flight->is_flying()) return Waited::ended;
  const Wait wait(party, flight);
  if (wait.closes_circle()) return Waited::circle;
  base::Lock lock(mutex_);
  ++waiting_;
  const auto is_over = [patience] {
    return Refreshing::must_end() || (patience != nullptr && patience->is_over());
  };
  // A refresh may be one of another cache, whose closing does not wake this table.
  const bool looks = patience != nullptr || Refreshing::is_here();
  while (flight->is_flying() && !is_over()) {
    ended_condition_.wait_for(mutex_, looks ? kLook : kLongLook);
  }
  --waiting_;
  return flight->is_flying() ? Waited::late : Waited::ended;
}

void Flights::close() {
  base::Lock lock(mutex_);
  closed_ = true;
  ended_condition_.notify_all();
}

void Flights::supersede_locked(std::string_view key, const Flight* but) {
  const auto [first, last] = table_.equal_range(key);
  for (auto at = first; at != last;) {
    const FlightPtr flight = at->second;  // the table's key is a view of its key
    if (flight.get() == but) {
      ++at;
      continue;
    }
    flight->superseded = true;
    at = table_.erase(at);
  }
  size_ = table_.size();
}

void Flights::stored(std::string_view key, const Flight* by) {
  if (size_.load() == 0) return;
  base::Lock lock(mutex_);
  supersede_locked(key, by);
}

void Flights::removed(std::string_view key) {
  base::Lock lock(mutex_);
  recent_removals_.add_key(key);
  removals_ = recent_removals_.last();
  supersede_locked(key, nullptr);
}

void Flights::removed_prefix(std::string_view prefix) {
  base::Lock lock(mutex_);
  recent_removals_.add_prefix(prefix);
  removals_ = recent_removals_.last();
  for (auto at = table_.begin(); at != table_.end();) {
    if (!at->first.starts_with(prefix)) {
      ++at;
      continue;
    }
    const FlightPtr flight = at->second;  // the table's key is a view of its key
    flight->superseded = true;
    at = table_.erase(at);
  }
  size_ = table_.size();
}

}  // namespace ashmemo::engine
