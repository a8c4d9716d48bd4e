#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// How the worker removes due entries and entries of retired calculations.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;
using test::FakeRow;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

void put_results(FakeEngine& fake, const engine::CalculationPtr& calculation, int rows) {
  for (const std::string& key : test::numbered("Post:", rows)) {
    FakeRow row;
    row.byte_size = 10;
    row.calculation_id = calculation->id;
    fake.file->plant(key, row);
  }
}

engine::CalculationPtr known_calculation(FakeEngine& fake) {
  const auto words = fake.engine.catalog.add("Post", "words", 1, "");
  fake.file->change([&](auto& state) {
    for (const auto& row : fake.engine.catalog.take_unwritten()) state.calculations[row.id] = row;
  });
  return words;
}

/// Runs the worker until no work is due. Returns the number of runs.
int run_all(FakeEngine& fake) {
  int runs = 1;
  while (fake.worker.run(0)) REQUIRE(++runs < 100);
  return runs;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the worker removes exactly the due rows in bounded batches") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    for (const std::string& key : test::numbered("due", 2'500)) {
      fake.put(key, "v", {kSecond, kSecond, kSecond});
    }
    fake.put("later", "v", {kSecond + 1, kSecond + 1, kSecond + 1});
    fake.put("never", "v");
    REQUIRE(fake.worker.flush().ok());
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.worker.run(0));
    CHECK(fake.engine.counters.expired.get() == 1'000);
    CHECK(run_all(fake) <= 4);
    CHECK(fake.file->keys() == std::vector<std::string>{"later", "never"});
    CHECK(fake.engine.counters.expired.get() == 2'500);
    CHECK(fake.engine.entries == 2);
  }

  TEST_CASE("a damaged entry is a miss, is counted, and is removed by the worker") {
    std::vector<std::string> removals;
    Options options = FakeEngine::manual();
    options.memory_bytes = 0;
    options.hooks.on_removal = [&removals](const Removal& removal) {
      removals.push_back(std::string(removal.key) + ' ' + std::string(to_string(removal.cause)));
    };
    FakeEngine fake(options);
    for (const char* key : {"a", "b"}) {
      FakeRow row;
      row.byte_size = 100;
      row.value = Value::text("v");
      row.is_damaged = key == std::string("a");
      fake.file->plant(key, row);
    }
    REQUIRE(fake.open().ok());
    CHECK_FALSE(fake.get("a"));
    CHECK_FALSE(fake.get("a"));
    CHECK(fake.get("b") == "v");
    CHECK(fake.engine.counters.damaged.get() == 2);
    CHECK(fake.engine.counters.reads.sums().misses == 2);
    CHECK(fake.file->has("a"));
    run_all(fake);
    CHECK(fake.file->keys() == std::vector<std::string>{"b"});
    CHECK(removals == std::vector<std::string>{"a damaged"});
    CHECK(fake.recorded->count(NoticeKind::entry_damaged) == 1);
    CHECK(fake.health() == HealthState::ok);
  }

  TEST_CASE("an entry that was written anew after a damaged read stays") {
    Options options = FakeEngine::manual();
    options.memory_bytes = 0;
    FakeEngine fake(options);
    FakeRow row;
    row.byte_size = 100;
    row.is_damaged = true;
    fake.file->plant("a", row);
    REQUIRE(fake.open().ok());
    CHECK_FALSE(fake.get("a"));
    fake.put("a", "new");
    REQUIRE(fake.worker.flush().ok());
    run_all(fake);
    CHECK(fake.get("a") == "new");
    CHECK(fake.recorded->count(NoticeKind::entry_damaged) == 0);
  }

  TEST_CASE("a damaged entry that could not be removed is found by its next read") {
    FakeEngine fake;
    FakeRow row;
    row.byte_size = 100;
    row.is_damaged = true;
    fake.file->plant("a", row);
    REQUIRE(fake.open().ok());
    CHECK_FALSE(fake.get("a"));
    fake.faults->fail(Call::delete_damaged, FailureKind::full);
    run_all(fake);
    CHECK(fake.file->has("a"));
    CHECK_FALSE(fake.get("a"));
    run_all(fake);
    CHECK_FALSE(fake.file->has("a"));
  }

  TEST_CASE("a cache that only reads does not note damaged entries") {
    Options options = FakeEngine::manual();
    options.access = Access::read_only;
    FakeEngine fake(options);
    FakeRow row;
    row.is_damaged = true;
    fake.file->plant("a", row);
    REQUIRE(fake.open().ok());
    CHECK_FALSE(fake.get("a"));
    CHECK(fake.engine.counters.damaged.get() == 1);
    CHECK(fake.engine.suspects.empty());
  }

  TEST_CASE("the rows that the worker is to look at are bounded and each is noted once") {
    engine::SuspectRows rows;
    CHECK(rows.empty());
    CHECK(rows.add(1));
    CHECK_FALSE(rows.add(1));
    for (int i = 2; i < 1'000; ++i) CHECK_FALSE(rows.add(i));
    CHECK(rows.take().size() == engine::SuspectRows::kMaxRows);
    CHECK(rows.empty());
    CHECK(rows.add(1));
  }

  TEST_CASE("an entry that is kept for stale_if_error is removed when that time ends") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "v", {1, 2, kSecond});
    REQUIRE(fake.worker.flush().ok());
    fake.clock->advance(Duration::microseconds(kSecond - 1));
    run_all(fake);
    CHECK(fake.file->has("a"));
    fake.clock->advance(Duration::microseconds(1));
    run_all(fake);
    CHECK_FALSE(fake.file->has("a"));
  }

  TEST_CASE("an entry that expires before it is written is removed") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "v", {1, 1, 1});
    fake.clock->advance(Duration::microseconds(5));
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(fake.get("a"));
    run_all(fake);
    CHECK_FALSE(fake.file->has("a"));
  }

  TEST_CASE("due entries remain while the clock is set back and are removed afterwards") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "v", {kSecond, kSecond, kSecond});
    REQUIRE(fake.worker.flush().ok());
    const std::int64_t then = fake.clock->wall_now();
    fake.clock->set_wall(then - 100 * kSecond);
    run_all(fake);
    CHECK(fake.file->has("a"));
    fake.clock->set_wall(then + kSecond);
    run_all(fake);
    CHECK_FALSE(fake.file->has("a"));
  }

  TEST_CASE("a failed expiry counts nothing and is repeated later") {
    for (const Call call : {Call::delete_due, Call::commit, Call::begin}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      fake.put("a", "v", {1, 1, 1});
      REQUIRE(fake.worker.flush().ok());
      fake.clock->advance(std::chrono::seconds(1));
      fake.faults->fail(call, FailureKind::busy);
      static_cast<void>(fake.worker.run(0));
      CHECK(fake.file->has("a"));
      CHECK(fake.engine.counters.expired.get() == 0);
      run_all(fake);
      CHECK_FALSE(fake.file->has("a"));
      CHECK(fake.engine.counters.expired.get() == 1);
    }
  }

  TEST_CASE("results of a retired calculation are removed in bounded transactions") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = known_calculation(fake);
    put_results(fake, words, 2'500);
    fake.put("direct", "v");
    auto range = std::make_shared<engine::Range>();
    range->kind = engine::Range::Kind::put_calculations;
    fake.engine.catalog.renew(words);
    CHECK(engine::run_range(fake.engine, range));
    CHECK(fake.file->keys().size() == 2'501);
    run_all(fake);
    CHECK(fake.file->keys() == std::vector<std::string>{"direct"});
    CHECK(fake.engine.counters.erased.get() == 2'500);
    CHECK(fake.engine.catalog.retired_count() == 0);
    CHECK(fake.file->state()->calculations.size() == 1);
    CHECK(fake.file->state()->calculations.contains(words->id));
  }

  TEST_CASE(
      "results of a retired calculation are removed even if its retirement is not stored yet") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = known_calculation(fake);
    put_results(fake, words, 10);
    fake.engine.catalog.renew(words);  // not stored in the file yet
    run_all(fake);
    CHECK(fake.file->keys().empty());
    CHECK(fake.engine.catalog.retired_count() == 0);
  }

  TEST_CASE("a removal of retired results that failed continues at the same place") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = known_calculation(fake);
    put_results(fake, words, 2'500);
    fake.engine.catalog.renew(words);
    for (const Call call : {Call::delete_retired, Call::commit, Call::delete_calculations}) {
      fake.faults->fail(call, FailureKind::io);
      static_cast<void>(fake.worker.run(0));
    }
    CHECK(fake.engine.catalog.retired_count() > 0);
    run_all(fake);  // until `delete_calculations` fails
    run_all(fake);
    CHECK(fake.file->keys().empty());
    CHECK(fake.engine.counters.erased.get() == 2'500);
    CHECK(fake.engine.catalog.retired_count() == 0);
  }

  TEST_CASE("a removal of retired results starts again in another file") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = known_calculation(fake);
    put_results(fake, words, 2'500);
    const auto before = fake.file->state();
    fake.engine.catalog.renew(words);
    CHECK(fake.worker.run(0));
    CHECK(fake.file->keys().size() == 1'500);
    // Another process replaces the file by an older copy.
    fake.file->set_state(before);
    fake.file->in_place = false;
    static_cast<void>(fake.worker.run(0));
    fake.file->in_place = true;
    run_all(fake);
    CHECK(fake.file->keys().empty());
  }

  TEST_CASE("results that are retired during a removal are removed by the next one") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = known_calculation(fake);
    put_results(fake, words, 2'500);
    fake.engine.catalog.renew(words);
    fake.file->change([&](auto& state) {
      for (const auto& row : fake.engine.catalog.take_unwritten()) state.calculations[row.id] = row;
    });
    CHECK(fake.worker.run(0));
    FakeRow row;
    row.calculation_id = words->id;
    fake.file->plant("Post:late", row);
    fake.engine.catalog.renew(words);
    run_all(fake);
    CHECK(fake.file->keys().empty());
    CHECK(fake.engine.catalog.retired_count() == 0);
  }
}
