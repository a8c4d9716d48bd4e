#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/saturate.hpp"

namespace ashmemo::engine {

/// Gives out the numbers that order entries: the wall clock where it moves on, one more than the
/// last where it stands still or goes back. So order is never broken by the clock, and an entry's
/// stamp is close to a moment. Strictly increasing over threads and, with `raise`, over restarts.
class Stamps {
 public:
  [[nodiscard]] std::int64_t next(std::int64_t wall_now) noexcept {
    std::int64_t last = last_.load(std::memory_order_relaxed);
    std::int64_t mine = 0;
    do {
      mine = std::max(base::add_saturated(last, 1), wall_now);
    } while (!last_.compare_exchange_weak(last, mine, std::memory_order_relaxed));
    return mine;
  }

  /// Every later stamp is larger than `seen`.
  void raise(std::int64_t seen) noexcept {
    std::int64_t last = last_.load(std::memory_order_relaxed);
    while (last < seen && !last_.compare_exchange_weak(last, seen, std::memory_order_relaxed)) {
    }
  }

 private:
  std::atomic<std::int64_t> last_{0};
};

}  // namespace ashmemo::engine
