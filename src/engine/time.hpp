#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include <ashmemo/clock.hpp>

#include "base/platform.hpp"
#include "base/saturate.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

/// The end of a wait, by the given clock or by the clock of the machine, whichever comes first. So
/// a wait ends even if a test does not advance the given clock.
class Deadline {
 public:
  Deadline(const Clock& clock, std::int64_t at_most)
      : clock_(clock),
        end_(base::add_saturated(clock.steady_now(), at_most)),
        real_end_(base::add_saturated(system_clock()->steady_now(), at_most)) {}

  [[nodiscard]] bool is_over() const noexcept {
    return clock_.steady_now() >= end_ || system_clock()->steady_now() >= real_end_;
  }
  /// Whether a thread that waits must look at the given clock from time to time, because that clock
  /// does not wake it.
  [[nodiscard]] bool needs_looks() const noexcept { return &clock_ != system_clock().get(); }
  /// The time until the end by the clock of the machine.
  [[nodiscard]] std::chrono::microseconds left() const noexcept {
    return std::chrono::microseconds(
        base::subtract_saturated(real_end_, system_clock()->steady_now()));
  }

 private:
  const Clock& clock_;
  std::int64_t end_;
  std::int64_t real_end_;
};

/// The pause after failures: one second after the first failure, twice as long after each further
/// one, at most a minute. On the steady clock. Threads: one at a time.
class BackOff {
 public:
  static constexpr std::int64_t kFirst = 1'000'000;
  static constexpr std::int64_t kMax = 60'000'000;

  [[nodiscard]] bool is_over(std::int64_t now) const noexcept { return now >= until_; }
  /// An attempt that began at `began` failed. An attempt that began before the last counted failure
  /// is not counted, because many callers may meet the same failure at the same time.
  void failed(std::int64_t began, std::int64_t now) noexcept {
    if (began <= last_failure_) return;
    last_failure_ = now;
    length_ = std::clamp(length_ * 2, kFirst, kMax);
    until_ = base::add_saturated(now, length_);
  }

 private:
  static constexpr std::int64_t kPast = std::numeric_limits<std::int64_t>::min();

  std::int64_t last_failure_ = kPast;
  std::int64_t length_ = 0;
  std::int64_t until_ = kPast;
};

/// A cheap and slightly late wall clock, for hits that cost less than a call for the exact time. If
/// the user gave a clock, that is asked instead.
class CoarseClock {
 public:
  /// The maximum delay in microseconds. The system's tick is a few thousand; the rest is for
  /// machines that were suspended.
  static constexpr std::int64_t kMaxBehind = 1'000'000;

  /// `given` may be null: then it is the clock of the machine.
  explicit CoarseClock(std::shared_ptr<Clock> given) : given_(std::move(given)) {}

  [[nodiscard]] std::int64_t now() const noexcept {
    return given_ ? given_->wall_now() : base::coarse_wall_now();
  }

 private:
  const std::shared_ptr<Clock> given_;
};

/// The stamps that order entries: the wall clock while it advances, otherwise the last stamp plus
/// one. Stamps strictly increase over all threads and, with `raise`, over restarts. A clock or a
/// file near the maximum integer is ignored, because there would be no next stamp.
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

  /// Whether a stamp later than `moment` was given or seen.
  [[nodiscard]] bool is_beyond(std::int64_t moment) const noexcept {
    return last_.load(std::memory_order_relaxed) > moment;
  }

  /// Makes every later stamp larger than `seen`.
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
