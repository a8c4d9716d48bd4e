#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/value.hpp>

#include "base/key_hash.hpp"
#include "base/mutex.hpp"
#include "base/thread_stack.hpp"
#include "engine/refresh_queue.hpp"
#include "engine/time.hpp"

namespace ashmemo::engine {

struct InFlight;
using InFlightPtr = std::shared_ptr<InFlight>;

/// A thread that computes or waits. It waits for one result at a time.
struct Waiter {
  InFlightPtr waiting_for;  // guarded by the mutex of all waits, in in_flight.cpp
};
using WaiterPtr = std::shared_ptr<Waiter>;

/// One result that a caller is computing. Other callers that want it wait for it. They must want
/// the same key, version of the record, and calculation id. The id changes with each version of the
/// calculation and with each invalidation of all its results.
struct InFlight {
  enum class State : std::uint8_t {
    running,
    completed,  // `value` is the result
    thrown,     // `thrown` is the exception of a run for this key alone
    failed,     // a batch gave no result for this key; `why` is the reason
    cancelled,  // there will be no result: a caller that waits computes it
  };

  std::string key;
  Value record_version;
  std::int64_t calculation_id = 0;
  WaiterPtr owner;
  bool is_joinable = true;

  /// The key was stored or removed since the computation began. Callers that wait still get the
  /// result, but it must not be stored. The write queue sets and reads this under its mutex.
  std::atomic<bool> superseded{false};
  std::atomic<State> state{State::running};  // after `running` nothing here changes

  Value value;
  /// On the steady clock. From then on `value` is too old. The run that computed it may not end
  /// soon, so the result may remain in the table for any time.
  std::int64_t fresh_until = 0;
  std::exception_ptr thrown;
  std::string why;

  [[nodiscard]] bool is_running() const noexcept { return state.load() == State::running; }
  [[nodiscard]] bool is_too_old(std::int64_t now) const noexcept {
    return state.load() == State::completed && now >= fresh_until;
  }
};

// All caches of the process share the graph of waits, because a loader of one cache may ask
// another.

/// The waiter of the calling thread.
[[nodiscard]] const WaiterPtr& this_waiter();

/// One wait of a waiter for a result. Make it before the wait and destroy it afterwards. Do not
/// wait if this closes a circle: the owner of the result waits for this waiter, directly or through
/// others. Each waiter waits for one result at a time, so the check follows one chain.
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

/// While it lives, the calling thread runs a refresh of a cache. `closed` says whether that cache
/// is being closed. Closing waits for the refresh. The closing thread may run a calculation for
/// which the refresh waits in another cache, so the refresh must then stop waiting.
class Refreshing : public base::ThreadStack<Refreshing> {
 public:
  explicit Refreshing(const std::atomic<bool>& closed) noexcept : closed_(closed) {}

  [[nodiscard]] static bool is_here() noexcept { return innermost() != nullptr; }
  /// Whether a thread that closes a cache waits for the calling thread.
  [[nodiscard]] static bool must_end() noexcept;

 private:
  const std::atomic<bool>& closed_;
};

/// Remembers which keys were removed since an earlier moment, in a fixed amount of memory. It is
/// conservative: after many removals it can report a key that was not removed, but it never misses
/// one that was. The owner guards it with a mutex.
class RemovalFilter {
 public:
  /// Longer prefixes are cut to this length, so they cover more keys than were removed.
  static constexpr std::size_t kMaxPrefix = 64;

  /// The number of removals until now.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  void add_key(std::string_view key) noexcept;
  void add_prefix(std::string_view prefix) noexcept;  // empty: everything
  /// Whether the key may have been removed since there were `since` removals.
  [[nodiscard]] bool covers(std::string_view key, std::uint64_t since) const noexcept;

 private:
  /// A removal has a number, its place in the order of removals.
  struct Bucket {
    std::uint64_t hash = 0;    // of the last key or prefix that was removed here
    std::uint64_t last = 0;    // its number
    std::uint64_t others = 0;  // the number of the last removal here with another hash
  };
  static constexpr std::size_t kBuckets = 256;

  void add(std::uint64_t hash) noexcept;
  [[nodiscard]] bool is_removed(std::uint64_t hash, std::uint64_t since) const noexcept;

  std::uint64_t count_ = 0;
  std::array<Bucket, kBuckets> buckets_{};
  std::array<std::uint64_t, kMaxPrefix + 1> prefixes_{};  // by length: the number of the last one
};

/// Single flight: each result is computed once, even if the pages of many callers overlap. The
/// caller that claims a key first computes it; the others wait for the result.
///
/// A result stays in the table until it is in the write queue, or was dropped. A caller that comes
/// in between takes it from the table. A put or a removal of the key supersedes the result.
///
/// Threads: any. No user code runs under the mutex.
class InFlightTable {
 public:
  /// It reports removals to `refreshes`, which may be null and must outlive it.
  explicit InFlightTable(RefreshQueue* refreshes = nullptr) : refreshes_(refreshes) {}

  /// The answer for one wanted key.
  struct Claim {
    InFlightPtr flight;
    bool is_own = false;      // the caller has to compute it and to end it
    bool is_removed = false;  // of another caller; the key was removed since the look-up
  };

  /// The number of results that have left the table. If it has not changed since before a look-up,
  /// no result was stored since then.
  [[nodiscard]] std::uint64_t ended() const noexcept { return ended_.load(); }

  /// The number of removals until now. A load reads it before its look-up and passes it to `claim`.
  [[nodiscard]] std::uint64_t removals() const noexcept { return removals_.load(); }

  struct Wanted {
    std::string_view key;
    ValueView record_version;
    std::int64_t calculation_id = 0;  // as it was before the look-up
  };
  /// Claims the keys, which are all different; the claims are in the same order. If a key was
  /// removed since the look-up, the caller's record may be older than the removal. Its claim is
  /// then superseded from the beginning, and no other caller joins it.
  /// A finished result that is too old at `now`, on the steady clock, is not joined.
  [[nodiscard]] std::vector<Claim> claim(std::span<const Wanted> wanted,
                                         std::uint64_t removals_before, const WaiterPtr& waiter,
                                         std::int64_t now);
  /// Claims the keys, even if other callers compute them too. No other caller joins these claims.
  /// For a caller that could not get the result of another one.
  [[nodiscard]] std::vector<InFlightPtr> claim_alone(std::span<const Wanted> wanted,
                                                     std::uint64_t removals_before,
                                                     const WaiterPtr& waiter);

  // How a claimed result ends. Only the first end counts.
  void complete(InFlight& flight, const Value& value, std::int64_t fresh_until);
  void end_thrown(InFlight& flight, std::exception_ptr thrown);
  void end_failed(InFlight& flight, const std::string& why);
  /// Removes them from the table. Those that have not ended are cancelled.
  void leave(std::span<const InFlightPtr> in_flight);

  enum class Waited : std::uint8_t { ended, circle, late };
  /// Waits until the result has ended, unless that would close a circle. `late` is also the answer
  /// for a refresh whose own cache is being closed.
  Waited wait(const InFlightPtr& flight, const WaiterPtr& waiter, const Deadline& deadline);
  /// Ends the waits of refreshes. The closing thread waits for the refreshes, and it may run a
  /// calculation for which they wait.
  void close();
  [[nodiscard]] const std::atomic<bool>& closed() const noexcept { return closed_; }

  /// Calls RefreshQueue::begin. It also marks the keys that were removed since `removals_before`.
  [[nodiscard]] std::vector<std::size_t> begin_refresh(RefreshBatch& batch,
                                                       std::span<const std::string_view> keys,
                                                       std::uint64_t removals_before);

  // ---- changes. The write queue calls these under its mutex. Results that are being computed for
  // the key must not be stored afterwards, and no caller joins them any more.

  void stored(std::string_view key, const InFlight* by);
  void removed(std::string_view key);
  void removed_prefix(std::string_view prefix);  // empty: everything

 private:
  using Table = base::KeyMultimap<InFlightPtr>;  // views of their keys

  [[nodiscard]] InFlightPtr find_locked(const Wanted& wanted, std::int64_t now) const
      ASHMEMO_REQUIRES(mutex_);
  InFlightPtr add_locked(const Wanted& wanted, std::uint64_t removals_before,
                         const WaiterPtr& waiter) ASHMEMO_REQUIRES(mutex_);
  void remove_locked(const InFlight& flight) ASHMEMO_REQUIRES(mutex_);
  void end_locked(InFlight& flight, InFlight::State state) ASHMEMO_REQUIRES(mutex_);
  void supersede_locked(std::string_view key, const InFlight* but) ASHMEMO_REQUIRES(mutex_);

  RefreshQueue* const refreshes_;
  base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(4);
  base::Condition ended_condition_;
  Table table_ ASHMEMO_GUARDED_BY(mutex_);
  std::size_t waiting_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  RemovalFilter removal_filter_ ASHMEMO_GUARDED_BY(mutex_);
  std::atomic<bool> closed_{false};
  std::atomic<std::size_t> size_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<std::uint64_t> removals_{0};
};

}  // namespace ashmemo::engine
