#pragma once

#include <cstdint>

namespace ashmemo::test {

/// The number of calls of `new` on this thread. A program that uses this file has its own `operator
/// new` that counts.
[[nodiscard]] std::int64_t allocations_here() noexcept;

/// While it exists, one allocation of this thread fails: the one after the next `before`
/// allocations.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::int64_t before) noexcept;
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  [[nodiscard]] bool has_failed() const noexcept;
};

}  // namespace ashmemo::test
