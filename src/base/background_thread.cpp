#include "base/background_thread.hpp"

#include <stdexcept>
#include <utility>

#include "base/platform.hpp"
#include "base/test_point.hpp"

namespace ashmemo::base {

void BackgroundThread::post(std::function<void()> task) {
  start();  // first: if it throws, the task must not wait for a thread
  {
    const Lock lock(tasks_->mutex);
    if (tasks_->stopped) return;
    tasks_->waiting.push_back(std::move(task));
  }
  tasks_->changed.notify_one();
}

void BackgroundThread::start() {
  const Lock lock(thread_mutex_);
  if (stopped_ || thread_.joinable()) return;
  ASHMEMO_TEST_POINT("background: starts a thread");
  auto started = start_thread("ashmemo-refresh", [tasks = tasks_] { run(tasks); });
  if (!started) throw std::runtime_error(started.failure().what);
  thread_ = std::move(*started);
}

void BackgroundThread::run(const std::shared_ptr<Tasks>& tasks) {
  for (;;) {
    std::function<void()> task;
    {
      const Lock lock(tasks->mutex);
      while (tasks->waiting.empty() && !tasks->stopped) tasks->changed.wait(tasks->mutex);
      if (tasks->stopped) return;
      task = std::move(tasks->waiting.front());
      tasks->waiting.pop_front();
    }
    task();
  }
}

void BackgroundThread::stop() noexcept {
  std::deque<std::function<void()>> dropped;  // destroyed after the mutex is released
  {
    const Lock lock(tasks_->mutex);
    tasks_->stopped = true;
    dropped.swap(tasks_->waiting);
  }
  tasks_->changed.notify_all();
  std::thread thread;
  {
    const Lock lock(thread_mutex_);
    stopped_ = true;
    thread.swap(thread_);
  }
  if (!thread.joinable()) return;
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

}  // namespace ashmemo::base
