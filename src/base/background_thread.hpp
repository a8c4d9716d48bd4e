#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <thread>

#include <ashmemo/executor.hpp>

#include "base/mutex.hpp"

namespace ashmemo::base {

/// An executor with one thread. The first task starts it.
///
/// Threads: any.
class BackgroundThread final : public Executor {
 public:
  ~BackgroundThread() override { stop(); }

  /// Throws std::runtime_error if the thread cannot be started; then the task is not stored.
  void post(std::function<void()> task) override;
  /// Drops the tasks that have not begun and waits for the running task, unless that task calls this.
  /// Later tasks are dropped, too.
  void stop() noexcept;

 private:
  // Shared with the thread, because its last task may run longer than this object exists.
  struct Tasks {
    Mutex mutex ASHMEMO_LOCK_LEVEL(5);
    Condition changed;
    std::deque<std::function<void()>> waiting ASHMEMO_GUARDED_BY(mutex);
    bool stopped ASHMEMO_GUARDED_BY(mutex) = false;
  };
  static void run(const std::shared_ptr<Tasks>& tasks);
  void start();

  const std::shared_ptr<Tasks> tasks_ = std::make_shared<Tasks>();
  Mutex thread_mutex_ ASHMEMO_LOCK_LEVEL(5);
  bool stopped_ ASHMEMO_GUARDED_BY(thread_mutex_) = false;
  std::thread thread_ ASHMEMO_GUARDED_BY(thread_mutex_);
};

}  // namespace ashmemo::base
