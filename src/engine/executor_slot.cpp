#include "engine/executor_slot.hpp"

#include <utility>

#include "base/thread_stack.hpp"

namespace ashmemo::engine {

/// Keeps the executor alive during one post.
class ExecutorSlot::Use : public base::ThreadStack<Use> {
 public:
  explicit Use(ExecutorSlot& slot) : slot_(slot) {
    const base::Lock lock(slot_.mutex_);
    ++slot_.uses_;
    executor_ = slot_.executor_.get();
  }
  ~Use() {
    const base::Lock lock(slot_.mutex_);
    --slot_.uses_;
    slot_.unused_.notify_all();
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  [[nodiscard]] Executor* executor() const noexcept { return executor_; }
  /// The number of posts of the slot that are running on the calling thread.
  [[nodiscard]] static int count_here(const ExecutorSlot& slot) noexcept {
    int count = 0;
    for (const Use* use = innermost(); use != nullptr; use = use->outer()) {
      if (&use->slot_ == &slot) ++count;
    }
    return count;
  }

 private:
  ExecutorSlot& slot_;
  Executor* executor_ = nullptr;  // null after give_up
};

ExecutorSlot::ExecutorSlot(std::shared_ptr<Executor> executor) : executor_(std::move(executor)) {}

void ExecutorSlot::post(std::function<void()> task) {
  const Use use(*this);
  if (use.executor() != nullptr) use.executor()->post(std::move(task));
}

void ExecutorSlot::give_up() {
  std::shared_ptr<Executor> last;  // destroyed after the mutex is released
  const base::Lock lock(mutex_);
  const int here = Use::count_here(*this);
  while (uses_ != here) unused_.wait(mutex_);
  if (here == 0) last.swap(executor_);
}

}  // namespace ashmemo::engine
