#pragma once

#include <cstdint>
#include <vector>

namespace ashmemo::test {

/// The counts of durations of several types, made from the double with these bits. This code is
/// compiled with -ffast-math, as users may do.
[[nodiscard]] std::vector<std::int64_t> fast_math_counts_of(std::uint64_t bits);

}  // namespace ashmemo::test
