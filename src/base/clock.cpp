#include <ashmemo/clock.hpp>
#include <chrono>

#include "base/saturate.hpp"

namespace ashmemo {
namespace {

template <class Clock>
std::int64_t microseconds_of() noexcept {
  const auto since_start = Clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since_start).count();
}

class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t wall_now() const noexcept override {
    return microseconds_of<std::chrono::system_clock>();
  }
  [[nodiscard]] std::int64_t steady_now() const noexcept override {
    return microseconds_of<std::chrono::steady_clock>();
  }
};

void add(std::atomic<std::int64_t>* moment, std::int64_t by) noexcept {
  std::int64_t now = moment->load();
  while (!moment->compare_exchange_weak(now, base::add_saturated(now, by))) {
  }
}

}  // namespace

std::shared_ptr<Clock> system_clock() {
  // Never destroyed, because destructors of static objects may open caches.
  static const auto& clock = *new std::shared_ptr<Clock>(std::make_shared<SystemClock>());
  return clock;
}

void ManualClock::advance(Duration by) noexcept {
  add(&wall_, by.count());
  // A steady clock never goes back, even if a test asks for it.
  if (by.count() > 0) add(&steady_, by.count());
}

}  // namespace ashmemo
