#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ashmemo/detail/resource_core.hpp>

#include "api/load.hpp"
#include "engine/in_flight.hpp"
#include "engine/reading.hpp"

namespace ashmemo::api {

/// A background batch. It recomputes stale values of one calculation, on copies of their records and
/// in the scope of the load that queued it.
///
/// When it runs, it recomputes only entries that are still stale and were not removed since that
/// load. If the calculation fails, the old values remain, and the refreshes of the calculation pause.
///
/// A queued batch claims nothing, so no load waits for it.
class Refresh {
 public:
  /// `stale` has the numbers of queries of the run with a stale value. Leaves out those that another
  /// batch refreshes. Null: there are none, or the calculation pauses. `removals` is the number of
  /// removals before the look-up, and so before the records were copied.
  [[nodiscard]] static std::shared_ptr<Refresh> begin(engine::Engine& engine, const LoadRun& run,
                                                      std::span<const engine::Query> queries,
                                                      std::span<const std::size_t> stale,
                                                      std::uint64_t removals);
  ~Refresh();
  Refresh(const Refresh&) = delete;
  Refresh& operator=(const Refresh&) = delete;

  void run() noexcept;

 private:
  Refresh(engine::Engine& engine, const LoadRun& run);
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
  engine::Query like_;  // the common part of all queries
  engine::RefreshKeys keys_;
  std::vector<Value> versions_;  // by key; trailing null ones are left out
};

}  // namespace ashmemo::api
