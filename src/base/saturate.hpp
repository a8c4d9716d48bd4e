#pragma once

#include <cstdint>
#include <limits>

#include <ashmemo/duration.hpp>

namespace ashmemo::base {

/// A moment that never comes; larger than any real one.
inline constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

/// a + b, held at the ends of the range instead of overflowing.
using detail::add_saturated;
using detail::subtract_saturated;

}  // namespace ashmemo::base
