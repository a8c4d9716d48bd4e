#include "api/load_claims.hpp"

#include <algorithm>
#include <utility>

#include "engine/in_flight.hpp"

namespace ashmemo::api {

Claims::Claims(engine::Engine& engine, std::span<const engine::Query> queries, IdOf id_of)
    : engine_(engine),
      queries_(queries),
      id_of_(std::move(id_of)),
      removals_(engine.in_flight.removals()),
      known_removals_(removals_),
      ended_(engine.in_flight.ended()),
      changes_(engine.pending.changes()) {}

std::vector<engine::InFlightTable::Wanted> Claims::keys_of(
    const std::vector<std::size_t>& wanted) const {
  std::vector<engine::InFlightTable::Wanted> keys;
  keys.reserve(wanted.size());
  for (const std::size_t query : wanted) {
    keys.push_back({queries_[query].key, queries_[query].record_version, id_of_(query)});
  }
  return keys;
}

// Called before the claim. If memory ran out after the claim, the claimed results would never end.
void Claims::reserve(std::size_t more) {
  own_.resize(queries_.size());
  removed_.resize(queries_.size());
  in_flight_.reserve(in_flight_.size() + more);
  joined_.reserve(joined_.size() + more);
}

void Claims::take(std::size_t query, engine::InFlightPtr flight) noexcept {
  in_flight_.push_back(flight);
  own_[query] = std::move(flight);
}

std::vector<std::size_t> Claims::claim(const std::vector<std::size_t>& wanted) {
  if (wanted.empty() || is_alone()) return wanted;
  reserve(wanted.size());
  std::vector<std::size_t> own;
  own.reserve(wanted.size());
  auto claims = engine_.in_flight.claim(keys_of(wanted), removals_, engine::this_waiter(),
                                        engine_.clock->steady_now());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    engine::InFlightPtr& flight = claims[i].flight;
    if (!claims[i].is_own) {
      joined_.push_back({wanted[i], std::move(flight)});
      removed_[wanted[i]] = claims[i].is_removed;
      continue;
    }
    own.push_back(wanted[i]);
    take(wanted[i], std::move(flight));
  }
  return own;
}

void Claims::claim_alone(const std::vector<std::size_t>& wanted) {
  if (is_alone()) return;
  reserve(wanted.size());
  auto in_flight = engine_.in_flight.claim_alone(keys_of(wanted), removals_, engine::this_waiter());
  for (std::size_t i = 0; i < wanted.size(); ++i) take(wanted[i], std::move(in_flight[i]));
}

void Claims::watch(const std::vector<std::size_t>& queries) {
  claim_alone(queries);
  is_watching_ = true;
}

bool Claims::must_look_again() const {
  return !in_flight_.empty() &&
         (engine_.in_flight.ended() != ended_ || engine_.pending.changes() != changes_);
}

void Claims::complete(std::size_t query, const Value& value, std::int64_t fresh_until) {
  engine::InFlight* const flight = own(query);
  if (flight != nullptr) engine_.in_flight.complete(*flight, value, fresh_until);
}

void Claims::end_thrown(std::size_t query, const std::exception_ptr& thrown) {
  if (engine::InFlight* const flight = own(query)) engine_.in_flight.end_thrown(*flight, thrown);
}

void Claims::end_failed(std::size_t query, const std::string& why) {
  if (engine::InFlight* const flight = own(query)) engine_.in_flight.end_failed(*flight, why);
}

void Claims::leave() {
  if (std::exchange(is_watching_, false)) known_removals_ = engine_.in_flight.removals();
  engine_.in_flight.leave(std::exchange(in_flight_, {}));
}

void Claims::leave_ended() {
  const auto is_running = [](const engine::InFlightPtr& flight) { return flight->is_running(); };
  const auto ended = std::partition(in_flight_.begin(), in_flight_.end(), is_running);
  engine_.in_flight.leave(std::span(ended, in_flight_.end()));
  in_flight_.erase(ended, in_flight_.end());
}

void Claims::forget() noexcept {
  own_.clear();
  in_flight_.clear();
  for (Joined& joined : joined_) joined.flight.reset();
}

}  // namespace ashmemo::api
