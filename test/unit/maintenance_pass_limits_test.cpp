#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "evictor_fixture.hpp"
#include "unit/maintenance_pass_fixture.hpp"

// The worker's passes at the limits: what comes in makes others leave, step by step.

using namespace ashmemo;
using base::FailureKind;
using test::Bench;
using test::Call;
using test::FakeEngine;
using test::kSecond;

TEST_SUITE("unit") {
  TEST_CASE("limits that are lowered while a group is committed are held at the same pace") {
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

  TEST_CASE("what a group brought in leaves before the next group, if it failed to at first") {
    struct Failing {
      Call call;
      int nth;
    };
    for (const Failing& failing : {Failing{Call::begin, 2}, Failing{Call::begin, 3},
                                   Failing{Call::erase_row, 1}, Failing{Call::commit, 3}}) {
      CAPTURE(static_cast<int>(failing.call));
      CAPTURE(failing.nth);
      Bench bench(test::limited(Eviction::fifo, unlimited, 300'000));
      for (const std::string& key : test::numbered("k", 3'000)) test::offer(bench.fake, key);
      CHECK_FALSE(bench.run_once());
      test::offer(bench.fake, "large", 150'000);  // two transactions evict what it needs
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

  TEST_CASE("what a group brought in leaves also if nothing is written after it") {
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

  TEST_CASE("on a full disk less leaves at a time, and a log that cannot start over is told of") {
    Bench bench(test::limited(Eviction::fifo, unlimited, 300'000));
    for (const std::string& key : test::numbered("k", 3'000)) test::offer(bench.fake, key);
    CHECK_FALSE(bench.run_once());
    test::offer(bench.fake, "large", 150'000);
    bench.fake.faults->fail(Call::commit, FailureKind::full, 2);
    SUBCASE("") {
      REQUIRE(bench.pass.finish_accepted().ok());
      CHECK(bench.fake.engine.bytes <= 300'000);
      CHECK(bench.fake.faults->calls(Call::commit) > 20);
    }
    SUBCASE("the log cannot start over") {
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

  TEST_CASE("39 41 what makes room where nothing may be evicted is done in steps like all else") {
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
    SUBCASE("by a flush") { REQUIRE(bench.pass.finish_accepted().ok()); }
    SUBCASE("by passes whose time is over") {
      for (int passes = 0; !bench.fake.engine.pending.empty(); ++passes) {
        REQUIRE(passes < 20);
        const std::int64_t before = bench.commits();
        bench.run_once(0);
        CHECK(bench.commits() > before);
        CHECK(bench.commits() <= before + 2);  // what makes room, and a group that has enough
      }
    }
    CHECK(bench.fake.engine.counters.refused.get() == 0);
    CHECK(bench.fake.file->has("n0001"));
    CHECK(bench.fake.file->has("n3500"));
    bench.fake.faults->heal();
  }

  TEST_CASE(
      "where nothing may be evicted and nothing is due, a pass without time commits a group") {
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
