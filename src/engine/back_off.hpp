#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "base/mutex.hpp"
#include "base/saturate.hpp"

namespace ashmemo::engine {

/// How long something that fails is left alone: a second after the first failure, twice as long
/// after each further one, a minute at most; on the steady clock. Any thread.
class BackOff {
 public:
  static constexpr std::int64_t kFirst = 1'000'000;
  static constexpr std::int64_t kMax = 60'000'000;

  [[nodiscard]] bool is_over(std::int64_t now) const noexcept { return now >= until_.load(); }
  /// What began at `began` has failed. Where that was not after the last failure that counted, it
  /// is one with that: many callers may meet one trouble at the same time.
  void failed(std::int64_t began, std::int64_t now) noexcept {
    const base::Lock lock(mutex_);
    if (began <= last_failure_) return;
    last_failure_ = now;
    const std::int64_t length = std::clamp(length_.load() * 2, kFirst, kMax);
    length_ = length;
    until_ = base::add_saturated(now, length);
  }
  void succeeded() noexcept {
    if (length_.load(std::memory_order_relaxed) == 0) return;
    const base::Lock lock(mutex_);
    length_ = 0;
    last_failure_ = until_ = kPast;
  }

 private:
  static constexpr std::int64_t kPast = std::numeric_limits<std::int64_t>::min();

  base::Mutex mutex_;
  std::int64_t last_failure_ ASHMEMO_GUARDED_BY(mutex_) = kPast;
  std::atomic<std::int64_t> length_{0};
  std::atomic<std::int64_t> until_{kPast};
};

}  // namespace ashmemo::engine
