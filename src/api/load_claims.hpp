#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <ashmemo/value.hpp>

#include "engine/engine.hpp"
#include "engine/in_flight.hpp"
#include "engine/reading.hpp"

namespace ashmemo::api {

/// The results that one load computes itself, and those of other callers for which it waits.
/// Queries are identified by their numbers.
///
/// A closed cache and a forked child share nothing with other callers. There the load computes
/// everything that it claims, and no mutex is locked.
class Claims {
 public:
  /// The calculation id of a query.
  using IdOf = std::function<std::int64_t(std::size_t query)>;

  /// Construct it before the look-up, so that it notices everything that is stored or removed
  /// later.
  Claims(engine::Engine& engine, std::span<const engine::Query> queries, IdOf id_of);
  /// Cancels claims that have no result, so that other callers compute these.
  ~Claims() { leave(); }
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  struct Joined {
    std::size_t query = 0;
    engine::InFlightPtr flight;  // null: forgotten
  };

  /// Claims these queries; returns those that no other caller computes. The others are in `joined`.
  [[nodiscard]] std::vector<std::size_t> claim(const std::vector<std::size_t>& wanted);
  [[nodiscard]] const std::vector<Joined>& joined() const noexcept { return joined_; }
  /// Claims these queries, even if other callers compute them too. No other caller joins these
  /// claims.
  void claim_alone(const std::vector<std::size_t>& wanted);
  /// Whether a claimed result may have been stored between the look-up and the claim.
  [[nodiscard]] bool must_look_again() const;
  /// Until `leave`, is_superseded also knows these queries, for which nothing is computed.
  void watch(const std::vector<std::size_t>& queries);
  /// A later removal may concern a query although is_superseded does not know it. This is the
  /// number of removals before the look-up or, after `watch` and `leave`, before `leave`.
  [[nodiscard]] std::uint64_t removals() const noexcept { return known_removals_; }

  /// The claim of this load for the query, or null.
  [[nodiscard]] engine::InFlight* own(std::size_t query) const {
    return query < own_.size() ? own_[query].get() : nullptr;
  }
  /// Whether the query's key was stored or removed since the look-up. A result that is computed for
  /// it is then not stored, and a value that was found is no longer valid.
  [[nodiscard]] bool is_superseded(std::size_t query) const {
    if (query < removed_.size() && removed_[query]) return true;
    const engine::InFlight* const flight = own(query);
    return flight != nullptr && flight->superseded;
  }
  /// `fresh_until` is on the steady clock.
  void complete(std::size_t query, const Value& value, std::int64_t fresh_until);
  void end_thrown(std::size_t query, const std::exception_ptr& thrown);
  void end_failed(std::size_t query, const std::string& why);
  /// Call when the claimed results are in the write queue, or were dropped.
  void leave();
  /// The same for those that have ended. The others remain claimed.
  void leave_ended();
  /// For a forked child: forgets all claims, its own and those of others. Locks no mutex, because a
  /// thread that does not exist in the child may have locked it.
  void forget() noexcept;

 private:
  [[nodiscard]] bool is_alone() const { return engine_.is_out_of_use(); }
  [[nodiscard]] std::vector<engine::InFlightTable::Wanted> keys_of(
      const std::vector<std::size_t>& wanted) const;
  void reserve(std::size_t more);
  void take(std::size_t query, engine::InFlightPtr flight) noexcept;

  engine::Engine& engine_;
  const std::span<const engine::Query> queries_;
  const IdOf id_of_;
  const std::uint64_t removals_;  // before the look-up
  std::uint64_t known_removals_;
  bool is_watching_ = false;
  const std::uint64_t ended_;
  const std::uint64_t changes_;
  std::vector<engine::InFlightPtr> own_;        // by query
  std::vector<engine::InFlightPtr> in_flight_;  // the claims in own_, without gaps
  std::vector<Joined> joined_;
  std::vector<bool> removed_;  // by query: joined, and removed between the look-up and the claim
};

}  // namespace ashmemo::api
