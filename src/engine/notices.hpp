#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <ashmemo/events.hpp>

#include "base/mutex.hpp"

namespace ashmemo::engine {

/// Notices for the hooks, in order. The worker delivers them later, because no hook may run inside
/// a lock or a transaction. Only the first notice of a kind is delivered until its state has ended
/// (see events.hpp).
///
/// The notices of a read-only cache wait until the program calls a function such as `flush`. If too
/// many wait, the oldest ones are dropped. The next one that is delivered contains their number.
///
/// Threads: any; only the worker calls `take`.
class Notices {
 public:
  /// The maximum number of notices that wait.
  static constexpr std::size_t kMaxWaiting = 1'000;

  /// `has_hook`: whether the notices are delivered to the program. Otherwise none waits.
  explicit Notices(bool has_hook = true) : has_hook_(has_hook) {}

  void notify(NoticeKind kind, std::string what, std::string subject);
  /// The same if each object, such as a calculation, has its own state. `reported` says whether a
  /// notice about this object was delivered; the caller resets it.
  void notify(NoticeKind kind, std::string what, std::string subject, std::atomic<bool>& reported);
  /// The state `ended` is over: if it was reported, adds a notice of `kind`. The next notice of
  /// `ended` is delivered again.
  void notify_end(NoticeKind ended, NoticeKind kind, std::string what, std::string subject);
  /// The state is over without a notice, because another notice says so.
  void end(NoticeKind kind);
  [[nodiscard]] std::vector<Notice> take();
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::string last_error() const;

 private:
  static constexpr std::size_t kKinds = 32;
  [[nodiscard]] bool& reported(NoticeKind kind) ASHMEMO_REQUIRES(mutex_) {
    return reported_[static_cast<std::size_t>(kind)];
  }
  void add_locked(Notice notice) ASHMEMO_REQUIRES(mutex_);

  const bool has_hook_;
  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  std::deque<Notice> waiting_ ASHMEMO_GUARDED_BY(mutex_);
  std::size_t dropped_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  std::array<bool, kKinds> reported_ ASHMEMO_GUARDED_BY(mutex_){};
  std::string last_error_ ASHMEMO_GUARDED_BY(mutex_);
};

}  // namespace ashmemo::engine
