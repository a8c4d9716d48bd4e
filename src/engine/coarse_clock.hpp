#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <ashmemo/clock.hpp>

#include "base/platform.hpp"

namespace ashmemo::engine {

/// The wall clock, a moment ago: for hits that cost less than asking the machine for the time. A
/// clock of the user's is asked as ever.
class CoarseClock {
 public:
  /// How long ago at most, in microseconds. The system's tick is a few thousand; the rest is for
  /// machines that stood still.
  static constexpr std::int64_t kMaxBehind = 1'000'000;

  /// Null: the machine's.
  explicit CoarseClock(std::shared_ptr<Clock> given) : given_(std::move(given)) {}

  [[nodiscard]] std::int64_t now() const noexcept {
    return given_ ? given_->wall_now() : base::rough_wall_now();
  }

 private:
  const std::shared_ptr<Clock> given_;
};

}  // namespace ashmemo::engine
