#pragma once

#include <signal.h>

#include <chrono>

namespace monitoring {

/// Ctrl-C, and what else asks the program to end, are waited for between frames: it then ends as it
/// does by itself, and leaves nothing behind.
class EndSignals {
 public:
  /// From now on they interrupt nothing, in this thread and in those that it starts.
  EndSignals();
  /// Waits until then. True: one of them came, maybe long before.
  [[nodiscard]] bool came_before(std::chrono::steady_clock::time_point time) const;

 private:
  sigset_t signals_{};
};

}  // namespace monitoring
