#pragma once

#include <functional>

namespace ashmemo {

/// Runs work in the background for the cache: the refreshes of stale entries.
///
/// `post` may run the task on any thread and at any later time, but not before it returns, because
/// its caller is inside of a load. For the same reason it must not wait: closing the cache waits
/// for it without a limit. A task never throws. It owns what it needs, so it may outlive
/// the cache; it then ends at once. Each task runs the newest refresh that waits when it begins, or
/// nothing if two refreshes of that calculation run already. If an executor drops a task, the cache
/// drops its oldest refresh. A later load that finds these entries stale requests another one.
///
/// Warning: if a thread runs other work of the program inside a task, loads in that work use the
/// scope of the refresh (see Resource::scope).
///
/// Life: the cache owns its executor until the cache is closed or destroyed, and releases it on
/// that thread. If no other object owns the executor, it is destroyed there, and its destructor may
/// wait for its own threads. If a task may close or destroy the cache, the program must own the
/// executor too.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::function<void()> task) = 0;
};

}  // namespace ashmemo
