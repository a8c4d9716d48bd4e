#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <ashmemo/events.hpp>

#include "base/mutex.hpp"

namespace ashmemo::engine {

/// What is to be told to the hooks, in order, until the worker delivers it: nothing is told from
/// inside a lock or a transaction. Of each kind of notice the first is told until its state has
/// ended, see events.hpp.
///
/// Threads: any; `take` by the worker.
class Notices {
 public:
  void notify(NoticeKind kind, std::string what, std::string subject);
  /// As tell, of one of many things that have a state each: `told` is whether that was told of, and
  /// its end is the caller's business.
  void notify(NoticeKind kind, std::string what, std::string subject, std::atomic<bool>& told);
  /// The state that `ended` told of, if it was told, is over: `kind` says so, and the next is told
  /// again.
  void notify_end(NoticeKind ended, NoticeKind kind, std::string what, std::string subject);
  /// The state is over, by something that is told anyway.
  void end(NoticeKind kind);
  [[nodiscard]] std::vector<Notice> take();
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::string last_error() const;

 private:
  static constexpr std::size_t kKinds = 32;
  [[nodiscard]] bool& told(NoticeKind kind) ASHMEMO_REQUIRES(mutex_) {
    return told_[static_cast<std::size_t>(kind)];
  }

  mutable base::Mutex mutex_;
  std::vector<Notice> waiting_ ASHMEMO_GUARDED_BY(mutex_);
  std::array<bool, kKinds> told_ ASHMEMO_GUARDED_BY(mutex_){};
  std::string last_error_ ASHMEMO_GUARDED_BY(mutex_);
};

}  // namespace ashmemo::engine
