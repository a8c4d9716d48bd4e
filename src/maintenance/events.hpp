#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <string>
#include <variant>
#include <vector>

#include <ashmemo/events.hpp>

#include "base/mutex.hpp"
#include "engine/engine.hpp"

namespace ashmemo::maintenance {

/// An entry that was removed from the file. It is reported after the commit.
struct RemovedEntry {
  std::string key;
  RemovalCause cause = RemovalCause::erased;
};

/// The events of one cache, in order, until they are delivered to its hooks.
///
/// One thread delivers at a time. Other threads only add their events. No lock is held while a hook
/// runs. If the hooks are too slow, threads wait before they produce more events, so the number of
/// queued events has a bound.
class Events {
 public:
  /// The maximum number of queued events, except for those of the last call.
  static constexpr std::size_t kMax = 10'000;

  explicit Events(engine::Engine& engine) : engine_(engine) {}

  /// Whether there is a hook for removals. Otherwise the removed keys need not be collected.
  [[nodiscard]] bool wants_removals() const { return bool(engine_.options.hooks.on_removal); }
  void add(std::vector<RemovedEntry> removed);
  /// Whether another thread delivers and too many events are queued.
  [[nodiscard]] bool are_behind() const;
  /// Waits while `are_behind` is true. A thread calls it without a lock before it produces more
  /// events. Does nothing inside a hook.
  void wait_for_delivery();
  /// From now on `wait_for_delivery` does not wait, because the thread that delivers may be waiting
  /// for the end of the others: a hook has called exit().
  void stop_waiting();
  /// Delivers the events that are queued now, unless another thread delivers. Counts exceptions of
  /// hooks and continues. Returns true if more events were queued meanwhile; the caller decides
  /// which thread delivers them.
  bool deliver_some();
  /// Whether the calling thread is inside a hook of any cache.
  [[nodiscard]] static bool is_in_hook() noexcept;

 private:
  using Event = std::variant<Notice, RemovedEntry>;

  [[nodiscard]] bool begin(std::deque<Event>* events);
  [[nodiscard]] bool end();
  void call_hook(const Event& event) noexcept;
  void report_hook_threw() noexcept;

  engine::Engine& engine_;
  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(3);
  base::Condition delivered_;
  std::deque<Event> queued_ ASHMEMO_GUARDED_BY(mutex_);
  bool delivering_ ASHMEMO_GUARDED_BY(mutex_) = false;
  bool may_wait_ ASHMEMO_GUARDED_BY(mutex_) = true;
  std::atomic<int> waiters_{0};  // threads that will deliver after they have added more events
};

}  // namespace ashmemo::maintenance
