#pragma once

#include "engine/flight.hpp"

// Who waits for whom, over all caches of the process: a loader of one cache may ask another.

namespace ashmemo::engine {

/// The calling thread's.
[[nodiscard]] const PartyPtr& this_party();

/// One wait of a party for a flight; made before it, gone after it. If waiting would close a
/// circle, the flight's owner waiting for this party by whatever number of others, there must be no
/// wait. Each party waits for one flight at a time, so the check follows one chain.
class Wait {
 public:
  Wait(PartyPtr party, FlightPtr flight);
  ~Wait();
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  [[nodiscard]] bool closes_circle() const noexcept { return closes_circle_; }

 private:
  const PartyPtr party_;
  bool closes_circle_ = false;
};

/// While it lives, the calling thread runs a refresh.
class Refreshing {
 public:
  Refreshing() noexcept { ++depth_; }
  ~Refreshing() { --depth_; }
  Refreshing(const Refreshing&) = delete;
  Refreshing& operator=(const Refreshing&) = delete;

  [[nodiscard]] static bool is_here() noexcept { return depth_ != 0; }

 private:
  static thread_local int depth_;
};

}  // namespace ashmemo::engine
