#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/notices.hpp"

using ashmemo::Notice;
using ashmemo::NoticeKind;
using ashmemo::engine::Notices;

TEST_SUITE("unit") {
  TEST_CASE("notices are taken once in the order in which they were reported") {
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

  TEST_CASE("only the first notice of a kind is reported until its state has ended") {
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

  TEST_CASE("each quarantined file is reported") {
    Notices notices;
    notices.notify(NoticeKind::quarantined, "renamed to .corrupt-1", "file");
    CHECK(notices.take().size() == 1);
    notices.notify(NoticeKind::quarantined, "renamed to .corrupt-2", "file");
    const std::vector<Notice> taken = notices.take();
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].what == "renamed to .corrupt-2");
  }

  TEST_CASE("the end of a trouble also ends the notices that it caused") {
    Notices notices;
    notices.notify(NoticeKind::write_failed, "full", "");
    notices.notify(NoticeKind::writes_dropped, "first", "");
    notices.notify(NoticeKind::refused, "large", "");
    CHECK(notices.take().size() == 3);
    notices.notify(NoticeKind::writes_dropped, "second", "");
    CHECK(notices.take().empty());
    notices.notify_end(NoticeKind::write_failed, NoticeKind::recovered, "again", "");
    notices.notify(NoticeKind::writes_dropped, "third", "");
    notices.notify(NoticeKind::refused, "large, too", "");  // this kind does not end
    CHECK(notices.take().size() == 2);
  }

  TEST_CASE("the end of a state is not reported if the state was not reported") {
    Notices notices;
    notices.notify_end(NoticeKind::busy, NoticeKind::recovered, "works again", "");
    CHECK(notices.take().empty());
    notices.notify(NoticeKind::busy, "busy", "");
    notices.notify_end(NoticeKind::busy, NoticeKind::recovered, "works again", "");
    notices.notify_end(NoticeKind::busy, NoticeKind::recovered, "works again", "");
    CHECK(notices.take().size() == 2);
  }

  TEST_CASE("each of two states ends separately") {
    Notices notices;
    notices.notify(NoticeKind::busy, "busy", "");
    notices.notify(NoticeKind::write_failed, "full", "");
    notices.notify_end(NoticeKind::busy, NoticeKind::recovered, "again", "");
    notices.notify(NoticeKind::write_failed, "still full", "");
    CHECK(notices.take().size() == 3);
  }

  TEST_CASE("the oldest notices are dropped if too many wait and the next one has their number") {
    Notices notices;
    const auto add = [&](std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        notices.notify(NoticeKind::file_lost, "number " + std::to_string(i), "file");
      }
    };
    add(Notices::kMaxWaiting + 3);
    const std::vector<Notice> taken = notices.take();
    REQUIRE(taken.size() == Notices::kMaxWaiting);
    CHECK(taken.front().what == "number 3 (3 older notices were not delivered)");
    CHECK(taken.back().what == "number 1002");
    add(1);
    CHECK(notices.take().front().what == "number 0");
  }

  TEST_CASE("without a hook no notice waits and last_error is known") {
    Notices notices(false);
    notices.notify(NoticeKind::busy, "busy", "file");
    CHECK(notices.empty());
    CHECK(notices.take().empty());
    CHECK(notices.last_error() == "busy");
  }

  TEST_CASE("last_error returns the newest error even if it was not reported") {
    Notices notices;
    CHECK(notices.last_error().empty());
    notices.notify(NoticeKind::busy, "first", "");
    notices.notify(NoticeKind::busy, "second", "");
    CHECK(notices.last_error() == "second");
    CHECK(notices.take().size() == 1);
    CHECK(notices.last_error() == "second");
  }
}
