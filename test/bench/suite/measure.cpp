#include "bench/suite/measure.hpp"

#include <atomic>
#include <exception>
#include <thread>

namespace ashmemo::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kTurns = 10;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

void take_turn(Lane& lane, double seconds) {
  const auto start = SteadyClock::now();
  do {
    lane.latencies.add(lane.block());
  } while (seconds_since(start) < seconds);
  if (lane.after_turn) lane.after_turn();
}

/// The results of one thread.
struct ThreadResult {
  Latencies latencies{1 << 16};
  double seconds = 0;
  std::exception_ptr failed;
};

void work(const std::function<Nanoseconds()>& block, std::atomic<int>& waiting, double seconds,
          ThreadResult& result) {
  --waiting;
  while (waiting.load() > 0) std::this_thread::yield();
  const auto start = SteadyClock::now();
  try {
    do {
      result.latencies.add(block());
      result.seconds = seconds_since(start);
    } while (result.seconds < seconds);
  } catch (...) {
    result.failed = std::current_exception();
  }
}

}  // namespace

Rounds rounds_of(double seconds) { return {kTurns, seconds / kTurns}; }

void measure(std::span<Lane> lanes, const Rounds& rounds) {
  for (int round = 0; round < rounds.count; ++round) {
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      take_turn(lanes[(i + static_cast<std::size_t>(round)) % lanes.size()], rounds.seconds);
    }
  }
}

void warm_up(std::span<Lane> lanes, double seconds) {
  for (Lane& lane : lanes) {
    take_turn(lane, seconds);
    lane.latencies.clear();
  }
}

double run_threads(std::span<const std::function<Nanoseconds()>> blocks, double seconds,
                   Latencies& latencies) {
  std::vector<ThreadResult> all(blocks.size());
  std::atomic<int> waiting{static_cast<int>(blocks.size())};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    threads.emplace_back([&, i] { work(blocks[i], waiting, seconds, all[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  double each_second = 0;
  for (const ThreadResult& result : all) {
    if (result.failed) std::rethrow_exception(result.failed);
    latencies.add(result.latencies);
    each_second += static_cast<double>(result.latencies.count()) / result.seconds;
  }
  return each_second;
}

}  // namespace ashmemo::bench
