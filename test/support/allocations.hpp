#pragma once

#include <cstdint>
#include <new>

namespace ashmemo::test {

/// The number of calls of `new` on this thread. A program that uses this file has its own `operator
/// new` that counts.
[[nodiscard]] std::int64_t allocations_here() noexcept;

/// The bytes that this thread has allocated minus those that it has freed, as the allocator rounds
/// them.
[[nodiscard]] std::int64_t bytes_allocated_here() noexcept;

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

/// Runs `work` and lets the allocation after the first `before` ones fail. Returns false if `work`
/// needed fewer allocations.
template <class F>
[[nodiscard]] bool without_memory(std::int64_t before, F&& work) {
  const FailingAllocation failing(before);
  try {
    work();
  } catch (const std::bad_alloc&) {
  }
  return failing.has_failed();
}

}  // namespace ashmemo::test
