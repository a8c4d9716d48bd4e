#include "faults/troubles.hpp"

#include <doctest/doctest.h>

#include "support/cache_fixture.hpp"

namespace ashmemo::test {

void Troubles::hear(const Notice& notice) {
  switch (notice.kind) {
    case NoticeKind::unavailable:
    case NoticeKind::busy:
    case NoticeKind::write_failed:
    case NoticeKind::read_failed:
    case NoticeKind::foreign_reader:
      return begin(notice);
    case NoticeKind::available:
      lasting_.erase(NoticeKind::read_failed);  // another file is open
      return end(NoticeKind::unavailable);
    case NoticeKind::recovered:
      return recover(notice.what);
    case NoticeKind::quarantined:
    case NoticeKind::file_lost:
      lasting_.erase(NoticeKind::read_failed);
      return;
    case NoticeKind::calculation_failed:
      return;  // of each calculation by itself
    case NoticeKind::writes_dropped:
    case NoticeKind::removal_uncommitted:
    case NoticeKind::everything_removed:
    case NoticeKind::undecodable:
    case NoticeKind::unencodable:
    case NoticeKind::refused:
    case NoticeKind::default_limit:
    case NoticeKind::listener_failed:
    case NoticeKind::worker_failed:
      return tell_once(notice);
  }
}

bool Troubles::degrade() const {
  return lasting_.size() > (has(NoticeKind::foreign_reader) ? 1U : 0U);
}

std::string Troubles::names() const {
  std::string names;
  for (const NoticeKind kind : lasting_) {
    names += (names.empty() ? "" : ", ") + std::string(to_string(kind));
  }
  return names;
}

void Troubles::begin(const Notice& notice) {
  if (!lasting_.insert(notice.kind).second)
    FAIL_CHECK("it lasts, and is told again: " << notice.what);
}

// With the trouble what it led to is over, too, but for what no read leads to.
void Troubles::end(NoticeKind kind) {
  if (lasting_.erase(kind) == 0) {
    FAIL_CHECK("an end without a beginning: " << std::string(to_string(kind)));
  }
  if (kind == NoticeKind::read_failed) return;
  for (const NoticeKind consequence : {NoticeKind::writes_dropped, NoticeKind::removal_uncommitted,
                                       NoticeKind::everything_removed}) {
    told_.erase(consequence);
  }
}

// What has recovered only the words say.
void Troubles::recover(const std::string& what) {
  if (test::has(what, "reading works again")) return end(NoticeKind::read_failed);
  if (test::has(what, "starts over again")) return end(NoticeKind::foreign_reader);
  CHECK_MESSAGE(test::has(what, "writing works again"), what);
  end(has(NoticeKind::busy) ? NoticeKind::busy : NoticeKind::write_failed);
}

void Troubles::tell_once(const Notice& notice) {
  if (!told_.insert(notice.kind).second) FAIL_CHECK("told twice: " << notice.what);
}

}  // namespace ashmemo::test
