#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>

#include "bench/suite/files.hpp"

namespace ashmemo::bench {

/// Calls `one` `each_second` times a second, until `stop` is set or `seconds` have passed. Once a
/// millisecond it makes all calls that are due, as a program does that has other work between them.
void at_pace(double each_second, double seconds, const std::atomic<bool>& stop,
             const std::function<void()>& one);

/// The entries per second that the system can accept permanently while each evicts another entry.
[[nodiscard]] double sustained_rate(const Contestant& contestant, const Setup& setup,
                                    double seconds);

}  // namespace ashmemo::bench
