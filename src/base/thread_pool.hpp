#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include <ashmemo/executor.hpp>

namespace ashmemo::base {

/// An executor with a few threads. Posting a task starts a thread if all threads are busy.
///
/// Threads: any.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(std::size_t max_threads);
  /// Waits for running tasks, unless `stop` was called before.
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Throws std::runtime_error if the first thread cannot be started; then the task is not stored.
  void post(std::function<void()> task) override;
  /// Drops the tasks that have not begun. Waits for running tasks, but not for the one that calls
  /// this, and not longer than `at_most`. Returns false if a task still runs then; its thread goes
  /// on alone. Later tasks are dropped, too.
  bool stop(std::chrono::microseconds at_most) noexcept;

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);

  // Shared with the threads, because their last tasks may run longer than this object exists.
  const std::shared_ptr<State> state_;
};

}  // namespace ashmemo::base
