#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/notices.hpp"

using ashmemo::Notice;
using ashmemo::NoticeKind;
using ashmemo::engine::Notices;

TEST_SUITE("unit") {
  TEST_CASE("notices are taken once, in the order they were told") {
    Notices notices;
    notices.notify(NoticeKind::busy, "first", "file");
    notices.notify(NoticeKind::refused, "second", "key");
    const std::vector<Notice> taken = notices.take();
    REQUIRE(taken.size() == 2);
    CHECK(taken[0].kind == NoticeKind::busy);
    CHECK(taken[0].what == "first");
    CHECK(taken[0].subject == "file");
    CHECK(taken[1].kind == NoticeKind::refused);
    CHECK(notices.take().empty());
  }

  TEST_CASE("only the first of a kind is told until its state has ended") {
    Notices notices;
    notices.notify(NoticeKind::busy, "first", "");
    notices.notify(NoticeKind::busy, "second", "");
    CHECK(notices.take().size() == 1);
    notices.notify(NoticeKind::busy, "third", "");
    CHECK(notices.take().empty());

    notices.notify_end(NoticeKind::busy, NoticeKind::recovered, "works again", "");
    notices.notify(NoticeKind::busy, "fourth", "");
    const std::vector<Notice> taken = notices.take();
    REQUIRE(taken.size() == 2);
    CHECK(taken[0].kind == NoticeKind::recovered);
    CHECK(taken[1].what == "fourth");
  }

  TEST_CASE("each file that is set aside is told: it is another one, under another name") {
    Notices notices;
    notices.notify(NoticeKind::quarantined, "renamed to .corrupt-1", "file");
    CHECK(notices.take().size() == 1);
    notices.notify(NoticeKind::quarantined, "renamed to .corrupt-2", "file");
    const std::vector<Notice> taken = notices.take();
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].what == "renamed to .corrupt-2");
  }

  TEST_CASE("with a trouble ends what it led to: the next is told again") {
    Notices notices;
    notices.notify(NoticeKind::write_failed, "full", "");
    notices.notify(NoticeKind::writes_dropped, "first", "");
    notices.notify(NoticeKind::refused, "large", "");
    CHECK(notices.take().size() == 3);
    notices.notify(NoticeKind::writes_dropped, "second", "");
    CHECK(notices.take().empty());
    notices.notify_end(NoticeKind::write_failed, NoticeKind::recovered, "again", "");
    notices.notify(NoticeKind::writes_dropped, "third", "");
    notices.notify(NoticeKind::refused, "large, too", "");  // has no end
    CHECK(notices.take().size() == 2);
  }

  TEST_CASE("the end of a state that nobody was told of is not told") {
    Notices notices;
    notices.notify_end(NoticeKind::busy, NoticeKind::recovered, "works again", "");
    CHECK(notices.take().empty());
    notices.notify(NoticeKind::busy, "busy", "");
    notices.notify_end(NoticeKind::busy, NoticeKind::recovered, "works again", "");
    notices.notify_end(NoticeKind::busy, NoticeKind::recovered, "works again", "");
    CHECK(notices.take().size() == 2);
  }

  TEST_CASE("two states end each with its own word") {
    Notices notices;
    notices.notify(NoticeKind::busy, "busy", "");
    notices.notify(NoticeKind::write_failed, "full", "");
    notices.notify_end(NoticeKind::busy, NoticeKind::recovered, "again", "");
    notices.notify(NoticeKind::write_failed, "still full", "");
    CHECK(notices.take().size() == 3);
  }

  TEST_CASE("the last error is the newest one, told or not") {
    Notices notices;
    CHECK(notices.last_error().empty());
    notices.notify(NoticeKind::busy, "first", "");
    notices.notify(NoticeKind::busy, "second", "");
    CHECK(notices.last_error() == "second");
    CHECK(notices.take().size() == 1);
    CHECK(notices.last_error() == "second");
  }
}
