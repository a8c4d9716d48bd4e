#pragma once

#include <cstdint>

namespace ashmemo::test {

/// How often this thread has asked `new` for memory. A program that calls this has a `new` that
/// counts.
[[nodiscard]] std::int64_t allocations_here() noexcept;

}  // namespace ashmemo::test
