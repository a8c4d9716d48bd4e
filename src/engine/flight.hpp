#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include <ashmemo/value.hpp>

namespace ashmemo::engine {

struct InFlight;
using InFlightPtr = std::shared_ptr<InFlight>;

/// A thread that computes or waits, with everything nested in it. It waits for one flight at a
/// time.
struct Waiter {
  InFlightPtr waiting_for;  // guarded by the mutex of all waits: see waits.hpp
};
using WaiterPtr = std::shared_ptr<Waiter>;

/// One result that somebody is computing, for whoever else wants it meanwhile. Callers meet in a
/// flight only if they want the same: key, version of the record, and calculation id, which a new
/// version of the calculation and each invalidation of all its results change.
struct InFlight {
  enum class State : std::uint8_t {
    running,
    completed,  // `value` is the result
    thrown,     // `thrown` is what a run for this key alone threw
    failed,     // `why` a batch gave no result for this key
    cancelled,  // there will be none: whoever wants it computes it
  };

  std::string key;
  Value record_version;
  std::int64_t calculation_id = 0;
  WaiterPtr owner;
  bool is_joinable = true;

  /// Somebody stored or removed the key since: the result is true for those who wait, and must not
  /// be stored. The queue of pending writes sets and asks it under its lock.
  std::atomic<bool> superseded{false};
  std::atomic<State> state{State::running};  // once it is another, what goes with it stays

  Value value;
  std::exception_ptr thrown;
  std::string why;

  [[nodiscard]] bool is_running() const noexcept { return state.load() == State::running; }
};

}  // namespace ashmemo::engine
