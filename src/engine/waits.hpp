#pragma once

#include <atomic>

#include "engine/flight.hpp"

// Who waits for whom, over all caches of the process: a loader of one cache may ask another.

namespace ashmemo::engine {

/// The calling thread's.
[[nodiscard]] const WaiterPtr& this_waiter();

/// One wait of a party for a flight; made before it, gone after it. If waiting would close a
/// circle, the flight's owner waiting for this party by whatever number of others, there must be no
/// wait. Each party waits for one flight at a time, so the check follows one chain.
class Wait {
 public:
  Wait(WaiterPtr waiter, InFlightPtr flight);
  ~Wait();
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  [[nodiscard]] bool closes_circle() const noexcept { return closes_circle_; }

 private:
  const WaiterPtr waiter_;
  bool closes_circle_ = false;
};

/// While it lives, the calling thread runs a refresh of a cache, of which `closed` says whether it
/// is being closed. That waits for the refresh, perhaps in a calculation which this thread waits
/// for in another cache.
class Refreshing {
 public:
  explicit Refreshing(const std::atomic<bool>& closed) noexcept
      : closed_(closed), outer_(innermost_) {
    innermost_ = this;
  }
  ~Refreshing() { innermost_ = outer_; }
  Refreshing(const Refreshing&) = delete;
  Refreshing& operator=(const Refreshing&) = delete;

  [[nodiscard]] static bool is_here() noexcept { return innermost_ != nullptr; }
  /// Whether somebody who closes a cache waits for the calling thread.
  [[nodiscard]] static bool must_end() noexcept;

 private:
  static thread_local const Refreshing* innermost_;
  const std::atomic<bool>& closed_;
  const Refreshing* const outer_;
};

}  // namespace ashmemo::engine
