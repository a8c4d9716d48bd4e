#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/clock.hpp>
#include <ashmemo/detail/core.hpp>
#include <ashmemo/detail/resource_core.hpp>

#include "engine/freshness.hpp"

namespace ashmemo::api {

/// How the results of a run are kept.
struct Keeping {
  /// As it was before the look-up: what is invalidated during the load stays invalid. 0: as a
  /// direct put.
  std::int64_t calculation_id = 0;
  engine::Lifetimes something;
  std::optional<engine::Lifetimes> nothing;  // of results that are nothing; nullopt: not kept
};

/// One calculation of a load, or the loader of a get_or_compute.
struct LoadRun {
  detail::PageRun* run = nullptr;
  detail::CalculationRun* registered = nullptr;  // the same; null for a loader
  bool one_call = true;                          // computes all its records at once
  std::optional<Keeping> keeping;                // nullopt: not cached
  std::size_t first_query = 0;                   // where cached: the query of record 0
  std::string_view scope;                        // of its keys: "@acme"
};

/// One result that was computed.
struct Computed {
  std::size_t run = 0;
  std::size_t record = 0;
  std::int64_t cost_us = 0;
};

/// One record for which a batch calculation answered Failed.
struct FailedRecord {
  std::size_t run = 0;
  std::size_t record = 0;
  std::string why;
};

/// What became of one call of PageRun::compute.
struct ComputeReport {
  std::vector<Computed> computed;
  std::vector<FailedRecord> failed;
  std::exception_ptr thrown;
  std::int64_t failures = 0;  // records that did not get their result, as they are counted
};

/// Runs the calculation for these records and takes the time of each. Of a batch that throws
/// nothing stands; of single records what was computed before. `landed` is told each result, as
/// soon as it stands.
[[nodiscard]] ComputeReport compute(const Clock& clock, const LoadRun& run, std::size_t number,
                                    std::span<const std::size_t> records,
                                    const std::function<void(const Computed&)>& completed);

/// What an exception of any kind says.
[[nodiscard]] std::string what_is(const std::exception_ptr& thrown);

}  // namespace ashmemo::api
