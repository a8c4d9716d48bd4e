#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <ashmemo/value.hpp>

#include "base/mutex.hpp"
#include "engine/deadline.hpp"
#include "engine/flight.hpp"
#include "engine/recent_removals.hpp"

namespace ashmemo::engine {

/// Single flight: what is being computed, each key once, however many callers ask for pages that
/// overlap. The caller who claims a key first computes it; the others wait for the result.
///
/// A flight stays in the table until its result is in the pending writes, or was dropped: whoever
/// asks in between takes what it came to. What is stored, put or removed meanwhile supersedes it.
///
/// Threads: any. No user code runs under the lock.
class InFlightTable {
 public:
  /// One key as its caller finds it.
  struct Claim {
    InFlightPtr flight;
    bool is_own = false;  // the caller has to compute it, and to end the flight
  };

  /// How many flights have left: a caller who sees it unchanged since before its look-up knows that
  /// nothing can have been stored by a flight in between.
  [[nodiscard]] std::uint64_t ended() const noexcept { return ended_.load(); }

  /// How many removals there were; read before a look-up and handed to `claim`.
  [[nodiscard]] std::uint64_t removals() const noexcept { return removals_.load(); }

  struct Wanted {
    std::string_view key;
    ValueView record_version;
    std::int64_t calculation_id = 0;  // as it was before the look-up
  };
  /// In the order of `wanted`, which are all different. A key that was removed since the look-up
  /// may have been missing for that reason, and the caller's record may be older: its new flight is
  /// superseded from the beginning, and nobody joins it.
  [[nodiscard]] std::vector<Claim> claim(std::span<const Wanted> wanted,
                                         std::uint64_t removals_before, const WaiterPtr& waiter);
  /// InFlightTable that nobody joins, beside those that may be there: for a caller who could not have the
  /// result of another. In the order of `wanted`.
  [[nodiscard]] std::vector<InFlightPtr> claim_alone(std::span<const Wanted> wanted,
                                                     std::uint64_t removals_before,
                                                     const WaiterPtr& waiter);

  // How a flight of the caller's ends; the first end counts.
  void complete(InFlight& flight, const Value& value);
  void end_thrown(InFlight& flight, std::exception_ptr thrown);
  void end_failed(InFlight& flight, const std::string& why);
  /// They leave; those that have not ended are abandoned.
  void leave(std::span<const InFlightPtr> in_flight);

  enum class Waited : std::uint8_t { ended, circle, late };
  /// Waits until the flight has ended, unless that would close a circle; `patience` may be null.
  /// Late, too: this is a refresh, and its own cache is being closed.
  Waited wait(const InFlightPtr& flight, const WaiterPtr& waiter, const Deadline* deadline);
  /// Refreshes wait no more: closing waits for them, perhaps in a calculation that they wait for.
  void close();
  [[nodiscard]] const std::atomic<bool>& closed() const noexcept { return closed_; }

  // Somebody stores or removes a key: results that are being computed for it must not be stored
  // after that, and nobody joins them any more. Called by the queue, under its lock.
  void stored(std::string_view key, const InFlight* by);
  void removed(std::string_view key);
  void removed_prefix(std::string_view prefix);  // empty: everything

 private:
  using Table =
      std::unordered_multimap<std::string_view, InFlightPtr>;  // views of the flights' keys

  [[nodiscard]] InFlightPtr find_locked(const Wanted& wanted) const ASHMEMO_REQUIRES(mutex_);
  InFlightPtr add_locked(const Wanted& wanted, const RecentRemovals::Since& removed,
                         const WaiterPtr& waiter) ASHMEMO_REQUIRES(mutex_);
  void remove_locked(const InFlight& flight) ASHMEMO_REQUIRES(mutex_);
  void end_locked(InFlight& flight, InFlight::State state) ASHMEMO_REQUIRES(mutex_);
  void supersede_locked(std::string_view key, const InFlight* but) ASHMEMO_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  base::Condition ended_condition_;
  Table table_ ASHMEMO_GUARDED_BY(mutex_);
  std::size_t waiting_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  RecentRemovals recent_removals_ ASHMEMO_GUARDED_BY(mutex_);
  std::atomic<bool> closed_{false};
  std::atomic<std::size_t> size_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<std::uint64_t> removals_{0};  // the number of the last one
};

}  // namespace ashmemo::engine
