#pragma once

#include <cstdint>
#include <limits>

#include <ashmemo/duration.hpp>

namespace ashmemo::base {

/// A time that never comes; it is larger than any real one.
inline constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

/// a + b, clamped to the range of the type instead of overflowing.
using detail::add_saturated;
using detail::subtract_saturated;

}  // namespace ashmemo::base
