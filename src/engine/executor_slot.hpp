#pragma once

#include <functional>
#include <memory>

#include <ashmemo/executor.hpp>

#include "base/mutex.hpp"

namespace ashmemo::engine {

/// The executor, until the cache is closed.
///
/// The cache may be all that holds it, and its destructor may wait for its threads. So it must not
/// end on one of these: neither with the last handle, which a task may hold, nor with a post.
class ExecutorSlot {
 public:
  explicit ExecutorSlot(std::shared_ptr<Executor> executor);

  /// Drops the task once the executor was given up.
  void post(std::function<void()> task);
  /// Waits for posts that are under way, and lets go of the executor on this thread.
  void give_up();

 private:
  class Use;

  base::Mutex mutex_;
  base::Condition unused_;
  std::shared_ptr<Executor> executor_ ASHMEMO_GUARDED_BY(mutex_);
  int uses_ ASHMEMO_GUARDED_BY(mutex_) = 0;
};

}  // namespace ashmemo::engine
