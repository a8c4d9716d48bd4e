#include "support/watchdog.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace ashmemo::test {

namespace {

// Builds with sanitizers on a busy machine need only a part of this.
constexpr std::chrono::minutes kMaxTime{5};

}  // namespace

Watchdog::Watchdog(const char* what) : thread_([this, what] { watch(what); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::watch(const char* what) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_until(lock, std::chrono::system_clock::now() + kMaxTime,
                          [this] { return over_; })) {
    return;
  }
  std::fprintf(stderr, "watchdog: %s hangs\n", what);
  std::abort();
}

}  // namespace ashmemo::test
