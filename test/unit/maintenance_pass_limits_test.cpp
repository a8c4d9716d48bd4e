#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "evictor_fixture.hpp"
#include "unit/maintenance_pass_fixture.hpp"

// How maintenance passes evict entries when limits are exceeded.

using namespace ashmemo;
using base::FailureKind;
using test::Bench;
using test::Call;
using test::FakeEngine;
using test::kSecond;

namespace {

Options of_80_entries() {
  Options options = FakeEngine::manual();
  options.eviction = Eviction::fifo;
  options.limits.max_entries = 80;
  return options;
}

/// A cache at its limit.
struct FullBench : Bench {
  FullBench() : Bench(of_80_entries()) {
    fake.put_all(test::numbered("old", 80), "1");
    (void)run_once();
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("limits lowered during a commit are enforced at the background rate") {
    Options options = FakeEngine::manual();
    options.eviction = Eviction::fifo;
    Bench bench(options);
    bench.fake.put_all(test::numbered("k", 9'000), "v");
    bench.run_once(10 * kSecond);
    bench.fake.faults->before(Call::commit, [&] {
      bench.fake.engine.limits.set({10, unlimited, MiB});
    });
    bench.fake.put("one more", "v");
    CHECK(bench.run_once());
    CHECK(bench.fake.engine.counters.evicted.get() <= 1'000);
    bench.fake.faults->heal();
  }

  TEST_CASE("a failed eviction for a group is repeated before the next group is written") {
    struct Failing {
      Call call;
      int nth;
    };
    for (const Failing& failing : {Failing{Call::begin, 2}, Failing{Call::begin, 3},
                                   Failing{Call::delete_row, 1}, Failing{Call::commit, 3}}) {
      CAPTURE(static_cast<int>(failing.call));
      CAPTURE(failing.nth);
      Bench bench(test::limited(Eviction::fifo, unlimited, 300'000));
      for (const std::string& key : test::numbered("k", 3'000)) test::offer(bench.fake, key);
      CHECK_FALSE(bench.run_once());
      test::offer(bench.fake, "large", 150'000);  // needs evictions in two transactions
      bench.fake.faults->fail(failing.call, FailureKind::busy, failing.nth);
      CHECK_FALSE(bench.run_once());
      CHECK(bench.fake.engine.bytes > 300'000);
      CHECK(bench.fake.engine.pending.is_refusing());
      test::offer(bench.fake, "next");
      bench.run_once();
      CHECK(bench.fake.file->has("next"));
      CHECK(bench.fake.engine.bytes <= 300'000);
      CHECK_FALSE(bench.fake.engine.pending.is_refusing());
    }
  }

  TEST_CASE("a failed eviction for a group is repeated even if no group follows") {
    Bench bench(test::limited(Eviction::fifo, unlimited, 300'000));
    for (const std::string& key : test::numbered("k", 3'000)) test::offer(bench.fake, key);
    CHECK_FALSE(bench.run_once());
    test::offer(bench.fake, "large", 150'000);
    bench.fake.faults->fail(Call::begin, FailureKind::busy, 2, 3);
    for (int i = 0; i < 3; ++i) {
      CHECK_FALSE(bench.run_once());
      CHECK(bench.fake.engine.pending.is_refusing());
    }
    CHECK_FALSE(bench.run_once());
    CHECK(bench.fake.engine.bytes <= 300'000);
    CHECK_FALSE(bench.fake.engine.pending.is_refusing());
  }

  TEST_CASE("commits go on while every eviction fails") {
    for (const Call call : {Call::delete_due, Call::oldest, Call::delete_row}) {
      CAPTURE(static_cast<int>(call));
      FullBench bench;
      bench.fake.faults->fail_reading_always(call);
      for (const std::string& key : test::numbered("new", 10)) {
        bench.fake.put(key, "1");
        (void)bench.run_once();
        CHECK(bench.fake.file->has(key));
        CHECK(bench.fake.health() == HealthState::degraded);
      }
      bench.fake.faults->heal();
      bench.advance(kSecond);
      (void)bench.run_once();
      CHECK(bench.fake.file->keys().size() <= 80);
      CHECK(bench.fake.health() == HealthState::ok);
      CHECK_FALSE(bench.fake.engine.store.corruption());
    }
  }

  TEST_CASE("health is ok again when evictions that failed are not needed any more") {
    FullBench bench;
    bench.fake.faults->fail_reading_always(Call::oldest);
    bench.fake.put("new", "1");
    (void)bench.run_once();
    CHECK(bench.fake.health() == HealthState::degraded);
    bench.fake.faults->heal();
    bench.fake.engine.limits.set({});
    bench.advance(kSecond);
    (void)bench.run_once();
    CHECK(bench.fake.health() == HealthState::ok);
  }

  TEST_CASE(
      "a file whose entries cannot be evicted counts as damaged when it is an eighth too large") {
    FullBench bench;
    bench.fake.faults->fail_reading_always(Call::oldest);
    int written = 0;
    for (; !bench.fake.engine.store.corruption() && written < 100; ++written) {
      bench.fake.put("new" + std::to_string(written), "1");
      (void)bench.run_once();
    }
    CHECK(written == 12);  // the first finds the fault, ten more are allowed, one is too many
    CHECK(bench.fake.engine.store.corruption()->why.find("cannot be evicted") != std::string::npos);
  }

  TEST_CASE("deletions that always fail report one trouble until they succeed") {
    Bench bench;
    Call failing = Call::delete_retired;
    SUBCASE("of entries of a retired calculation") {
      test::FakeRow row;
      row.byte_size = 10;
      const auto words = bench.fake.engine.catalog.add("Post", "words", 1, "");
      (void)bench.fake.engine.catalog.take_unwritten();  // as if a transaction had stored it
      row.calculation_id = words->id;
      bench.fake.file->plant("Post:1", row);
      bench.fake.engine.catalog.renew(words);
    }
    SUBCASE("of expired entries") {
      failing = Call::delete_due;
      bench.fake.put("due", "1", {1, 1, 1});
      REQUIRE(bench.pass.finish_accepted().ok());
    }
    bench.fake.faults->fail_reading_always(failing);
    const auto run = [&] {
      for (int i = 0; i < 500; ++i) {
        (void)bench.run_once();
        bench.events.deliver_some();
        bench.advance(20'000);
      }
    };
    run();
    for (int i = 0; i < 3; ++i) {
      bench.fake.put("new" + std::to_string(i), "1");
      bench.advance(60 * kSecond);
      run();
      CHECK(bench.fake.file->has("new" + std::to_string(i)));
    }
    CHECK(bench.fake.recorded->count(NoticeKind::write_failed) == 1);
    CHECK(bench.fake.recorded->count(NoticeKind::recovered) == 0);
    CHECK(bench.fake.health() == HealthState::degraded);
    CHECK(bench.fake.faults->calls(failing) < 20);
    bench.fake.faults->heal();
    bench.advance(120 * kSecond);
    run();
    CHECK(bench.fake.recorded->count(NoticeKind::recovered) == 1);
    CHECK(bench.fake.health() == HealthState::ok);
    CHECK(bench.fake.file->keys() == std::vector<std::string>{"new0", "new1", "new2"});
  }

  TEST_CASE("a failed deletion of expired entries is tried again before the next interval") {
    Bench bench;
    bench.fake.put("due", "1", {1, 1, 1});
    REQUIRE(bench.pass.finish_accepted().ok());
    bench.fake.faults->fail_reading_always(Call::delete_due);
    bench.advance(60 * kSecond);
    (void)bench.run_once();
    CHECK(bench.fake.health() == HealthState::degraded);
    bench.fake.faults->heal();
    bench.advance(2 * kSecond);
    (void)bench.run_once();
    CHECK(bench.fake.health() == HealthState::ok);
    CHECK_FALSE(bench.fake.file->has("due"));
  }

  TEST_CASE("a pass does its other work while entries of a retired calculation cannot be read") {
    Options options = FakeEngine::manual();
    options.eviction = Eviction::fifo;
    Bench bench(options);
    bench.fake.put_all(test::numbered("k", 1'000), "v");
    bench.run_once();
    const auto words = bench.fake.engine.catalog.add("Post", "words", 1, "");
    (void)bench.fake.engine.catalog.take_unwritten();  // as if a transaction had stored it
    bench.fake.engine.catalog.renew(words);
    bench.fake.faults->fail_reading_always(Call::delete_retired);
    bench.fake.engine.limits.set({10, unlimited, MiB});
    bench.advance(kSecond);
    (void)bench.run_once();
    CHECK(bench.fake.faults->calls(Call::delete_retired) == 1);
    CHECK(bench.fake.engine.entries < 1'000);
    bench.fake.faults->heal();
  }

  TEST_CASE("many retired calculations are deleted without pauses") {
    Bench bench;
    const auto words = bench.fake.engine.catalog.add("Post", "words", 1, "");
    std::vector<store::CalculationRow> stored;
    const auto take = [&] {
      for (const auto& each : bench.fake.engine.catalog.take_unwritten()) stored.push_back(each);
    };
    test::FakeRow row;
    row.byte_size = 10;
    for (int i = 0; i < 3'000; ++i) {
      take();
      row.calculation_id = words->id;
      bench.fake.file->plant("Post:" + std::to_string(i), row);
      bench.fake.engine.catalog.renew(words);
    }
    take();
    bench.fake.file->change([&](auto& state) {
      for (const auto& each : stored) state.calculations[each.id] = each;
    });
    REQUIRE(bench.fake.engine.catalog.retired_count() == 3'000);
    SUBCASE("within the budget of a pass") {
      (void)bench.run_once();
      CHECK(bench.fake.engine.catalog.retired_count() == 0);
      CHECK(bench.fake.file->keys().empty());
    }
    SUBCASE("until the log is full") {
      bench.fake.faults->before(Call::delete_retired, [&bench] {
        bench.fake.file->wal_bytes = 8 * MiB;
        bench.fake.file->own_reader = true;
      });
      (void)bench.run_once();
      CHECK(bench.fake.faults->calls(Call::delete_retired) == 1);
      CHECK(bench.fake.engine.catalog.retired_count() == 3'000);
    }
  }

  TEST_CASE("a pass evicts in smaller transactions on a full disk") {
    Bench bench(test::limited(Eviction::fifo, unlimited, 300'000));
    for (const std::string& key : test::numbered("k", 3'000)) test::offer(bench.fake, key);
    CHECK_FALSE(bench.run_once());
    test::offer(bench.fake, "large", 150'000);
    bench.fake.faults->fail(Call::commit, FailureKind::full, 2);
    SUBCASE("the checkpoint succeeds") {
      REQUIRE(bench.pass.finish_accepted().ok());
      CHECK(bench.fake.engine.bytes <= 300'000);
      CHECK(bench.fake.faults->calls(Call::commit) > 20);
    }
    SUBCASE("the checkpoint fails") {
      bench.fake.faults->fail(Call::checkpoint, FailureKind::io, 2, 2);
      for (int i = 0; i < 2; ++i) {
        CHECK_FALSE(bench.pass.finish_accepted().ok());
        CHECK(bench.fake.engine.pending.is_refusing());
      }
      REQUIRE(bench.pass.finish_accepted().ok());
      CHECK(bench.fake.engine.bytes <= 300'000);
      CHECK_FALSE(bench.fake.engine.pending.is_refusing());
    }
  }

  TEST_CASE("a full disk removes entries from the future when eviction is off") {
    Options options = FakeEngine::manual();
    options.eviction = Eviction::none;
    Bench bench(options);
    const std::int64_t right = bench.fake.clock->wall_now();
    bench.fake.clock->set_wall(right + 3'600 * kSecond);
    bench.fake.put_all(test::numbered("future", 100), "v");
    bench.run_once();
    bench.fake.clock->set_wall(right);
    bench.fake.put("new", "v");
    bench.fake.faults->fail(Call::commit, FailureKind::full, 1, 2);
    REQUIRE(bench.pass.finish_accepted().ok());
    CHECK(bench.fake.engine.counters.expired.get() == 100);
    CHECK(bench.fake.file->has("new"));
  }

  TEST_CASE("due entries are removed in bounded transactions when new entries need their space") {
    Options options = FakeEngine::manual();
    options.eviction = Eviction::none;
    options.limits.max_entries = 5'000;
    Bench bench(options);
    for (const std::string& key : test::numbered("k", 5'000)) bench.fake.put(key, "1", {1, 1, 1});
    bench.run_once();
    bench.advance(kSecond);
    bench.fake.faults->before(Call::commit, [&bench] {
      CHECK(bench.fake.file->wal_bytes < 4 * MiB);
      bench.fake.file->wal_bytes += 4 * MiB;
    });
    bench.fake.put_all(test::numbered("n", 3'500), "v");
    SUBCASE("a flush removes them") { REQUIRE(bench.pass.finish_accepted().ok()); }
    SUBCASE("passes without time remove them") {
      for (int passes = 0; !bench.fake.engine.pending.empty(); ++passes) {
        REQUIRE(passes < 20);
        const std::int64_t before = bench.commits();
        bench.run_once(0);
        CHECK(bench.commits() > before);
        CHECK(bench.commits() <= before + 2);  // one removal of due entries and one group
      }
    }
    CHECK(bench.fake.engine.counters.refused.get() == 0);
    CHECK(bench.fake.file->has("n0001"));
    CHECK(bench.fake.file->has("n3500"));
    bench.fake.faults->heal();
  }

  TEST_CASE("a pass without time commits a group of replacements when eviction is off") {
    Options options = FakeEngine::manual();
    options.eviction = Eviction::none;
    options.limits.max_entries = 3;
    Bench bench(options);
    bench.fake.put_all(test::numbered("k", 3), "old");
    bench.run_once(0);
    bench.fake.put_all(test::numbered("k", 3), "new");
    bench.run_once(0);
    CHECK(bench.fake.engine.pending.empty());
    CHECK(bench.fake.engine.counters.refused.get() == 0);
    CHECK(bench.fake.engine.counters.replaced.get() == 3);
  }
}
