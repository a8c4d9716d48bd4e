#include "support/watchdog.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace ashmemo::test {

namespace {

// The sanitizers' builds on a busy machine need a part of it.
constexpr std::chrono::minutes kAtMost{5};

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
  if (changed_.wait_until(lock, std::chrono::system_clock::now() + kAtMost,
                          [this] { return over_; })) {
    return;
  }
  std::fprintf(stderr, "%s: hangs\n", what);
  std::abort();
}

}  // namespace ashmemo::test
