#include "engine/notices.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "base/printable.hpp"

namespace ashmemo::engine {

namespace {

/// These are events without a state, so each one is delivered.
bool is_reported_each_time(NoticeKind kind) {
  return kind == NoticeKind::quarantined || kind == NoticeKind::file_lost;
}

// These states end together with the state of a store that refuses to write.
constexpr std::array kConsequences{NoticeKind::writes_dropped, NoticeKind::removal_uncommitted,
                                   NoticeKind::everything_removed};

}  // namespace

void Notices::notify(NoticeKind kind, std::string what, std::string subject) {
  what = base::printable(std::move(what));  // it contains keys
  base::Lock lock(mutex_);
  last_error_ = what;
  if (std::exchange(reported(kind), true) && !is_reported_each_time(kind)) return;
  add_locked({kind, std::move(what), std::move(subject)});
}

void Notices::notify(NoticeKind kind, std::string what, std::string subject,
                     std::atomic<bool>& reported) {
  what = base::printable(std::move(what));
  base::Lock lock(mutex_);
  last_error_ = what;
  if (reported.exchange(true)) return;
  add_locked({kind, std::move(what), std::move(subject)});
}

void Notices::notify_end(NoticeKind ended, NoticeKind kind, std::string what, std::string subject) {
  base::Lock lock(mutex_);
  if (!std::exchange(reported(ended), false)) return;
  const bool is_of_writing = ended != NoticeKind::read_failed;
  for (const NoticeKind consequence : kConsequences) {
    if (is_of_writing) reported(consequence) = false;
  }
  add_locked({kind, std::move(what), std::move(subject)});
}

void Notices::end(NoticeKind kind) {
  base::Lock lock(mutex_);
  reported(kind) = false;
}

void Notices::add_locked(Notice notice) {
  if (!has_hook_) return;
  waiting_.push_back(std::move(notice));
  if (waiting_.size() <= kMaxWaiting) return;
  waiting_.pop_front();
  ++dropped_;
}

std::vector<Notice> Notices::take() {
  base::Lock lock(mutex_);
  std::vector<Notice> taken(std::move_iterator(waiting_.begin()),
                            std::move_iterator(waiting_.end()));
  waiting_.clear();
  const std::size_t dropped = std::exchange(dropped_, 0);
  if (dropped > 0) {
    taken.front().what += fmt::format(" ({} older notices were not delivered)", dropped);
  }
  return taken;
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
