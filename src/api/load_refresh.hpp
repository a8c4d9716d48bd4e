#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ashmemo/detail/resource_core.hpp>

#include "api/load_run.hpp"
#include "engine/reading.hpp"
#include "engine/refreshes.hpp"

namespace ashmemo::api {

/// A background batch: computes the values of stale entries of one calculation anew, on copies of
/// their records and in the scope of the load that asked for it.
///
/// What was stored or removed since the load that asked for it is left alone: only what is still
/// stale when it begins is computed. A failure keeps the old values; the calculation's refreshes
/// then pause for a while.
class Refresh {
 public:
  /// `stale`: which queries of the run have a stale value. Those that are being refreshed already
  /// are left out; null: all of them are, or the calculation pauses. `removals`: how many there
  /// were before the look-up, and so at least when the records were made.
  [[nodiscard]] static std::shared_ptr<Refresh> begin(engine::Engine& engine, const LoadRun& run,
                                                      std::span<const engine::Query> queries,
                                                      std::span<const std::size_t> stale,
                                                      std::uint64_t removals);
  ~Refresh();
  Refresh(const Refresh&) = delete;
  Refresh& operator=(const Refresh&) = delete;

  void run() noexcept;

 private:
  Refresh(engine::Engine& engine, const LoadRun& run, std::uint64_t removals);
  void take(std::unique_ptr<detail::OwnedRun> records);
  [[nodiscard]] std::vector<std::size_t> take_over(std::span<const engine::Query> queries,
                                                   std::span<const std::size_t> stale,
                                                   std::size_t first_query);
  [[nodiscard]] std::vector<engine::Query> queries() const;
  void compute();

  std::unique_ptr<detail::OwnedRun> records_;  // keeps the engine, too: destroyed last
  engine::Engine& engine_;
  LoadRun run_;
  const std::string scope_;
  const std::uint64_t removals_;
  engine::Query like_;  // what all queries have in common
  engine::RefreshKeys keys_;
  std::vector<Value> versions_;  // the last ones left out where they are null
};

}  // namespace ashmemo::api
