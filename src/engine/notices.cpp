#include "engine/notices.hpp"

#include <utility>

#include "base/printable.hpp"

namespace ashmemo::engine {

namespace {

/// Events, not states: the next one is another.
bool is_reported_each_time(NoticeKind kind) {
  return kind == NoticeKind::quarantined || kind == NoticeKind::file_lost;
}

// What a store that takes no writes leads to; over with it.
constexpr std::array kConsequences{NoticeKind::writes_dropped, NoticeKind::removal_uncommitted,
                                   NoticeKind::everything_removed};

}  // namespace

void Notices::notify(NoticeKind kind, std::string what, std::string subject) {
  what = base::printable(std::move(what));  // keys are in it
  base::Lock lock(mutex_);
  last_error_ = what;
  if (std::exchange(told(kind), true) && !is_reported_each_time(kind)) return;
  waiting_.push_back({kind, std::move(what), std::move(subject)});
}

void Notices::notify(NoticeKind kind, std::string what, std::string subject,
                     std::atomic<bool>& told) {
  what = base::printable(std::move(what));
  base::Lock lock(mutex_);
  last_error_ = what;
  if (told.exchange(true)) return;
  waiting_.push_back({kind, std::move(what), std::move(subject)});
}

void Notices::notify_end(NoticeKind ended, NoticeKind kind, std::string what, std::string subject) {
  base::Lock lock(mutex_);
  if (!std::exchange(told(ended), false)) return;
  const bool is_of_writing = ended != NoticeKind::read_failed;
  for (const NoticeKind consequence : kConsequences) {
    if (is_of_writing) told(consequence) = false;
  }
  waiting_.push_back({kind, std::move(what), std::move(subject)});
}

void Notices::end(NoticeKind kind) {
  base::Lock lock(mutex_);
  told(kind) = false;
}

std::vector<Notice> Notices::take() {
  base::Lock lock(mutex_);
  return std::exchange(waiting_, {});
}

bool Notices::empty() const {
  base::Lock lock(mutex_);
  return waiting_.empty();
}

std::string Notices::last_error() const {
  base::Lock lock(mutex_);
  return last_error_;
}

}  // namespace ashmemo::engine
