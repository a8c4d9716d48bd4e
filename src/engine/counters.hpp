#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <ashmemo/duration.hpp>
#include <ashmemo/stats.hpp>

namespace ashmemo::engine {

/// One number that many threads add to. Its order is relaxed, because the numbers of Stats may
/// belong to different moments.
class Counter {
 public:
  void add(std::int64_t n = 1) noexcept {
    if (n != 0) value_.fetch_add(n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
  /// Returns the number and sets it to 0.
  std::int64_t take() noexcept { return value_.exchange(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// The counters of reads. Each hit is counted in one of them.
struct alignas(64) ReadCounters {
  // Counts a hit and its touch together, so that such a hit costs one addition.
  Counter hits_in_memory_coalesced;
  Counter hits_in_memory, hits_in_file, stale_in_memory, stale_in_file, misses, saved_us;
  // Each other touch is counted in one of these.
  Counter touches_begun, touches_coalesced, touches_unplaced;
  Counter hint_hits, wrong_hints;
};

/// A set of counters for each thread, so that cores do not take cache lines from each other.
class SpreadReadCounters {
 public:
  [[nodiscard]] ReadCounters& mine() noexcept { return cells_[cell_of_thread()]; }
  /// Their sums. All other fields are 0.
  [[nodiscard]] Stats sums() const noexcept;

 private:
  static constexpr std::size_t kCells = 16;

  /// If there are more threads than cells, threads share cells.
  [[nodiscard]] static std::size_t cell_of_thread() noexcept {
    static std::atomic<std::size_t> threads{0};
    static thread_local const std::size_t mine =
        threads.fetch_add(1, std::memory_order_relaxed) % kCells;
    return mine;
  }

  std::array<ReadCounters, kCells> cells_;
};

inline Stats SpreadReadCounters::sums() const noexcept {
  Stats sums;
  std::int64_t saved_us = 0;
  for (const ReadCounters& cell : cells_) {
    const std::int64_t quick = cell.hits_in_memory_coalesced.get();
    const std::int64_t in_memory = quick + cell.hits_in_memory.get();
    const std::int64_t coalesced = quick + cell.touches_coalesced.get();
    sums.hits += in_memory + cell.hits_in_file.get();
    sums.stale_hits += cell.stale_in_memory.get() + cell.stale_in_file.get();
    sums.memory_hits += in_memory + cell.stale_in_memory.get();
    sums.misses += cell.misses.get();
    sums.touches_coalesced += coalesced;
    sums.touches_dropped += cell.touches_unplaced.get();
    sums.touches_marked += cell.touches_begun.get() + coalesced + cell.touches_unplaced.get();
    sums.hint_hits += cell.hint_hits.get();
    sums.wrong_hints += cell.wrong_hints.get();
    saved_us += cell.saved_us.get();
  }
  sums.saved = Duration::microseconds(saved_us);
  return sums;
}

/// The counters of Stats, where each one is explained. Core::stats copies them. A table of pairs of
/// members would have as many lines as these copies.
struct Counters {
  SpreadReadCounters reads;
  Counter expired_misses, undecodable, damaged, unread, computed, joined, uncached_keys;
  Counter puts, refused, dropped, unencodable, superseded;
  Counter erased, replaced, expired, evicted;
  Counter touches_written, touches_lost;  // lost: the row was gone, or the write failed
  Counter commits, bytes_written, worker_errors;
};

}  // namespace ashmemo::engine
