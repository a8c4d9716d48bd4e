#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <thread>

#include <ashmemo/executor.hpp>

#include "base/mutex.hpp"

namespace ashmemo::base {

/// An executor with one thread, which is started by the first task.
class BackgroundThread final : public Executor {
 public:
  ~BackgroundThread() override { stop(); }

  /// Throws what starting a thread throws; then the task is not kept.
  void post(std::function<void()> task) override;
  /// Drops what has not begun and waits for the task that has, unless this is that task's own
  /// thread. Later tasks are dropped, too.
  void stop() noexcept;

 private:
  // Shared with the thread, which may outlive this object by its last task.
  struct Tasks {
    Mutex mutex;
    Condition changed;
    std::deque<std::function<void()>> waiting ASHMEMO_GUARDED_BY(mutex);
    bool stopped ASHMEMO_GUARDED_BY(mutex) = false;
  };
  static void run(const std::shared_ptr<Tasks>& tasks);
  void start();

  const std::shared_ptr<Tasks> tasks_ = std::make_shared<Tasks>();
  Mutex thread_mutex_;
  bool stopped_ ASHMEMO_GUARDED_BY(thread_mutex_) = false;
  std::thread thread_ ASHMEMO_GUARDED_BY(thread_mutex_);
};

}  // namespace ashmemo::base
