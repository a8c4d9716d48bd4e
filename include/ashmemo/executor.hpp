#pragma once

#include <functional>

namespace ashmemo {

/// Runs work in the background for the cache: the refreshes of stale entries.
///
/// `post` may run the task on any thread, at any later time, but not before it returns: its caller
/// is in the middle of a load. A task never throws. It holds what it needs, so it may outlive the
/// cache: it then ends at once. A task that is dropped is over, too: a later load that finds its
/// entries stale posts another.
///
/// Life: the cache holds its executor until it is closed or destroyed, and lets go of it on the
/// thread that does that. An executor that nobody else holds ends there, and may wait in its
/// destructor for its own threads. Where a task may close the cache, or destroy it, such an
/// executor must be held elsewhere, too.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::function<void()> task) = 0;
};

}  // namespace ashmemo
