#include "support/allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::int64_t allocations = 0;
thread_local std::int64_t until_failure = -1;  // negative: no allocation fails

}  // namespace

// The other forms of `new` and `delete` call these, except the forms for over-aligned types.
void* operator new(std::size_t size) {
  ++allocations;
  const bool fails = until_failure >= 0 && until_failure-- == 0;
  if (fails) throw std::bad_alloc();
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace ashmemo::test {

std::int64_t allocations_here() noexcept { return allocations; }

FailingAllocation::FailingAllocation(std::int64_t before) noexcept { until_failure = before; }

FailingAllocation::~FailingAllocation() { until_failure = -1; }

bool FailingAllocation::has_failed() const noexcept { return until_failure < 0; }

}  // namespace ashmemo::test
