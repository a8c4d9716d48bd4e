#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ashmemo::engine {

/// One number that many threads add to and somebody reads now and then. Relaxed: the numbers of
/// Stats need not be of one moment.
class Counter {
 public:
  void add(std::int64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
  /// What was added since the last call.
  std::int64_t take() noexcept { return value_.exchange(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// As Counter, for what every read adds to: each thread adds to a cell of its own, which no other
/// core keeps taking away from it.
class SpreadCounter {
 public:
  void add(std::int64_t n) noexcept {
    if (n != 0) cells_[cell_of_thread()].value.add(n);
  }
  [[nodiscard]] std::int64_t get() const noexcept {
    std::int64_t sum = 0;
    for (const Cell& cell : cells_) sum += cell.value.get();
    return sum;
  }

 private:
  static constexpr std::size_t kCells = 16;
  struct alignas(64) Cell {
    Counter value;
  };

  /// More threads than cells share them.
  [[nodiscard]] static std::size_t cell_of_thread() noexcept {
    static std::atomic<std::size_t> threads{0};
    static thread_local const std::size_t mine =
        threads.fetch_add(1, std::memory_order_relaxed) % kCells;
    return mine;
  }

  std::array<Cell, kCells> cells_;
};

/// What Stats tells, as it is counted. See there for what each one means.
struct Counters {
  SpreadCounter hits, stale_hits, memory_hits, misses, saved_us;
  SpreadCounter touches_marked, touches_coalesced, touches_dropped;
  Counter expired_misses, undecodable, unread, computed, joined, uncached_keys;
  Counter puts, refused, dropped, unencodable, superseded;
  Counter erased, replaced, expired, evicted;
  Counter touches_written;
  Counter commits, bytes_written, worker_errors;
};

}  // namespace ashmemo::engine
