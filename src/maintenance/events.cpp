#include "maintenance/events.hpp"

#include <utility>

#include "base/test_point.hpp"

namespace ashmemo::maintenance {

namespace {

// The cache whose hooks the thread is in, and those it was in before: a hook of one cache may use
// another cache, whose hooks may then run on the same thread.
class Here {
 public:
  explicit Here(const Events* events) : events_(events), outer_(innermost_) { innermost_ = this; }
  ~Here() { innermost_ = outer_; }
  Here(const Here&) = delete;
  Here& operator=(const Here&) = delete;

  [[nodiscard]] static bool is_in(const Events* events) noexcept {
    const Here* here = innermost_;
    while (here != nullptr && here->events_ != events) here = here->outer_;
    return here != nullptr;
  }
  [[nodiscard]] static bool is_in_any() noexcept { return innermost_ != nullptr; }

 private:
  static thread_local const Here* innermost_;
  const Events* const events_;
  const Here* const outer_;
};

thread_local const Here* Here::innermost_ = nullptr;

}  // namespace

void Events::add(std::vector<RemovedEntry> removed) {
  base::Lock lock(mutex_);
  for (RemovedEntry& entry : removed) waiting_.emplace_back(std::move(entry));
}

bool Events::are_behind() const {
  base::Lock lock(mutex_);
  return delivering_ && waiting_.size() >= kMax;
}

void Events::wait_for_delivery() {
  if (is_delivering_any() || !are_behind()) return;
  ++waiters_;
  // To callers it is as if the store refused to write: the hook may take long, or wait for them.
  engine_.pending.set_refusing(true);
  ASHMEMO_TEST_POINT("events: waits");
  {
    base::Lock lock(mutex_);
    while (delivering_ && waiting_.size() >= kMax) told_.wait(mutex_);
  }
  --waiters_;
}

bool Events::begin(std::deque<Event>* events) {
  std::vector<Notice> notices = engine_.notices.take();
  base::Lock lock(mutex_);
  for (Notice& notice : notices) waiting_.emplace_back(std::move(notice));
  if (delivering_ || waiting_.empty()) return false;
  // Nothing may throw from here until it is over: nobody would tell anything again.
  events->swap(waiting_);
  delivering_ = true;
  return true;
}

bool Events::deliver_some() {
  std::deque<Event> events;
  if (!begin(&events)) return false;
  {
    const Here here(this);
    for (const Event& event : events) notify(event);
  }
  return end();
}

bool Events::end() {
  const bool are_notices = !engine_.notices.empty();  // of hooks that threw, too
  base::Lock lock(mutex_);
  delivering_ = false;
  told_.notify_all();
  return waiters_ == 0 && (are_notices || !waiting_.empty());
}

void Events::notify(const Event& event) noexcept {
  const Hooks& hooks = engine_.options.hooks;
  try {
    if (const auto* notice = std::get_if<Notice>(&event)) {
      if (hooks.on_error) hooks.on_error(*notice);
    } else if (hooks.on_removal) {
      const auto& removed = std::get<RemovedEntry>(event);
      hooks.on_removal({removed.key, removed.cause});
    }
  } catch (...) {
    engine_.counters.worker_errors.add();
    report_hook_threw();
  }
}

void Events::report_hook_threw() noexcept try {
  engine_.notices.notify(NoticeKind::listener_failed,
                         engine_.path + ": a hook threw; the cache goes on", engine_.path);
} catch (...) {  // no memory: it is counted
}

bool Events::is_delivering_here() const noexcept { return Here::is_in(this); }

bool Events::is_delivering_any() noexcept { return Here::is_in_any(); }

}  // namespace ashmemo::maintenance
