#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "base/saturate.hpp"

namespace ashmemo::engine {

/// How long something that fails is left alone: a second after the first failure, twice as long
/// after each further one, a minute at most; on the steady clock. Any thread.
class BackOff {
 public:
  static constexpr std::int64_t kFirst = 1'000'000;
  static constexpr std::int64_t kMost = 60'000'000;
  static constexpr std::int64_t kPast = std::numeric_limits<std::int64_t>::min();

  [[nodiscard]] bool is_over(std::int64_t now) const noexcept { return now >= until_.load(); }
  void failed(std::int64_t now) noexcept {
    const std::int64_t length = std::clamp(length_.load() * 2, kFirst, kMost);
    length_ = length;
    until_ = base::add_saturated(now, length);
  }
  void succeeded() noexcept {
    if (length_.load(std::memory_order_relaxed) == 0) return;
    length_ = 0;
    until_ = kPast;
  }

 private:
  std::atomic<std::int64_t> length_{0};
  std::atomic<std::int64_t> until_{kPast};
};

}  // namespace ashmemo::engine
