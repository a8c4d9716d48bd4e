#include "faults/troubles.hpp"

#include <doctest/doctest.h>

#include "support/cache_fixture.hpp"

namespace ashmemo::test {

void Troubles::add(const Notice& notice) {
  switch (notice.kind) {
    case NoticeKind::unavailable:
    case NoticeKind::busy:
    case NoticeKind::write_failed:
    case NoticeKind::read_failed:
    case NoticeKind::foreign_reader:
      return begin(notice);
    case NoticeKind::available:
      active_.erase(NoticeKind::read_failed);  // another file is open
      return end(NoticeKind::unavailable);
    case NoticeKind::recovered:
      return recover(notice.what);
    case NoticeKind::quarantined:
    case NoticeKind::file_lost:
      active_.erase(NoticeKind::read_failed);
      return;
    case NoticeKind::calculation_failed:
      return;  // each calculation reports its own failures
    case NoticeKind::writes_dropped:
    case NoticeKind::removal_uncommitted:
    case NoticeKind::everything_removed:
    case NoticeKind::undecodable:
    case NoticeKind::unencodable:
    case NoticeKind::refused:
    case NoticeKind::default_limit:
    case NoticeKind::entry_damaged:
    case NoticeKind::not_cached:
    case NoticeKind::writable_by_others:
    case NoticeKind::listener_failed:
    case NoticeKind::worker_failed:
      return report_once(notice);
  }
}

bool Troubles::are_degrading() const {
  return active_.size() > (has(NoticeKind::foreign_reader) ? 1U : 0U);
}

std::string Troubles::names() const {
  std::string names;
  for (const NoticeKind kind : active_) {
    names += (names.empty() ? "" : ", ") + std::string(to_string(kind));
  }
  return names;
}

void Troubles::begin(const Notice& notice) {
  if (!active_.insert(notice.kind).second)
    FAIL_CHECK("reported again before it ended: " << notice.what);
}

// Also ends the consequences of the trouble. A failed read has none.
void Troubles::end(NoticeKind kind) {
  if (active_.erase(kind) == 0) {
    FAIL_CHECK(
        "reported the end of a trouble that had not begun: " << std::string(to_string(kind)));
  }
  if (kind == NoticeKind::read_failed) return;
  for (const NoticeKind consequence : {NoticeKind::writes_dropped, NoticeKind::removal_uncommitted,
                                       NoticeKind::everything_removed}) {
    reported_.erase(consequence);
  }
}

// Only the text of the notice says what has recovered.
void Troubles::recover(const std::string& what) {
  if (test::has(what, "reading works again")) return end(NoticeKind::read_failed);
  if (test::has(what, "starts over again")) return end(NoticeKind::foreign_reader);
  CHECK_MESSAGE(test::has(what, "writing works again"), what);
  end(has(NoticeKind::busy) ? NoticeKind::busy : NoticeKind::write_failed);
}

void Troubles::report_once(const Notice& notice) {
  if (!reported_.insert(notice.kind).second) FAIL_CHECK("reported twice: " << notice.what);
}

}  // namespace ashmemo::test
