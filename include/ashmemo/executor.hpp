#pragma once

#include <functional>

namespace ashmemo {

/// Runs work in the background for the cache: the refreshes of stale entries.
///
/// `post` may run the task on any thread, at any later time, but not before it returns: its caller
/// is in the middle of a load. A task never throws. It holds
/// what it needs, so it may outlive the cache: it then ends at once.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::function<void()> task) = 0;
};

}  // namespace ashmemo
