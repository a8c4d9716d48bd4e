#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include <ashmemo/value.hpp>

namespace ashmemo::engine {

struct Flight;
using FlightPtr = std::shared_ptr<Flight>;

/// A thread that computes or waits, with everything nested in it. It waits for one flight at a
/// time.
struct Party {
  FlightPtr waiting_for;  // guarded by the mutex of all waits: see waits.hpp
};
using PartyPtr = std::shared_ptr<Party>;

/// One result that somebody is computing, for whoever else wants it meanwhile. Callers meet in a
/// flight only if they want the same: key, version of the record, and calculation id, which a new
/// version of the calculation and each invalidation of all its results change.
struct Flight {
  enum class State : std::uint8_t {
    flying,
    landed,     // `value` is the result
    thrown,     // `thrown` is what a run for this key alone threw
    failed,     // `why` a batch gave no result for this key
    abandoned,  // there will be none: whoever wants it computes it
  };

  std::string key;
  Value record_version;
  std::int64_t calculation_id = 0;
  PartyPtr owner;
  bool is_joinable = true;

  /// Somebody stored or removed the key since: the result is true for those who wait, and must not
  /// be stored. The queue of pending writes sets and asks it under its lock.
  std::atomic<bool> superseded{false};
  std::atomic<State> state{State::flying};  // once it is another, what goes with it stays

  Value value;
  std::exception_ptr thrown;
  std::string why;

  [[nodiscard]] bool is_flying() const noexcept { return state.load() == State::flying; }
};

}  // namespace ashmemo::engine
