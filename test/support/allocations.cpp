#include "support/allocations.hpp"

#include <malloc.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

thread_local std::int64_t allocations = 0;
thread_local std::int64_t bytes = 0;

// The allocator keeps the size of a block before it.
constexpr std::int64_t kBlockHeader = 8;

std::int64_t bytes_of(void* memory) noexcept {
  return memory == nullptr ? 0
                           : static_cast<std::int64_t>(::malloc_usable_size(memory)) + kBlockHeader;
}

thread_local std::int64_t until_failure = -1;  // negative: no allocation fails

void count_or_fail() {
  ++allocations;
  const bool fails = until_failure >= 0 && until_failure-- == 0;
  if (fails) throw std::bad_alloc();
}

void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  bytes += bytes_of(memory);
  return memory;
}

void release(void* memory) noexcept {
  bytes -= bytes_of(memory);
  std::free(memory);
}

}  // namespace

// The other forms of `new` and `delete` call these, except with the address sanitizer.
void* operator new(std::size_t size) {
  count_or_fail();
  return counted(std::malloc(size == 0 ? 1 : size));
}
// std::stable_partition uses this form.
void* operator new(std::size_t size, const std::nothrow_t& /*nothrow*/) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
// std::pmr uses this form for all its memory.
void* operator new(std::size_t size, std::align_val_t alignment) {
  count_or_fail();
  void* memory = nullptr;
  const std::size_t at_least = std::max(static_cast<std::size_t>(alignment), sizeof(void*));
  if (::posix_memalign(&memory, at_least, size == 0 ? 1 : size) != 0) memory = nullptr;
  return counted(memory);
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace ashmemo::test {

std::int64_t allocations_here() noexcept { return allocations; }

std::int64_t bytes_allocated_here() noexcept { return bytes; }

FailingAllocation::FailingAllocation(std::int64_t before) noexcept { until_failure = before; }

FailingAllocation::~FailingAllocation() { until_failure = -1; }

bool FailingAllocation::has_failed() const noexcept { return until_failure < 0; }

}  // namespace ashmemo::test
