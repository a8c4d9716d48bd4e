#include "base/thread_pool.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <ashmemo/clock.hpp>

#include "base/mutex.hpp"
#include "base/platform.hpp"
#include "base/saturate.hpp"
#include "base/test_point.hpp"

namespace ashmemo::base {

using Tasks = std::deque<std::function<void()>>;

struct ThreadPool::State {
  explicit State(std::size_t max) : max_threads(max) {}

  const std::size_t max_threads;
  const ProcessMark process;  // a forked child has no thread that could end, and no safe mutex
  Mutex mutex ASHMEMO_LOCK_LEVEL(5);
  Condition changed;  // there is a task, or the pool was stopped
  Condition ended;    // a thread has ended
  Tasks waiting ASHMEMO_GUARDED_BY(mutex);
  std::vector<std::thread> threads ASHMEMO_GUARDED_BY(mutex);
  std::size_t running ASHMEMO_GUARDED_BY(mutex) = 0;  // threads that have not ended
  std::size_t idle ASHMEMO_GUARDED_BY(mutex) = 0;     // threads that wait for a task
  bool stopped ASHMEMO_GUARDED_BY(mutex) = false;

  /// Waits until at most `others` threads run, or until `at_most` has passed.
  bool wait_for_end(std::size_t others, std::chrono::microseconds at_most) noexcept;
};

namespace {

bool is_this_thread(const std::thread& thread) {
  return thread.get_id() == std::this_thread::get_id();
}

}  // namespace

ThreadPool::ThreadPool(std::size_t max_threads) : state_(std::make_shared<State>(max_threads)) {}

ThreadPool::~ThreadPool() { (void)stop(std::chrono::microseconds::max()); }

void ThreadPool::post(std::function<void()> task) {
  State& state = *state_;
  const Lock lock(state.mutex);
  if (state.stopped) return;
  // Each waiting task will take one of the idle threads.
  const bool are_busy = state.idle <= state.waiting.size();
  if (are_busy && state.running < state.max_threads) {
    ASHMEMO_TEST_POINT("background: starts a thread");
    state.threads.reserve(state.threads.size() + 1);  // a thread that runs must not be lost
    auto started = start_thread("ashmemo-refresh", [shared = state_] { run(shared); });
    if (started) {
      state.threads.push_back(std::move(*started));
      ++state.running;
    } else if (state.running == 0) {  // otherwise another thread runs the task later
      throw std::runtime_error(started.failure().what);
    }
  }
  state.waiting.push_back(std::move(task));
  state.changed.notify_one();
}

void ThreadPool::run(const std::shared_ptr<State>& state) {
  /// Its destructor also runs if the task ends the thread. In a child that a task has forked,
  /// another thread of the parent may have locked the mutex.
  struct Ended {
    State& state;
    ~Ended() {
      if (state.process.is_forked_child()) return;
      const Lock lock(state.mutex);
      --state.running;
      state.ended.notify_all();
    }
  };
  const Ended ended{*state};
  for (;;) {
    std::function<void()> task;
    {
      const Lock lock(state->mutex);
      ++state->idle;
      while (state->waiting.empty() && !state->stopped) state->changed.wait(state->mutex);
      --state->idle;
      if (state->stopped) return;
      task = std::move(state->waiting.front());
      state->waiting.pop_front();
    }
    task();
    if (state->process.is_forked_child()) return;
  }
}

bool ThreadPool::State::wait_for_end(std::size_t others,
                                     std::chrono::microseconds at_most) noexcept {
  const std::shared_ptr<Clock> clock = system_clock();
  const std::int64_t end = add_saturated(clock->steady_now(), at_most.count());
  const Lock lock(mutex);
  while (running > others) {
    const std::int64_t left = subtract_saturated(end, clock->steady_now());
    if (left <= 0) return false;
    ended.wait_for(mutex, std::chrono::microseconds(left));
  }
  return true;
}

bool ThreadPool::stop(std::chrono::microseconds at_most) noexcept {
  if (state_->process.is_forked_child()) return true;
  Tasks dropped;
  std::vector<std::thread> threads;
  {
    const Lock lock(state_->mutex);
    state_->stopped = true;
    dropped.swap(state_->waiting);
    threads.swap(state_->threads);
  }
  dropped.clear();  // runs destructors of tasks, so not under the mutex
  state_->changed.notify_all();
  if (threads.empty()) return true;
  const bool calls_from_task = std::any_of(threads.begin(), threads.end(), is_this_thread);
  const bool all_ended = state_->wait_for_end(calls_from_task ? 1 : 0, at_most);
  for (std::thread& thread : threads) {
    if (all_ended && !is_this_thread(thread)) {
      thread.join();
    } else {
      thread.detach();
    }
  }
  return all_ended;
}

}  // namespace ashmemo::base
