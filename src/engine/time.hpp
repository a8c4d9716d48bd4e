#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include <ashmemo/clock.hpp>

#include "base/mutex.hpp"
#include "base/platform.hpp"
#include "base/saturate.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

/// How long somebody goes on waiting: until the given clock or the machine's own says that the time
/// is over. A clock that a test moves by hand may stand still; a wait still ends.
class Deadline {
 public:
  Deadline(const Clock& clock, std::int64_t at_most)
      : clock_(clock),
        end_(base::add_saturated(clock.steady_now(), at_most)),
        real_end_(base::add_saturated(system_clock()->steady_now(), at_most)) {}

  [[nodiscard]] bool is_over() const noexcept {
    return clock_.steady_now() >= end_ || system_clock()->steady_now() >= real_end_;
  }

 private:
  const Clock& clock_;
  std::int64_t end_;
  std::int64_t real_end_;
};

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

/// The wall clock, a moment ago: for hits that cost less than asking the machine for the time. A
/// clock of the user's is asked as ever.
class CoarseClock {
 public:
  /// How long ago at most, in microseconds. The system's tick is a few thousand; the rest is for
  /// machines that stood still.
  static constexpr std::int64_t kMaxBehind = 1'000'000;

  /// Null: the machine's.
  explicit CoarseClock(std::shared_ptr<Clock> given) : given_(std::move(given)) {}

  [[nodiscard]] std::int64_t now() const noexcept {
    return given_ ? given_->wall_now() : base::rough_wall_now();
  }

 private:
  const std::shared_ptr<Clock> given_;
};

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
