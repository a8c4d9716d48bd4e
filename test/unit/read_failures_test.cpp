#include <chrono>
#include <cstdint>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// What reads of the store that fail make of health, and what is told of them.

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

/// Open, with the entry "a" in the file and nowhere else.
struct WithEntry : FakeEngine {
  WithEntry() : FakeEngine(without_memory()) {
    REQUIRE(open().ok());
    put("a", "1");
    REQUIRE(worker.flush().ok());
  }
  /// The callers' reads and the worker's own.
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
  TEST_CASE("reads that fail are a state of their own: it begins, is told once, and ends") {
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
        REQUIRE(fake.worker.flush().ok());  // that writes work does not end it
      }
      CHECK(fake.told->count(NoticeKind::read_failed) == outage);
      CHECK(fake.told->count(NoticeKind::recovered) == outage - 1);

      fake.faults->heal();
      CHECK(fake.get("a"));
      CHECK(state_of(fake) == HealthState::ok);
      CHECK(health_of(fake).since == fake.clock->wall_now());
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.told->count(NoticeKind::recovered) == outage);
    }
  }

  TEST_CASE("reads that fail in turn with others that work are one failure") {
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
    CHECK(fake.told->count(NoticeKind::read_failed) == 1);
    CHECK(fake.told->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("reads that work do not end a failure of writes, nor the other way round") {
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
    CHECK(fake.told->count(NoticeKind::read_failed) == 1);
    CHECK(fake.told->count(NoticeKind::write_failed) == 1);
    CHECK(fake.told->count(NoticeKind::recovered) == 2);
  }

  TEST_CASE("the worker ends a failure of reads when nobody reads any more") {
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
    CHECK(fake.told->count(NoticeKind::read_failed) == 1);
    CHECK(fake.told->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("a lock that keeps readers out is a failure of reads as any other") {
    WithEntry fake;
    fake.faults->fail_always(Call::read, FailureKind::busy);
    CHECK_FALSE(fake.get("a"));
    CHECK(state_of(fake) == HealthState::degraded);
    fake.faults->heal();
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.get("a"));
    CHECK(state_of(fake) == HealthState::ok);
  }

  TEST_CASE("a failure of reads by damage or one large value does not say the store is ill") {
    for (const FailureKind kind : {FailureKind::corrupt, FailureKind::too_large}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      fake.faults->fail(Call::read, kind);
      CHECK_FALSE(fake.get("a"));
      CHECK(state_of(fake) == HealthState::ok);
    }
  }
}
