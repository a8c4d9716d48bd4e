#pragma once

#include <functional>
#include <memory>

#include <ashmemo/executor.hpp>

#include "base/mutex.hpp"

namespace ashmemo::engine {

/// The executor, until the cache is closed.
///
/// The slot may be the last owner of the executor, whose destructor may wait for its threads. So
/// the executor must not be destroyed on one of these threads: `give_up` destroys it on the thread
/// that closes the cache.
///
/// Threads: any.
class ExecutorSlot {
 public:
  explicit ExecutorSlot(std::shared_ptr<Executor> executor);

  /// Runs the task on the executor. Drops it after `give_up`.
  void post(std::function<void()> task);
  /// Waits for running calls of `post`, then releases the executor on this thread. If the executor
  /// calls this in its own `post`, for example by exit(), the slot keeps it.
  void give_up();

 private:
  class Use;

  base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  base::Condition unused_;
  std::shared_ptr<Executor> executor_ ASHMEMO_GUARDED_BY(mutex_);
  int uses_ ASHMEMO_GUARDED_BY(mutex_) = 0;
};

}  // namespace ashmemo::engine
