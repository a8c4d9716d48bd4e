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

/// An entry that left the file, to be told once its transaction is committed.
struct RemovedEntry {
  std::string key;
  RemovalCause cause = RemovalCause::erased;
};

/// What happened, in order, until it is told to the hooks. One thread tells at a time; whoever
/// comes meanwhile leaves his events to it. No lock is held while a hook runs. Hooks may be slower
/// than what is to be told: then whoever would bring more waits, so that what waits has a bound.
class Events {
 public:
  /// As many may wait to be told, but for what one call brings.
  static constexpr std::size_t kMax = 10'000;

  explicit Events(engine::Engine& engine) : engine_(engine) {}

  /// Whether anybody wants to hear of removals: otherwise their keys need not be collected.
  [[nodiscard]] bool wants_removals() const { return bool(engine_.options.hooks.on_removal); }
  void add(std::vector<RemovedEntry> removed);
  /// Whether another thread is telling, and too much waits for it.
  [[nodiscard]] bool are_behind() const;
  /// Waits while they are; never in a hook. To be called before there is more, and without a lock.
  void wait_for_delivery();
  /// Tells what there is by now, unless another thread is at it. What a hook throws is counted; it
  /// ends nothing. True: more has come meanwhile, and is the caller's to see to.
  bool deliver_some();
  /// Whether the calling thread is inside a hook of this cache.
  [[nodiscard]] bool is_delivering_here() const noexcept;
  /// Whether it is inside a hook of any cache.
  [[nodiscard]] static bool is_delivering_any() noexcept;

 private:
  using Event = std::variant<Notice, RemovedEntry>;

  [[nodiscard]] bool begin(std::deque<Event>* events);
  [[nodiscard]] bool end();
  void notify(const Event& event) noexcept;
  void report_hook_threw() noexcept;

  engine::Engine& engine_;
  mutable base::Mutex mutex_;
  base::Condition told_;
  std::deque<Event> waiting_ ASHMEMO_GUARDED_BY(mutex_);
  bool delivering_ ASHMEMO_GUARDED_BY(mutex_) = false;
  std::atomic<int> waiters_{0};  // threads, each of which tells once it has brought more
};

}  // namespace ashmemo::maintenance
