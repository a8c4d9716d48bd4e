#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/test_point.hpp"

namespace ashmemo::test {

/// Named events that threads wait for and make known, so that a test can force an order of what
/// they do. An event stays. Any thread.
class Events {
 public:
  void happened(const std::string& event);
  /// Until it has happened this often.
  void wait_for(const std::string& event, int times = 1);
  /// How often it has happened.
  [[nodiscard]] int times(const std::string& event);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> happened_;
};

/// Runs `what` at each test point while it lives.
class AtTestPoints {
 public:
  explicit AtTestPoints(std::function<void(std::string_view)> what) {
    base::set_at_test_point(std::move(what));
  }
  ~AtTestPoints() { base::set_at_test_point({}); }
  AtTestPoints(const AtTestPoints&) = delete;
  AtTestPoints& operator=(const AtTestPoints&) = delete;
};

}  // namespace ashmemo::test
