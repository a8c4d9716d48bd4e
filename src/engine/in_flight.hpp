#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <ashmemo/value.hpp>

#include "base/mutex.hpp"
#include "engine/time.hpp"

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

// Who waits for whom, over all caches of the process: a loader of one cache may ask another.

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

/// The last removals, by number: what was removed since a moment. Guarded by who has it.
///
/// What it does not remember exactly it takes for larger: a key is kept as its hash, of a long
/// prefix the beginning; whoever asks for more than it remembers is told that all was removed.
class RecentRemovals {
 public:
  static constexpr std::size_t kMax = 1'024;
  static constexpr std::size_t kMaxPrefix = 64;

  /// The number of the last one.
  [[nodiscard]] std::uint64_t last() const noexcept { return last_; }
  void add_key(std::string_view key) noexcept;
  void add_prefix(std::string_view prefix) noexcept;  // empty: everything

  /// What was removed after a number.
  class Since {
   public:
    Since(const RecentRemovals& removals, std::uint64_t number);
    [[nodiscard]] bool covers(std::string_view key) const;

   private:
    void sort();

    bool all_ = false;
    std::vector<std::size_t> keys_;  // hashes, sorted
    // Sorted, and none begins with another: only the last one up to a key can be its beginning.
    std::vector<std::string_view> prefixes_;
  };

 private:
  struct Removal {
    bool is_prefix = false;
    std::size_t hash = 0;
    std::string prefix;
  };

  void add(bool is_prefix, std::size_t hash, std::string_view prefix) noexcept;

  std::uint64_t last_ = 0;
  std::deque<Removal> known_;  // up to the last one
};

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
