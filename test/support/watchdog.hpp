#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace ashmemo::test {

/// Ends the program with a word where what must not hang has not ended after five minutes.
class Watchdog {
 public:
  explicit Watchdog(const char* what);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void watch(const char* what);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace ashmemo::test
