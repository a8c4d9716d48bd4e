#include "maintenance/events.hpp"

#include <utility>

#include "base/test_point.hpp"

namespace ashmemo::maintenance {

namespace {

// The number of hooks that the thread is inside of. A hook may open and close a cache of its own,
// whose hooks then run on the same thread.
thread_local int hooks_of_thread = 0;

struct InHook {
  InHook() noexcept { ++hooks_of_thread; }
  ~InHook() { --hooks_of_thread; }
  InHook(const InHook&) = delete;
  InHook& operator=(const InHook&) = delete;
};

}  // namespace

bool Events::is_in_hook() noexcept { return hooks_of_thread > 0; }

void Events::add(std::vector<RemovedEntry> removed) {
  const base::Lock lock(mutex_);
  for (RemovedEntry& entry : removed) queued_.emplace_back(std::move(entry));
}

bool Events::are_behind() const {
  const base::Lock lock(mutex_);
  return delivering_ && queued_.size() >= kMax;
}

void Events::wait_for_delivery() {
  if (is_in_hook() || !are_behind()) return;
  ++waiters_;
  // The hook may take long, or wait for other callers. So the store counts as refusing to write.
  engine_.pending.set_refusing(true);
  ASHMEMO_TEST_POINT("events: waits");
  {
    const base::Lock lock(mutex_);
    while (may_wait_ && delivering_ && queued_.size() >= kMax) delivered_.wait(mutex_);
  }
  --waiters_;
}

void Events::stop_waiting() {
  const base::Lock lock(mutex_);
  may_wait_ = false;
  delivered_.notify_all();
}

bool Events::begin(std::deque<Event>* events) {
  std::vector<Notice> notices = engine_.notices.take();
  const base::Lock lock(mutex_);
  for (Notice& notice : notices) queued_.emplace_back(std::move(notice));
  if (delivering_ || queued_.empty()) return false;
  // From here to `end` nothing may throw. Otherwise no thread would deliver events again.
  events->swap(queued_);
  delivering_ = true;
  return true;
}

bool Events::deliver_some() {
  std::deque<Event> events;
  if (!begin(&events)) return false;
  {
    const InHook in_hook;
    for (const Event& event : events) {
      call_hook(event);
      // The hook has forked. The other events belong to the parent process.
      if (engine_.process.is_forked_child()) return false;
    }
  }
  return end();
}

bool Events::end() {
  const bool has_notices = !engine_.notices.empty();  // for example, a hook threw
  const base::Lock lock(mutex_);
  delivering_ = false;
  delivered_.notify_all();
  return waiters_ == 0 && (has_notices || !queued_.empty());
}

void Events::call_hook(const Event& event) noexcept {
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
                         engine_.path + ": a hook threw an exception; the cache goes on",
                         engine_.path);
} catch (...) {  // out of memory; the exception is counted
}

}  // namespace ashmemo::maintenance
