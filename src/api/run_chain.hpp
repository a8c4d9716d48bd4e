#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/reading.hpp"

namespace ashmemo::api {

/// A run of a calculation that is under way on this thread; those it is nested in are its chain.
///
/// Calculations that need each other without end are found when a nested run would contain all keys
/// of a run of the same calculation that is already on the chain: calculations that do not go in a
/// circle never do that. Runs of calculations that are not cached have no keys and are not seen.
class RunOnChain {
 public:
  /// `what`: which calculation. Error (cycle), with the path of runs, if this one is such a run.
  RunOnChain(const void* what, std::vector<const engine::Query*> keys);
  ~RunOnChain();
  RunOnChain(const RunOnChain&) = delete;
  RunOnChain& operator=(const RunOnChain&) = delete;

 private:
  [[nodiscard]] bool contains_all_of(const RunOnChain& other) const;
  [[noreturn]] void throw_cycle(const RunOnChain& since) const;
  [[nodiscard]] std::string shown() const;

  const void* const what_;
  const std::vector<const engine::Query*> keys_;  // sorted
  const RunOnChain* const outer_;
};

}  // namespace ashmemo::api
