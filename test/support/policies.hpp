#pragma once

#include <ashmemo/options.hpp>

namespace ashmemo::test {

/// Every policy that evicts. Tests that hold for each policy visit all of them.
inline constexpr Eviction kPolicies[] = {Eviction::fifo, Eviction::lru, Eviction::clock,
                                         Eviction::s3fifo};

}  // namespace ashmemo::test
