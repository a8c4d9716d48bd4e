#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include <ashmemo/executor.hpp>

namespace ashmemo::test {

/// Keeps tasks until the test runs them on its own thread.
class ManualExecutor final : public Executor {
 public:
  void post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  [[nodiscard]] std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return tasks_.size();
  }
  /// Runs the oldest waiting task. Returns false if no task waits.
  bool run_one() {
    std::function<void()> task;
    {
      const std::lock_guard lock(mutex_);
      if (tasks_.empty()) return false;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
    return true;
  }
  /// Runs all waiting tasks. Returns their number.
  std::size_t run() {
    std::deque<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
    return tasks.size();
  }
  /// Drops all waiting tasks. Returns their number.
  std::size_t drop() {
    std::deque<std::function<void()>> tasks;
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
    return tasks.size();
  }

 private:
  mutable std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
};

}  // namespace ashmemo::test
