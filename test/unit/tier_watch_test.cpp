#include <cstdint>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"
#include "support/rendezvous.hpp"

// When the memory tier may answer, although other programs can change the file.

using namespace ashmemo;
using memory::TierWatch;
using test::AtTestPoints;
using test::FakeEngine;
using test::FakeRow;

namespace {

void write_as_another_program(FakeEngine& fake, const std::string& value) {
  FakeRow row;
  row.byte_size = 100;
  row.value = Value::text(value);
  fake.file->plant("k", row);
}

[[nodiscard]] bool answers_from_memory(FakeEngine& fake) {
  return fake.ask({.key = "k"}).in_memory;
}

/// A cache whose memory tier contains the entry "k".
struct Warm : FakeEngine {
  explicit Warm(Options options = manual()) : FakeEngine(std::move(options)) {
    write_as_another_program(*this, "1");
    REQUIRE(open().ok());
    REQUIRE(worker.flush().ok());  // the writer knows the file
    CHECK_FALSE(answers_from_memory(*this));
    CHECK(answers_from_memory(*this));
  }
};

void fall_asleep(TierWatch& watch) {
  while (watch.stays_awake(0)) continue;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a tier stays awake while it is used") {
    TierWatch watch;
    CHECK(watch.is_awake());
    CHECK(watch.stays_awake(0));  // it is new
    CHECK(watch.stays_awake(1));
    CHECK(watch.stays_awake(5));
    CHECK(watch.is_awake());
    CHECK_FALSE(watch.stays_awake(5));
    CHECK_FALSE(watch.is_awake());
  }

  TEST_CASE("ask returns true only for the first reader that finds the tier asleep") {
    TierWatch watch;
    CHECK_FALSE(watch.ask());  // it is awake
    fall_asleep(watch);
    CHECK_FALSE(watch.is_asked());
    CHECK(watch.ask());
    CHECK_FALSE(watch.ask());
    CHECK(watch.is_asked());
    CHECK_FALSE(watch.is_awake());  // not before the worker has looked
    CHECK(watch.stays_awake(0));    // but it does not sleep again either
    watch.looked();
    CHECK(watch.is_awake());
    CHECK_FALSE(watch.is_asked());
    CHECK(watch.stays_awake(0));
    CHECK_FALSE(watch.stays_awake(0));
  }

  TEST_CASE("a sleeping tier wakes up when the worker looks, even if no reader asked") {
    TierWatch watch;
    fall_asleep(watch);
    watch.looked();
    CHECK(watch.is_awake());
    CHECK(watch.stays_awake(0));
  }

  TEST_CASE(
      "a read sees the change of another program after the next flush or step in manual mode") {
    for (const bool flush : {true, false}) {
      INFO(flush);
      Warm fake;
      write_as_another_program(fake, "2");
      if (flush) {
        REQUIRE(fake.worker.flush().ok());
      } else {
        (void)fake.worker.run(0);
      }
      CHECK(fake.get("k") == "2");
    }
  }

  TEST_CASE("a read sees the change of another program after the next commit") {
    Warm fake;
    write_as_another_program(fake, "2");
    fake.put("other", "1");
    REQUIRE(fake.worker.run_pending_now());
    CHECK(fake.get("k") == "2");
  }

  TEST_CASE("the worker thread looks for changes of other programs once a second") {
    Options options = FakeEngine::manual();
    options.hooks.worker = WorkerMode::thread;
    Warm fake(options);  // looks as well, but before the test points are set
    test::Events events;
    const AtTestPoints points([&](std::string_view point) {
      if (point == "commit: looked") events.happened("looked");
    });
    REQUIRE(fake.worker.start().ok());
    events.wait_for("looked");
    write_as_another_program(fake, "2");
    // The next look may have read the file before the change, but the look after it has not. That
    // second look is complete when a third one is reported.
    for (int looks = events.times("looked"), last = looks + 3; looks < last;) {
      fake.clock->advance(std::chrono::seconds(1));
      fake.worker.wake_now();
      events.wait_for("looked", ++looks);
    }
    CHECK(fake.get("k") == "2");
    fake.close();
  }

  TEST_CASE("a step that wakes the tier on a caller's thread also wakes the worker thread") {
    Options options = FakeEngine::manual();
    options.hooks.worker = WorkerMode::thread;
    options.timing.maintenance_interval = Duration::max();
    Warm fake(options);
    test::Events events;
    const auto caller = std::this_thread::get_id();
    fake.faults->before(test::Call::vacuum, [&] {  // every pass calls it
      if (std::this_thread::get_id() != caller) events.happened("pass");
    });
    REQUIRE(fake.worker.start().ok());
    int passes = 1;
    events.wait_for("pass");
    while (fake.engine.tier_watch.is_awake()) {
      fake.worker.wake_now();
      events.wait_for("pass", ++passes);
    }
    (void)fake.worker.run(0);
    CHECK(fake.engine.tier_watch.is_awake());
    events.wait_for("pass", passes + 1);
    fake.close();
  }

  TEST_CASE("a sleeping tier does not answer and its first reader wakes it") {
    Warm fake;
    test::NoWorker worker;
    fake.engine.worker = &worker;
    fall_asleep(fake.engine.tier_watch);
    write_as_another_program(fake, "2");
    CHECK(fake.get("k") == "2");
    CHECK(worker.wakes_now == 1);
    CHECK(fake.get("k") == "2");
    CHECK_FALSE(answers_from_memory(fake));
    CHECK(worker.wakes_now == 1);
    (void)fake.worker.run(0);
    CHECK(fake.get("k") == "2");
    CHECK(answers_from_memory(fake));
    CHECK(worker.wakes_now == 1);
    fake.engine.worker = &fake.worker;
  }

  TEST_CASE("a tier that slept answers again if the file has not changed") {
    Warm fake;
    fall_asleep(fake.engine.tier_watch);
    (void)fake.worker.run(0);
    CHECK(answers_from_memory(fake));
  }

  TEST_CASE("a requested pass looks for changes at once") {
    Warm fake;
    test::NoWorker worker;
    (void)fake.worker.run(0);
    fake.engine.worker = &worker;
    fall_asleep(fake.engine.tier_watch);
    (void)fake.get("k");
    CHECK(fake.engine.tier_watch.is_asked());
    fake.engine.worker = &fake.worker;
    (void)fake.worker.run(0);
    CHECK(fake.engine.tier_watch.is_awake());
  }
}
