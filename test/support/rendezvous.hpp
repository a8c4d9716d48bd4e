#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/test_point.hpp"

namespace ashmemo::test {

/// Named events that threads report and wait for, so that a test can force an order of actions. An
/// event that has happened is never reset. Threads: any.
class Events {
 public:
  void happened(const std::string& event);
  /// Waits until the event has happened this many times.
  void wait_for(const std::string& event, int times = 1);
  /// How many times the event has happened.
  [[nodiscard]] int times(const std::string& event);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> happened_;
};

/// Runs a function at each test point while this object exists.
class AtTestPoints {
 public:
  explicit AtTestPoints(std::function<void(std::string_view)> function) {
    base::set_at_test_point(std::move(function));
  }
  ~AtTestPoints() { base::set_at_test_point({}); }
  AtTestPoints(const AtTestPoints&) = delete;
  AtTestPoints& operator=(const AtTestPoints&) = delete;
};

}  // namespace ashmemo::test
