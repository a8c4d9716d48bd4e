#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/latencies.hpp"
#include "bench/suite/survives.hpp"

namespace ashmemo::bench {

/// Short operations are timed in blocks of this many, because reading the clock also takes time.
inline constexpr std::size_t kBlock = 32;

using Nanoseconds = std::int64_t;

/// The duration of `work`.
template <class F>
Nanoseconds timed(F&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
}

/// One participant of a comparison: a system or a setting, its work and its results.
struct Lane {
  std::string system;
  std::size_t operations = 1;          ///< in a block; results are per operation
  std::optional<Survives> survives{};  ///< of the writes of a block; nullopt: it only reads
  /// Prepares a block of operations, runs it, and returns the duration of the second part.
  std::function<Nanoseconds()> block{};
  /// Runs after each turn of the lane; not timed.
  std::function<void()> after_turn{};
  Latencies latencies{1 << 16};  ///< of blocks
};

/// Each lane gets `count` turns of `seconds` seconds. 0 seconds: one block per turn.
struct Rounds {
  int count = 1;
  double seconds = 0;
};
/// Divides the seconds of each lane into short turns, so that drift of the machine affects all
/// alike.
[[nodiscard]] Rounds rounds_of(double seconds);

/// Runs the lanes in the order A B C, B C A, C A B, ... so that each is first equally often.
void measure(std::span<Lane> lanes, const Rounds& rounds);
/// Runs one turn of each lane and drops the results.
void warm_up(std::span<Lane> lanes, double seconds);

/// Runs one thread per block, and each thread repeats its block for `seconds`. Adds the duration of
/// every block to `latencies`. Returns the blocks per second of all threads together.
double run_threads(std::span<const std::function<Nanoseconds()>> blocks, double seconds,
                   Latencies& latencies);

}  // namespace ashmemo::bench
