#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/value.hpp>

#include "api/load.hpp"
#include "engine/engine.hpp"
#include "engine/reading.hpp"
#include "engine/refresh_queue.hpp"

namespace ashmemo::api {

/// The text of an exception of any type.
[[nodiscard]] std::string text_of(const std::exception_ptr& thrown);

/// A background batch. It recomputes stale values of one calculation, on copies of their records
/// and in the scope of the load that queued it.
///
/// When it runs, it recomputes only entries that are still stale and were not removed since that
/// load. If a record fails, its old value remains and the record pauses; the other records go on.
///
/// A queued batch claims nothing, so no load waits for it.
class Refresh final : public engine::RefreshBatch {
 public:
  /// `stale` has the numbers of the run's queries that have a stale value. Skips queries that
  /// another batch refreshes; returns null if no query remains. None of the
  /// cache's first `removals` removals removed a key of `stale` after the look-up.
  [[nodiscard]] static std::unique_ptr<Refresh> begin(engine::Engine& engine, const LoadRun& run,
                                                      std::span<const engine::Query> queries,
                                                      std::span<const std::size_t> stale,
                                                      std::uint64_t removals);
  ~Refresh() override;

  void run() override;

 private:
  Refresh(engine::Engine& engine, const LoadRun& run, const engine::CalculationState& state);
  void take(std::unique_ptr<detail::OwnedRun> records);
  [[nodiscard]] std::vector<std::size_t> take_over(std::span<const engine::Query> queries,
                                                   std::span<const std::size_t> stale,
                                                   std::size_t first_query, std::uint64_t removals);
  [[nodiscard]] std::vector<engine::Query> queries() const;
  void compute();

  std::unique_ptr<detail::OwnedRun> records_;  // owns the engine too, so it is destroyed last
  engine::Engine& engine_;
  LoadRun run_;
  const std::string scope_;
  engine::Query like_;           // the common part of all queries
  std::vector<Value> versions_;  // by key; trailing null ones are left out
};

}  // namespace ashmemo::api
