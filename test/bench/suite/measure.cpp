#include "bench/suite/measure.hpp"

#include <algorithm>
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
  SteadyClock::time_point end;
  std::exception_ptr failed;
};

/// Lets all threads start at the same moment: when the last one has started.
class Start {
 public:
  explicit Start(std::size_t threads) : missing_(threads) {}

  void wait() {
    if (--missing_ == 0) {
      at_ = SteadyClock::now();
      is_given_ = true;
    }
    while (!is_given_) std::this_thread::yield();
  }
  /// That moment, for threads that have waited.
  [[nodiscard]] SteadyClock::time_point at() const { return at_; }

 private:
  std::atomic<std::size_t> missing_;
  std::atomic<bool> is_given_{false};
  SteadyClock::time_point at_;
};

/// All threads stop at the same moment, too. If there are more threads than processors, a thread
/// may begin late. With a time of its own it would then run alone at the end.
void work(const std::function<Nanoseconds()>& block, Start& start, double seconds,
          ThreadResult& result) {
  start.wait();
  try {
    do {
      result.latencies.add(block());
    } while (seconds_since(start.at()) < seconds);
    result.end = SteadyClock::now();
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
  Start start(blocks.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    threads.emplace_back([&, i] { work(blocks[i], start, seconds, all[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  SteadyClock::time_point end = start.at();
  std::size_t done = 0;
  for (const ThreadResult& result : all) {
    if (result.failed) std::rethrow_exception(result.failed);
    latencies.add(result.latencies);
    done += result.latencies.count();
    end = std::max(end, result.end);
  }
  return static_cast<double>(done) / std::chrono::duration<double>(end - start.at()).count();
}

}  // namespace ashmemo::bench
