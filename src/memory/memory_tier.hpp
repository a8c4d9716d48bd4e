#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "memory/tier_entry.hpp"
#include "memory/tier_table.hpp"
#include "store/rows.hpp"

// The folder `memory`: copies of rows that were read recently, in front of the file.
//
// A reader asks the memory tier first. On a miss it asks the write queue and the store, and then
// offers the row to the tier. A thread that changes an entry announces it with a `TierChange`: from
// the beginning of the change the tier has no copy of that entry, and it refuses copies that were
// read before the change ended. So the tier never contains what the write queue or a newer state of
// the file would not answer.
//
// The tier may drop any copy at any time. A miss in the tier says nothing about the file.
//
// Threads: any. Each shard has one mutex, for threads that change it; it is the last lock that such
// a thread takes. Readers take no lock.

namespace ashmemo::memory {

class TierShard;

class MemoryTier {
 public:
  static constexpr std::int64_t kMinBytes = 64 << 10;

  /// A tier that takes at most `bytes` from the system, its own overhead included.
  explicit MemoryTier(std::int64_t bytes);
  ~MemoryTier();
  MemoryTier(const MemoryTier&) = delete;
  MemoryTier& operator=(const MemoryTier&) = delete;

  /// The result of a lookup that `fill` needs: which key, and after how many changes.
  struct Look {
    std::uint64_t hash = 0;
    std::uint64_t changes = 0;
  };

  /// Looks the key up and fills `look`. On a hit `row` refers to the words in `copy`. Takes no
  /// lock, never waits, and allocates only for entries of more than 2 KiB.
  bool find(std::string_view key, Look& look, TierCopy& copy, store::EntryView& row) noexcept;
  /// Stores a copy of the row unless the key may have changed since `look`. May do nothing.
  void fill(std::string_view key, const Look& look, const store::EntryView& row) noexcept;

  // Use TierChange instead of these.
  void begin_change(std::string_view key) noexcept;
  void end_change(std::string_view key) noexcept;
  void begin_change_of_all() noexcept;
  void end_change_of_all() noexcept;

  [[nodiscard]] TierUsage usage() const noexcept;

 private:
  [[nodiscard]] TierShard& shard_of(std::uint64_t hash) const noexcept;

  std::vector<std::unique_ptr<TierShard>> shards_;
};

/// Exists while a key, or everything, changes: from before the first thread can see the change
/// until every thread can see it.
class TierChange {
 public:
  /// `tier` may be null.
  TierChange(MemoryTier* tier, std::string_view key) noexcept
      : tier_(tier), is_of_all_(false), key_(key) {
    if (tier_ != nullptr) tier_->begin_change(key_);
  }
  /// A change of everything.
  explicit TierChange(MemoryTier* tier) noexcept : tier_(tier), is_of_all_(true) {
    if (tier_ != nullptr) tier_->begin_change_of_all();
  }
  ~TierChange() {
    if (tier_ == nullptr) return;
    is_of_all_ ? tier_->end_change_of_all() : tier_->end_change(key_);
  }
  TierChange(const TierChange&) = delete;
  TierChange& operator=(const TierChange&) = delete;

 private:
  MemoryTier* const tier_;
  const bool is_of_all_;
  const std::string_view key_;
};

/// Says whether the memory tier may answer. The worker checks once a second whether another program
/// changed the file, as long as readers use the tier. After a second without a reader both the
/// worker and the tier sleep. The next reader asks the store instead and wakes them.
class TierWatch {
 public:
  /// Any reader.
  [[nodiscard]] bool is_awake() const noexcept {
    return state_.load(std::memory_order_acquire) <= State::woken;
  }
  /// A reader found the tier asleep. Returns true for the first such reader, which must wake the
  /// worker.
  [[nodiscard]] bool ask() noexcept {
    State asleep = State::asleep;
    return state_.compare_exchange_strong(asleep, State::asked);
  }
  [[nodiscard]] bool is_asked() const noexcept { return state_.load() == State::asked; }

  /// The holder of the maintenance lock checked the file: nothing in the tier is older.
  void looked() noexcept {
    State now = state_.load();
    while (now > State::woken && !state_.compare_exchange_weak(now, State::woken)) continue;
  }
  /// The worker's thread is about to sleep for more than a second. Returns true if it must check
  /// again in a second, because the tier was woken or used since the last call. `hits`: the number
  /// of hits in memory so far.
  [[nodiscard]] bool stays_awake(std::int64_t hits) noexcept {
    State woken = State::woken;
    State awake = State::awake;
    if (hits_ == hits && !state_.compare_exchange_strong(woken, State::awake)) {
      state_.compare_exchange_strong(awake, State::asleep);
    }
    hits_ = hits;
    return state_.load() != State::asleep;
  }

 private:
  enum class State : std::uint8_t { awake, woken, asleep, asked };

  std::atomic<State> state_{State::woken};
  std::int64_t hits_ = 0;  // used by the worker's thread only
};

/// Null if `bytes` is less than kMinBytes: then there is no memory tier.
[[nodiscard]] std::unique_ptr<MemoryTier> make_memory_tier(std::int64_t bytes);

}  // namespace ashmemo::memory
