#pragma once

#include <cstdint>

namespace ashmemo::test {

/// How often this thread has asked `new` for memory. A program that calls this has a `new` that
/// counts.
[[nodiscard]] std::int64_t allocations_here() noexcept;

/// While it lives, one request of this thread for memory fails: the one after `before` others.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::int64_t before) noexcept;
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  [[nodiscard]] bool has_failed() const noexcept;
};

}  // namespace ashmemo::test
