#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>

#include "bench/suite/files.hpp"

namespace ashmemo::bench {

/// Calls `one`, so many times a second, until `stop` is set or `seconds` have passed: all that are
/// due once a millisecond, as a program would that does something else in between.
void at_pace(double each_second, double seconds, const std::atomic<bool>& stop,
             const std::function<void()>& one);

/// How many entries a second the system can take for good, if each evicts another.
[[nodiscard]] double sustained_rate(const Contestant& contestant, const Setup& setup,
                                    double seconds);

}  // namespace ashmemo::bench
