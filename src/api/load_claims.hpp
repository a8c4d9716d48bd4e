#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ashmemo/duration.hpp>
#include <ashmemo/value.hpp>

#include "engine/engine.hpp"
#include "engine/in_flight.hpp"
#include "engine/reading.hpp"

namespace ashmemo::api {

/// What one load computes itself and what it waits for. Queries are named by their numbers.
///
/// In a closed cache and in a forked child there is nobody to share with: then every claim is the
/// load's own, and no lock is touched.
class Claims {
 public:
  using IdOf = std::function<std::int64_t(std::size_t query)>;  // of its calculation

  /// Made before the look-up: what is stored or removed after that is noticed.
  /// `removals`: what was removed since that many is noticed, too; for records that are older.
  Claims(engine::Engine& engine, std::span<const engine::Query> queries, IdOf id_of,
         std::optional<std::uint64_t> removals = {});
  /// Whatever has no result is given up: others compute it.
  ~Claims() { leave(); }
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  struct Joined {
    std::size_t query = 0;
    engine::InFlightPtr flight;
  };

  /// Claims these; returns those that nobody else computes. The others are then in `joined`.
  [[nodiscard]] std::vector<std::size_t> claim(const std::vector<std::size_t>& wanted);
  [[nodiscard]] const std::vector<Joined>& joined() const noexcept { return joined_; }
  /// Claims these although others may compute them, too: nobody joins. What is stored or removed
  /// meanwhile is noticed as for any claim.
  void claim_alone(const std::vector<std::size_t>& wanted);
  /// Whether what was claimed may have been stored between the look-up and the claim.
  [[nodiscard]] bool must_look_again() const;
  /// How many removals there were when this was made, or those that it was given.
  [[nodiscard]] std::uint64_t removals() const noexcept { return removals_; }

  /// The query's own flight; null: it has none, or this is a child that was forked since.
  [[nodiscard]] engine::InFlight* own(std::size_t query) const {
    return query < own_.size() && !engine_.process.is_forked_child() ? own_[query].get() : nullptr;
  }
  /// Whether its key was stored or removed since: what is computed for it will not be kept.
  [[nodiscard]] bool is_superseded(std::size_t query) const {
    const engine::InFlight* const flight = own(query);
    return flight != nullptr && flight->superseded;
  }
  void complete(std::size_t query, const Value& value);
  void end_thrown(std::size_t query, const std::exception_ptr& thrown);
  void end_failed(std::size_t query, const std::string& why);
  /// What was claimed is stored, or will not be.
  void leave();

 private:
  [[nodiscard]] bool is_alone() const { return engine_.is_out_of_use(); }
  [[nodiscard]] std::vector<engine::InFlightTable::Wanted> keys_of(
      const std::vector<std::size_t>& wanted) const;
  void make_wal_space(std::size_t more);
  void take(std::size_t query, engine::InFlightPtr flight) noexcept;

  engine::Engine& engine_;
  const std::span<const engine::Query> queries_;
  const IdOf id_of_;
  const std::uint64_t removals_;
  const std::uint64_t ended_;
  const std::uint64_t changes_;
  std::vector<engine::InFlightPtr> own_;  // by query
  std::vector<engine::InFlightPtr> in_flight_;
  std::vector<Joined> joined_;
};

}  // namespace ashmemo::api
