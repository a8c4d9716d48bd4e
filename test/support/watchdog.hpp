#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace ashmemo::test {

/// Aborts the program with a message if this object still exists after five minutes.
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
