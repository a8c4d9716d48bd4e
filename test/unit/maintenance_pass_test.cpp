#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "unit/maintenance_pass_fixture.hpp"

// Maintenance passes as the worker thread runs them. A pass does only the work that is due.

using namespace ashmemo;
using base::FailureKind;
using test::Bench;
using test::Call;
using test::FakeEngine;
using test::kSecond;

TEST_SUITE("unit") {
  TEST_CASE("a pass commits pending writes") {
    Bench bench;
    bench.fake.put("a", "1");
    CHECK_FALSE(bench.run_once());
    CHECK(bench.fake.file->has("a"));
  }

  TEST_CASE("a pass without time commits one group and returns true if more work remains") {
    Bench bench;
    bench.fake.put_all(test::numbered("k", 2'500), "v");
    CHECK(bench.run_once(0));
    CHECK(bench.fake.engine.entries == 1'000);
    CHECK(bench.run_once(0));
    CHECK_FALSE(bench.run_once(0));
    CHECK(bench.fake.engine.entries == 2'500);
  }

  TEST_CASE("a pass without a store returns false") {
    FakeEngine fake;
    maintenance::Events events(fake.engine);
    maintenance::MaintenancePass pass(fake.engine, events);
    pass.postpone_opening({FailureKind::io, 0, "none"});
    CHECK_FALSE(pass.run_once({0, true}));
    CHECK_FALSE(pass.finish_accepted().ok());
  }

  TEST_CASE("writes wait while own reads keep a long log, and then a flush fails") {
    Bench bench;
    bench.fake.put("a", "1");
    bench.run_once(10 * kSecond);
    bench.fake.file->wal_bytes = 8 * MiB;
    bench.fake.file->own_reader = true;
    bench.fake.put("b", "2");
    CHECK(bench.run_once());
    CHECK_FALSE(bench.fake.engine.pending.empty());
    // So a caller that waits for a commit does not wait for the whole read.
    CHECK(bench.fake.engine.pending.is_refusing());
    CHECK(bench.fake.health() == HealthState::degraded);
    bench.fake.file->own_reader = false;
    bench.run_once();
    CHECK(bench.fake.engine.pending.empty());
    CHECK_FALSE(bench.fake.engine.pending.is_refusing());
    CHECK(bench.fake.health() == HealthState::ok);

    bench.fake.file->wal_bytes = 8 * MiB;
    bench.fake.file->own_reader = true;
    bench.fake.faults->before(Call::commit, [&] { bench.fake.file->wal_bytes += 4 * MiB; });
    for (int i = 0; i < 10; ++i) {
      bench.fake.put("c", std::to_string(i));
      const base::Status flushed = bench.pass.finish_accepted();
      REQUIRE_FALSE(flushed.ok());
      CHECK(flushed.failure().kind == FailureKind::busy);
      CHECK(bench.fake.file->wal_bytes == 8 * MiB);
    }
    CHECK_FALSE(bench.fake.engine.pending.empty());
    // What a closing cache does not write is lost.
    bench.fake.engine.closed = true;
    REQUIRE(bench.pass.finish_accepted().ok());
    CHECK(bench.fake.file->row("c").value.bytes() == "9");
    bench.fake.faults->heal();
  }

  TEST_CASE("the store counts as refusing while a flush waits for own reads") {
    Bench bench;
    bench.fake.file->wal_bytes = 8 * MiB;
    bench.fake.file->own_reader = true;
    bench.fake.put("a", "1");
    int tries = 0;
    bench.fake.faults->before(Call::checkpoint, [&] {
      if (++tries == 1) return;
      CHECK(bench.fake.engine.pending.is_refusing());
      if (tries == 5) bench.fake.file->own_reader = false;
    });
    REQUIRE(bench.pass.finish_accepted().ok());
    CHECK(tries == 5);
    CHECK(bench.fake.file->has("a"));
    CHECK_FALSE(bench.fake.engine.pending.is_refusing());
    CHECK(bench.fake.health() == HealthState::ok);
    bench.fake.faults->heal();
  }

  TEST_CASE("a caller that runs maintenance waits for own reads no longer than max_wait") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    fake.file->wal_bytes = 8 * MiB;
    fake.file->own_reader = true;
    CHECK(fake.erase("a") == 0);
    CHECK(fake.file->has("a"));
    CHECK_FALSE(fake.get("a"));
    fake.file->own_reader = false;
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(fake.file->has("a"));
    CHECK(fake.recorded->count(NoticeKind::removal_uncommitted) == 1);
  }

  TEST_CASE("the log stays below 12 MiB during a long read") {
    Options options = FakeEngine::manual();
    options.limits.max_bytes = 2 * MiB;
    Bench bench(options);
    bench.fake.put_all(test::numbered("k", 7'000), "v");
    for (const std::string& key : test::numbered("due", 7'000)) bench.fake.put(key, "1", {1, 1, 1});
    REQUIRE(bench.pass.finish_accepted().ok());
    bench.fake.file->free_pages = 10'000;
    int tries = 0;
    bench.fake.faults->before(Call::commit, [&] {
      CHECK(bench.fake.file->wal_bytes <= 12 * MiB);
      bench.fake.file->wal_bytes += 4 * MiB;
      bench.fake.file->own_reader = true;
      tries = 0;
    });
    bench.fake.faults->before(Call::vacuum, [&] {
      CHECK(bench.fake.file->wal_bytes <= 12 * MiB);
      bench.fake.file->wal_bytes += MiB;
    });
    bench.fake.faults->before(Call::checkpoint, [&] {
      if (++tries == 3) bench.fake.file->own_reader = false;
    });
    SUBCASE("passes enforce limits") {
      for (int i = 0; i < 3; ++i) bench.fake.put(std::to_string(i), std::string(200'000, 'v'));
      for (int passes = 0; !bench.fake.engine.pending.empty(); ++passes) {
        REQUIRE(passes < 1'000);
        bench.run_once();
      }
      CHECK(bench.fake.engine.counters.evicted.get() > 0);
    }
    SUBCASE("a flush enforces limits") {
      for (int i = 0; i < 3; ++i) bench.fake.put(std::to_string(i), std::string(200'000, 'v'));
      CHECK(bench.pass.finish_accepted().ok());
    }
    SUBCASE("compact shrinks the file") {
      bench.advance(kSecond);
      CHECK(bench.pass.compact().ok());
      CHECK(bench.fake.file->free_pages == 0);
    }
    bench.fake.faults->heal();
  }

  TEST_CASE("the store counts as refusing when another program holds the write lock") {
    Bench bench;
    bench.fake.put("a", "1");
    bench.run_once(10 * kSecond);
    bench.fake.file->wal_bytes = 8 * MiB;
    bench.fake.file->foreign_lock = true;
    bench.fake.put("b", "2");
    bench.fake.faults->fail_always(Call::begin, FailureKind::busy);
    bench.run_once();
    CHECK(bench.fake.engine.pending.is_refusing());
  }

  TEST_CASE("writes do not wait for the reader of another program") {
    Bench bench;
    bench.fake.file->wal_bytes = 8 * MiB;
    bench.fake.file->foreign_reader = true;
    bench.fake.put("a", "1");
    bench.run_once();
    CHECK(bench.fake.engine.pending.empty());
  }

  TEST_CASE("touches are written once in each interval and at once by a flush") {
    Bench bench;
    bench.fake.put("a", "1");
    bench.run_once();
    CHECK(bench.fake.get("a"));
    bench.run_once();
    CHECK(bench.fake.file->row("a").access_count == 0);
    bench.advance(60 * kSecond - 1);
    bench.run_once();
    CHECK(bench.fake.file->row("a").access_count == 0);
    bench.advance(1);
    bench.run_once();
    CHECK(bench.fake.file->row("a").access_count == 1);
    CHECK(bench.fake.get("a"));
    REQUIRE(bench.pass.finish_accepted().ok());
    CHECK(bench.fake.file->row("a").access_count == 2);
  }

  TEST_CASE(
      "many touches are written at the background rate and the next round waits for all of them") {
    Bench bench;
    const auto keys = test::numbered("k", 2'500);
    bench.fake.put_all(keys, "v");
    bench.run_once(10 * kSecond);
    for (const std::string& key : keys) CHECK(bench.fake.get(key));
    bench.advance(60 * kSecond);
    const auto written = [&] { return bench.fake.engine.counters.touches_written.get(); };
    CHECK(bench.run_once());
    CHECK(written() == 1'000);
    bench.advance(20'000);
    CHECK(bench.run_once());
    CHECK(written() == 1'000);
    bench.advance(80'000);
    CHECK(bench.run_once());
    CHECK(written() == 2'000);
    CHECK(bench.fake.get(keys.front()));  // its touch of this round is written already
    bench.advance(100'000);
    CHECK_FALSE(bench.run_once());
    CHECK(written() == 2'500);
    bench.advance(60 * kSecond - 1);
    CHECK_FALSE(bench.run_once());
    CHECK(written() == 2'500);
    bench.advance(1);
    CHECK_FALSE(bench.run_once());
    CHECK(written() == 2'501);
  }

  TEST_CASE("expiry continues at the background rate until nothing is due") {
    Bench bench;
    bench.run_once();  // the first expiry is due at once
    for (const std::string& key : test::numbered("k", 3'500)) {
      bench.fake.put(key, "v", {kSecond, kSecond, kSecond});
    }
    bench.run_once();
    bench.advance(60 * kSecond);
    CHECK(bench.run_once());
    CHECK(bench.fake.engine.counters.expired.get() == 1'000);
    // A pass before the next deletion is due deletes nothing, but still returns true.
    bench.advance(20'000);
    CHECK(bench.run_once());
    CHECK(bench.fake.engine.counters.expired.get() == 1'000);
    int passes = 0;
    do {
      bench.advance(20'000);
      REQUIRE(++passes < 100);
    } while (bench.run_once());
    CHECK(bench.fake.engine.counters.expired.get() == 3'500);
    CHECK(bench.fake.engine.entries == 0);
  }

  TEST_CASE("background deletions run at most ten times a second") {
    Options options = FakeEngine::manual();
    options.eviction = Eviction::fifo;
    Bench bench(options);
    bench.fake.put_all(test::numbered("k", 9'000), "v");
    bench.run_once(10 * kSecond);
    bench.fake.engine.limits.set({10, unlimited, MiB});
    bench.advance(100'000);
    const std::int64_t before = bench.fake.engine.counters.evicted.get();
    for (int i = 0; i < 10; ++i) {
      bench.run_once();
      bench.advance(10'000);
    }
    CHECK(bench.fake.engine.counters.evicted.get() - before == 1'000);
    int passes = 0;
    while (bench.run_once()) {
      bench.advance(20'000);
      REQUIRE(++passes < 1'000);
    }
    CHECK(bench.fake.engine.entries == 10);
  }

  TEST_CASE("refused touches are tried again soon even if no write is pending") {
    Bench bench;
    bench.fake.put("a", "1");
    bench.run_once();
    CHECK(bench.fake.get("a"));
    bench.advance(60 * kSecond);
    bench.fake.faults->fail(Call::begin, FailureKind::busy, 1, 2);
    CHECK_FALSE(bench.run_once());
    CHECK(bench.fake.engine.pending.is_refusing());
    CHECK_FALSE(bench.run_once());
    CHECK(bench.fake.engine.pending.is_refusing());
    CHECK(bench.run_once());  // the touches are not written yet
    CHECK_FALSE(bench.fake.engine.pending.is_refusing());
    bench.advance(kSecond);
    CHECK_FALSE(bench.run_once());
    CHECK(bench.fake.file->row("a").access_count == 1);
  }

  TEST_CASE("a removal is committed even if touches failed before it") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("a"));
    fake.faults->fail(Call::touch, FailureKind::busy);
    CHECK_FALSE(fake.worker.flush().ok());
    fake.clock->advance(std::chrono::minutes(10));
    CHECK(fake.erase("a") == 1);
    CHECK(fake.recorded->count(NoticeKind::removal_uncommitted) == 0);
  }

  TEST_CASE("a flush does not wait for writes that arrive while it runs") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("first", "1");
    int commits = 0;
    fake.faults->before(Call::commit, [&] {
      REQUIRE(++commits < 50);
      fake.put("late" + std::to_string(commits), "1");
    });
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->has("first"));
    CHECK(commits < 5);
    CHECK_FALSE(fake.engine.pending.empty());
    fake.faults->heal();
  }

  TEST_CASE("a pass checks once a second whether the file was deleted") {
    Bench bench;
    bench.run_once();
    bench.fake.file->in_place = false;
    const auto store = bench.fake.engine.store.get();
    bench.advance(999'999);
    bench.run_once();
    CHECK(bench.fake.engine.store.get() == store);
    bench.advance(1);
    bench.run_once();
    CHECK(bench.fake.engine.store.get() != store);
  }

  TEST_CASE("passes shorten a file that was emptied") {
    Bench bench;
    bench.fake.file->file_bytes = 100 * MiB;
    bench.fake.file->free_pages = 25'000;
    int passes = 1;
    for (; bench.run_once(); ++passes) REQUIRE(passes < 1'000);
    CHECK(passes > 50);
    CHECK(bench.fake.file->file_bytes < 4 * MiB);
    CHECK(bench.fake.file->truncations == 1);
    CHECK_FALSE(bench.run_once());
    CHECK(bench.fake.file->checkpoints == 1);
  }

  TEST_CASE("a checkpoint runs between any two transactions that make the log grow") {
    Options options = FakeEngine::manual();
    SUBCASE("limits are enforced") { options.limits.max_entries = 2'000; }
    SUBCASE("due entries are removed") { options.limits.max_entries = 10'000; }
    Bench bench(options);
    bench.fake.faults->before(Call::commit, [&bench] {
      CHECK(bench.fake.file->wal_bytes < 4 * MiB);
      bench.fake.file->wal_bytes += 4 * MiB;
    });
    for (const std::string& key : test::numbered("k", 5'000)) bench.fake.put(key, "1", {1, 1, 1});
    CHECK(bench.pass.finish_accepted().ok());
    bench.advance(kSecond);
    CHECK(bench.pass.compact().ok());
    CHECK(bench.fake.file->keys().empty());
  }
}
