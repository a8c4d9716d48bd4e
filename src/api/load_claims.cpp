#include "api/load_claims.hpp"

#include <utility>

#include "engine/in_flight.hpp"

namespace ashmemo::api {

Claims::Claims(engine::Engine& engine, std::span<const engine::Query> queries, IdOf id_of,
               std::optional<std::uint64_t> removals)
    : engine_(engine),
      queries_(queries),
      id_of_(std::move(id_of)),
      removals_(removals.value_or(engine.in_flight.removals())),
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

// Before anything is claimed: a flight that is in the table and not here would never end.
void Claims::make_wal_space(std::size_t more) {
  own_.resize(queries_.size());
  in_flight_.reserve(in_flight_.size() + more);
  joined_.reserve(joined_.size() + more);
}

void Claims::take(std::size_t query, engine::InFlightPtr flight) noexcept {
  in_flight_.push_back(flight);
  own_[query] = std::move(flight);
}

std::vector<std::size_t> Claims::claim(const std::vector<std::size_t>& wanted) {
  if (wanted.empty() || is_alone()) return wanted;
  make_wal_space(wanted.size());
  std::vector<std::size_t> own;
  own.reserve(wanted.size());
  auto claims = engine_.in_flight.claim(keys_of(wanted), removals_, engine::this_waiter());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    engine::InFlightPtr& flight = claims[i].flight;
    if (!claims[i].is_own) {
      joined_.push_back({wanted[i], std::move(flight)});
      continue;
    }
    own.push_back(wanted[i]);
    take(wanted[i], std::move(flight));
  }
  return own;
}

void Claims::claim_alone(const std::vector<std::size_t>& wanted) {
  if (is_alone()) return;
  make_wal_space(wanted.size());
  auto in_flight = engine_.in_flight.claim_alone(keys_of(wanted), removals_, engine::this_waiter());
  for (std::size_t i = 0; i < wanted.size(); ++i) take(wanted[i], std::move(in_flight[i]));
}

bool Claims::must_look_again() const {
  return !in_flight_.empty() &&
         (engine_.in_flight.ended() != ended_ || engine_.pending.changes() != changes_);
}

void Claims::complete(std::size_t query, const Value& value) {
  if (engine::InFlight* const flight = own(query)) engine_.in_flight.complete(*flight, value);
}

void Claims::end_thrown(std::size_t query, const std::exception_ptr& thrown) {
  if (engine::InFlight* const flight = own(query)) engine_.in_flight.end_thrown(*flight, thrown);
}

void Claims::end_failed(std::size_t query, const std::string& why) {
  if (engine::InFlight* const flight = own(query)) engine_.in_flight.end_failed(*flight, why);
}

// InFlightTable that were claimed before a fork stay where they are in the child.
void Claims::leave() {
  if (engine_.process.is_forked_child()) return;
  engine_.in_flight.leave(std::exchange(in_flight_, {}));
}

}  // namespace ashmemo::api
