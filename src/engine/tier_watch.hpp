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
    return state_.load(std::memory_order_acquire) == State::awake;
  }
  /// A reader found it asleep. True: it was the first, and has to wake the worker.
  [[nodiscard]] bool ask() noexcept {
    State asleep = State::asleep;
    return state_.compare_exchange_strong(asleep, State::asked);
  }

  // The worker.
  [[nodiscard]] bool is_asked() const noexcept { return state_.load() == State::asked; }
  /// It has looked, and nothing in the tier is older than that.
  void looked() noexcept {
    if (state_.exchange(State::awake) != State::awake) just_woken_ = true;
  }
  /// The worker is about to sleep for long. True: not yet, the tier was woken or used (`hits` so
  /// far) since the last time.
  [[nodiscard]] bool stays_awake(std::int64_t hits) noexcept {
    const bool used = hits != hits_ || just_woken_;
    hits_ = hits;
    just_woken_ = false;
    State awake = State::awake;
    if (!used) state_.compare_exchange_strong(awake, State::asleep);
    return used || state_.load() == State::asked;
  }

 private:
  enum class State : std::uint8_t { awake, asleep, asked };

  std::atomic<State> state_{State::awake};
  // The worker's.
  std::int64_t hits_ = 0;
  bool just_woken_ = true;
};

}  // namespace ashmemo::engine
