#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <ashmemo/duration.hpp>

namespace ashmemo {

/// The source of time of the cache.
///
/// It has two clocks. The wall clock decides lifetimes, because its moments are stored and must
/// still be valid after a restart. The steady clock measures waits and intervals, because it never
/// jumps.
///
/// Threads: the cache calls both from any thread, at any time. They must be fast, and they must not
/// call the cache, because the cache may hold a mutex while it asks for the time.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Microseconds since 1970-01-01 UTC. May step in either direction.
  [[nodiscard]] virtual std::int64_t wall_now() const noexcept = 0;
  /// Microseconds since an arbitrary start. Never goes back.
  [[nodiscard]] virtual std::int64_t steady_now() const noexcept = 0;
};

/// The clocks of the machine. This is the default.
[[nodiscard]] std::shared_ptr<Clock> system_clock();

/// A clock that moves only when a test moves it. For your own tests too.
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
