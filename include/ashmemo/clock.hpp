#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <ashmemo/duration.hpp>

namespace ashmemo {

/// Where the cache takes its time from.
///
/// Two clocks, because they answer different questions. The wall clock decides lifetimes: its
/// moments are stored and must mean something after a restart. The steady clock measures waits and
/// intervals: it never jumps. Both may be called from any thread, at any time, and must be quick.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Microseconds since 1970-01-01 UTC. May step in either direction.
  [[nodiscard]] virtual std::int64_t wall_now() const noexcept = 0;
  /// Microseconds since an arbitrary start. Never goes back.
  [[nodiscard]] virtual std::int64_t steady_now() const noexcept = 0;
};

/// The machine's own clocks: the default.
[[nodiscard]] std::shared_ptr<Clock> system_clock();

/// A clock that stands still until it is told to move: for tests, the user's own included.
/// `advance` moves both clocks, `set_wall` only the wall clock, in either direction.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t wall_start = 1'700'000'000'000'000) noexcept
      : wall_(wall_start) {}

  [[nodiscard]] std::int64_t wall_now() const noexcept override { return wall_.load(); }
  [[nodiscard]] std::int64_t steady_now() const noexcept override { return steady_.load(); }

  void advance(Duration by) noexcept;
  void set_wall(std::int64_t now) noexcept { wall_.store(now); }

 private:
  std::atomic<std::int64_t> wall_;
  std::atomic<std::int64_t> steady_{0};
};

}  // namespace ashmemo
