#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <ashmemo/events.hpp>

#include "base/mutex.hpp"

namespace ashmemo::engine {

/// Notices for the hooks, in order. The worker delivers them later, because no hook may run inside
/// a lock or a transaction. Only the first notice of a kind is delivered until its state has ended
/// (see events.hpp).
///
/// Threads: any; only the worker calls `take`.
class Notices {
 public:
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

  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  std::vector<Notice> waiting_ ASHMEMO_GUARDED_BY(mutex_);
  std::array<bool, kKinds> reported_ ASHMEMO_GUARDED_BY(mutex_){};
  std::string last_error_ ASHMEMO_GUARDED_BY(mutex_);
};

}  // namespace ashmemo::engine
