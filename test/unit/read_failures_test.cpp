#include <chrono>
#include <cstdint>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// How failing reads change the health of the cache, and which notices they cause.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;

namespace {

Options without_memory() {
  Options options = FakeEngine::manual();
  options.memory_bytes = 0;
  return options;
}

/// An open cache without a memory tier. Its file contains the entry "a".
struct WithEntry : FakeEngine {
  WithEntry() : FakeEngine(without_memory()) {
    REQUIRE(open().ok());
    put("a", "1");
    REQUIRE(worker.flush().ok());
  }
  /// Lets the reads of callers and of the worker fail.
  void fail_reads() {
    faults->fail_always(Call::read, FailureKind::io);
    faults->fail_always(Call::last_stamp, FailureKind::io);
  }
};

Health health_of(FakeEngine& fake) {
  Health health;
  fake.engine.health.fill(&health);
  return health;
}
HealthState state_of(FakeEngine& fake) { return health_of(fake).state; }

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("failing reads degrade health and cause one notice until reads recover") {
    WithEntry fake;
    for (int outage = 1; outage <= 2; ++outage) {
      fake.fail_reads();
      const std::int64_t begun = fake.clock->wall_now();
      for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(fake.get("a"));
        CHECK(state_of(fake) == HealthState::degraded);
        CHECK(health_of(fake).since == begun);
        CHECK_FALSE(fake.engine.notices.last_error().empty());
        fake.clock->advance(std::chrono::seconds(5));
        fake.put("b", "1");
        REQUIRE(fake.worker.flush().ok());  // successful writes do not end the failure
      }
      CHECK(fake.recorded->count(NoticeKind::read_failed) == outage);
      CHECK(fake.recorded->count(NoticeKind::recovered) == outage - 1);

      fake.faults->heal();
      CHECK(fake.get("a"));
      CHECK(state_of(fake) == HealthState::ok);
      CHECK(health_of(fake).since == fake.clock->wall_now());
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.recorded->count(NoticeKind::recovered) == outage);
    }
  }

  TEST_CASE("alternating failing and successful reads count as one failure") {
    WithEntry fake;
    for (int i = 0; i < 10; ++i) {
      fake.faults->fail(Call::read, FailureKind::io);
      CHECK_FALSE(fake.get("a"));
      CHECK(fake.get("a"));
      CHECK(state_of(fake) == HealthState::degraded);
      fake.clock->advance(std::chrono::milliseconds(999));
    }
    fake.clock->advance(std::chrono::milliseconds(1));
    CHECK(fake.get("a"));
    CHECK(state_of(fake) == HealthState::ok);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.recorded->count(NoticeKind::read_failed) == 1);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("one bad entry that is read again and again causes few notices") {
    WithEntry fake;
    const auto fail = [&] {
      fake.faults->fail(Call::read, FailureKind::io);
      CHECK_FALSE(fake.get("a"));
    };
    const auto recovered = [&] {
      REQUIRE(fake.worker.flush().ok());
      return fake.recorded->count(NoticeKind::recovered);
    };
    for (int i = 0; i < 100; ++i) {
      fail();
      for (int second = 0; second < 2; ++second) {
        fake.clock->advance(std::chrono::seconds(1));
        CHECK(fake.get("a"));
        REQUIRE(fake.worker.flush().ok());
      }
    }
    CHECK(fake.recorded->count(NoticeKind::read_failed) <= 7);
    CHECK(recovered() <= 7);
    // Without failures the cache recovers, and after a while a failure is a new one.
    fake.clock->advance(std::chrono::hours(1));
    CHECK(fake.get("a"));
    CHECK(state_of(fake) == HealthState::ok);
    const auto before = recovered();
    fake.clock->advance(std::chrono::hours(60));
    fail();
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.get("a"));
    CHECK(recovered() == before + 1);
  }

  TEST_CASE("failures of reads and of writes end independently") {
    WithEntry fake;
    fake.fail_reads();
    fake.faults->fail_always(Call::commit, FailureKind::io);
    CHECK_FALSE(fake.get("a"));
    fake.put("b", "1");
    CHECK_FALSE(fake.worker.flush().ok());
    fake.clock->advance(std::chrono::seconds(10));
    bool reads_first = true;
    SUBCASE("reads heal first") {}
    SUBCASE("writes heal first") { reads_first = false; }
    fake.faults->heal();
    if (reads_first) {
      fake.faults->fail_always(Call::commit, FailureKind::io);
      CHECK(fake.get("a"));
      CHECK_FALSE(fake.worker.flush().ok());
    } else {
      fake.fail_reads();
      REQUIRE(fake.worker.flush().ok());
      CHECK_FALSE(fake.get("a"));
    }
    CHECK(state_of(fake) == HealthState::degraded);
    fake.faults->heal();
    fake.clock->advance(std::chrono::seconds(1));
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("a"));
    CHECK(state_of(fake) == HealthState::ok);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.recorded->count(NoticeKind::read_failed) == 1);
    CHECK(fake.recorded->count(NoticeKind::write_failed) == 1);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 2);
  }

  TEST_CASE("the worker ends a failure of reads when no caller reads") {
    WithEntry fake;
    fake.fail_reads();
    CHECK_FALSE(fake.get("a"));
    fake.clock->advance(std::chrono::seconds(2));
    static_cast<void>(fake.worker.run(0));
    CHECK(state_of(fake) == HealthState::degraded);
    fake.faults->heal();
    fake.clock->advance(std::chrono::seconds(2));
    static_cast<void>(fake.worker.run(0));
    CHECK(state_of(fake) == HealthState::ok);
    CHECK(fake.recorded->count(NoticeKind::read_failed) == 1);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("a locked file counts as a failure of reads") {
    WithEntry fake;
    fake.faults->fail_always(Call::read, FailureKind::busy);
    CHECK_FALSE(fake.get("a"));
    CHECK(state_of(fake) == HealthState::degraded);
    fake.faults->heal();
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.get("a"));
    CHECK(state_of(fake) == HealthState::ok);
  }

  TEST_CASE("a read that fails on a corrupt file or a too large value does not degrade health") {
    for (const FailureKind kind : {FailureKind::corrupt, FailureKind::too_large}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      fake.faults->fail(Call::read, kind);
      CHECK_FALSE(fake.get("a"));
      CHECK(state_of(fake) == HealthState::ok);
    }
  }
}
