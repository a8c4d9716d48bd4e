#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "store/rows.hpp"

namespace ashmemo::engine {

/// Gives out the numbers that order entries: the wall clock where it moves on, one more than the
/// last where it stands still or goes back. So order is never broken by the clock, and an entry's
/// stamp is close to a moment. Strictly increasing over threads and, with `raise`, over restarts:
/// a clock or a file at the end of the numbers is not followed there, for there would be no next.
class SequenceClock {
 public:
  [[nodiscard]] std::int64_t next(std::int64_t wall_now) noexcept {
    std::int64_t last = last_.load(std::memory_order_relaxed);
    std::int64_t mine = 0;
    do {
      mine = std::max(last + 1, std::min(wall_now, kLastMoment));
    } while (!last_.compare_exchange_weak(last, mine, std::memory_order_relaxed));
    return mine;
  }

  /// Every later stamp is larger than `seen`.
  void raise(std::int64_t seen) noexcept {
    if (seen >= store::kNoStamp) return;
    std::int64_t last = last_.load(std::memory_order_relaxed);
    while (last < seen && !last_.compare_exchange_weak(last, seen, std::memory_order_relaxed)) {
    }
  }

 private:
  static constexpr std::int64_t kLastMoment = store::kNoStamp / 2;  // the year 75,000

  std::atomic<std::int64_t> last_{0};
};

}  // namespace ashmemo::engine
