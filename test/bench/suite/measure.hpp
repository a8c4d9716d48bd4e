#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bench/latencies.hpp"

namespace ashmemo::bench {

/// Operations that are timed together, where one takes so little that asking the clock would show.
inline constexpr std::size_t kBlock = 32;

using Nanoseconds = std::int64_t;

/// What `work` takes.
template <class F>
Nanoseconds timed(F&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
}

/// One of those that are measured against each other.
struct Lane {
  std::string system;
  std::size_t operations = 1;  ///< of a block; results are for each of them
  /// Does one block, preparing it outside of what it times.
  std::function<Nanoseconds()> block{};
  /// Once after each of its turns, not timed.
  std::function<void()> after_turn{};
  Latencies latencies{1 << 16};  ///< of blocks
};

/// How long: so many turns for each lane, each of so many seconds. 0 seconds: one block a turn.
struct Rounds {
  int count = 1;
  double seconds = 0;
};
/// Seconds of measurement for each lane, in short turns, so that drift hits all alike.
[[nodiscard]] Rounds rounds_of(double seconds);

/// A B C, B C A, C A B, ...: each lane comes first as often as any other.
void measure(std::span<Lane> lanes, const Rounds& rounds);
/// One turn each, whose results are dropped.
void warm_up(std::span<Lane> lanes, double seconds);

/// Threads that all do their block, again and again, for so long. What each block took is added to
/// `latencies`; returns the blocks of all threads together for each second.
double run_threads(std::span<const std::function<Nanoseconds()>> blocks, double seconds,
                   Latencies& latencies);

}  // namespace ashmemo::bench
