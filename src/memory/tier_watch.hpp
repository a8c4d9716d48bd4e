#pragma once

#include <atomic>
#include <cstdint>

namespace ashmemo::memory {

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

}  // namespace ashmemo::memory
