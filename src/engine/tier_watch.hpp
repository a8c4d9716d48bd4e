#pragma once

#include <atomic>
#include <cstdint>

namespace ashmemo::engine {

/// Whether the memory tier may answer. What another program changes in the file, the worker sees
/// when it looks; while the tier answers it looks once a second. When nobody has asked the tier for
/// that long the worker sleeps, and the tier with it: the next reader asks the store and wakes
/// them.
class TierWatch {
 public:
  /// Any reader.
  [[nodiscard]] bool is_awake() const noexcept {
    return state_.load(std::memory_order_acquire) <= State::woken;
  }
  /// A reader found it asleep. True: it was the first, and has to wake the worker.
  [[nodiscard]] bool ask() noexcept {
    State asleep = State::asleep;
    return state_.compare_exchange_strong(asleep, State::asked);
  }
  [[nodiscard]] bool is_asked() const noexcept { return state_.load() == State::asked; }

  /// Whoever has the worker's role has looked, and nothing in the tier is older than that.
  void looked() noexcept {
    State now = state_.load();
    while (now > State::woken && !state_.compare_exchange_weak(now, State::woken)) continue;
  }
  /// The worker's thread is about to sleep for long. True: not yet, the tier was woken or used
  /// (`hits` so far) since the last time.
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
  std::int64_t hits_ = 0;  // the thread's
};

}  // namespace ashmemo::engine
