#include "engine/notices.hpp"

#include <utility>

#include "base/printable.hpp"

namespace ashmemo::engine {

void Notices::tell(NoticeKind kind, std::string what, std::string subject) {
  what = base::printable(std::move(what));  // keys are in it
  base::Lock lock(mutex_);
  last_error_ = what;
  // A file that is set aside is no state that lasts: the next one is another, under another name.
  bool& told = told_[static_cast<std::size_t>(kind)];
  if (std::exchange(told, true) && kind != NoticeKind::set_aside) return;
  waiting_.push_back({kind, std::move(what), std::move(subject)});
}

void Notices::tell_end(NoticeKind ended, NoticeKind kind, std::string what, std::string subject) {
  base::Lock lock(mutex_);
  if (!std::exchange(told_[static_cast<std::size_t>(ended)], false)) return;
  waiting_.push_back({kind, std::move(what), std::move(subject)});
}

std::vector<Notice> Notices::take() {
  base::Lock lock(mutex_);
  return std::exchange(waiting_, {});
}

std::string Notices::last_error() const {
  base::Lock lock(mutex_);
  return last_error_;
}

}  // namespace ashmemo::engine
