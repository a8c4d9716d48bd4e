#pragma once

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
/// comes meanwhile leaves his events to it. No lock is held while a hook runs.
class Events {
 public:
  explicit Events(engine::Engine& engine) : engine_(engine) {}

  /// Whether anybody wants to hear of removals: otherwise their keys need not be collected.
  [[nodiscard]] bool wants_removals() const { return bool(engine_.options.hooks.on_removal); }
  void add(std::vector<RemovedEntry> removed);
  /// Tells everything there is. What a hook throws is counted; it ends nothing.
  void deliver();
  /// Whether the calling thread is inside a hook of this cache.
  [[nodiscard]] bool is_delivering_here() const noexcept;
  /// Whether it is inside a hook of any cache.
  [[nodiscard]] static bool is_delivering_any() noexcept;

 private:
  using Event = std::variant<Notice, RemovedEntry>;

  [[nodiscard]] bool begin(std::deque<Event>* events);
  void tell(const Event& event) noexcept;
  void tell_hook_threw() noexcept;

  engine::Engine& engine_;
  base::Mutex mutex_;
  std::deque<Event> waiting_ ASHMEMO_GUARDED_BY(mutex_);
  bool delivering_ ASHMEMO_GUARDED_BY(mutex_) = false;
};

}  // namespace ashmemo::maintenance
