#include "end_signals.hpp"

#include <algorithm>

namespace monitoring {

EndSignals::EndSignals() {
  sigemptyset(&signals_);
  for (const int one : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, one);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

bool EndSignals::came_before(std::chrono::steady_clock::time_point time) const {
  using std::chrono::nanoseconds;
  using std::chrono::seconds;
  const auto left = std::max(nanoseconds{0}, nanoseconds{time - std::chrono::steady_clock::now()});
  const auto whole = std::chrono::floor<seconds>(left);
  timespec length{};
  length.tv_sec = whole.count();
  length.tv_nsec = (left - whole).count();
  return ::sigtimedwait(&signals_, nullptr, &length) > 0;
}

}  // namespace monitoring
