#pragma once

#include <cstdint>

#include <ashmemo/clock.hpp>

#include "base/saturate.hpp"

namespace ashmemo::engine {

/// How long somebody goes on waiting: until the given clock or the machine's own says that the time
/// is over. A clock that a test moves by hand may stand still; a wait still ends.
class Deadline {
 public:
  Deadline(const Clock& clock, std::int64_t at_most)
      : clock_(clock),
        end_(base::add_saturated(clock.steady_now(), at_most)),
        real_end_(base::add_saturated(system_clock()->steady_now(), at_most)) {}

  [[nodiscard]] bool is_over() const noexcept {
    return clock_.steady_now() >= end_ || system_clock()->steady_now() >= real_end_;
  }

 private:
  const Clock& clock_;
  std::int64_t end_;
  std::int64_t real_end_;
};

}  // namespace ashmemo::engine
