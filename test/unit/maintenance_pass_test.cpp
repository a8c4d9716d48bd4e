#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "unit/maintenance_pass_fixture.hpp"

// The worker's passes as its thread makes them: only what is due.

using namespace ashmemo;
using base::FailureKind;
using test::Bench;
using test::Call;
using test::FakeEngine;
using test::kSecond;

TEST_SUITE("unit") {
  TEST_CASE("a pass commits what is pending") {
    Bench bench;
    bench.fake.put("a", "1");
    CHECK_FALSE(bench.run_once());
    CHECK(bench.fake.file->has("a"));
  }

  TEST_CASE("a pass whose time is over still commits one group, and says that there is more") {
    Bench bench;
    bench.fake.put_all(test::numbered("k", 2'500), "v");
    CHECK(bench.run_once(0));
    CHECK(bench.fake.engine.entries == 1'000);
    CHECK(bench.run_once(0));
    CHECK_FALSE(bench.run_once(0));
    CHECK(bench.fake.engine.entries == 2'500);
  }

  TEST_CASE("a pass without a store has nothing to do soon") {
    FakeEngine fake;
    maintenance::Events events(fake.engine);
    maintenance::MaintenancePass pass(fake.engine, events);
    pass.postpone_opening({FailureKind::io, 0, "none"});
    CHECK_FALSE(pass.run_once({0, true}));
    CHECK_FALSE(pass.finish_accepted().ok());
  }

  TEST_CASE("writing waits while reads of our own keep a long log; a flush not for ever") {
    Bench bench;
    bench.fake.put("a", "1");
    bench.run_once(10 * kSecond);
    bench.fake.file->wal_bytes = 8 * MiB;
    bench.fake.file->own_reader = true;
    bench.fake.put("b", "2");
    CHECK(bench.run_once());
    CHECK_FALSE(bench.fake.engine.pending.empty());
    // Who waits for a commit does so as when the store refuses: not for as long as the read takes.
    CHECK(bench.fake.engine.pending.is_refusing());
    CHECK(bench.fake.health() == HealthState::degraded);
    bench.fake.file->own_reader = false;
    bench.run_once();
    CHECK(bench.fake.engine.pending.empty());
    CHECK_FALSE(bench.fake.engine.pending.is_refusing());
    CHECK(bench.fake.health() == HealthState::ok);

    bench.fake.file->wal_bytes = 8 * MiB;
    bench.fake.file->own_reader = true;
    bench.fake.put("c", "3");
    REQUIRE(bench.pass.finish_accepted().ok());
    CHECK(bench.fake.engine.pending.empty());
  }

  TEST_CASE("while a flush waits for reads of our own, the store counts as refusing") {
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

  TEST_CASE(
      "who does the worker's work himself waits for reads of our own no longer than max_wait") {
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
    CHECK(fake.told->count(NoticeKind::removal_uncommitted) == 1);
  }

  TEST_CASE("the log does not grow without bound beside a long read, whatever is done") {
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
    SUBCASE("limits are held by passes") {
      for (int i = 0; i < 3; ++i) bench.fake.put(std::to_string(i), std::string(200'000, 'v'));
      for (int passes = 0; !bench.fake.engine.pending.empty(); ++passes) {
        REQUIRE(passes < 1'000);
        bench.run_once();
      }
      CHECK(bench.fake.engine.counters.evicted.get() > 0);
    }
    SUBCASE("limits are held by a flush") {
      for (int i = 0; i < 3; ++i) bench.fake.put(std::to_string(i), std::string(200'000, 'v'));
      CHECK(bench.pass.finish_accepted().ok());
    }
    SUBCASE("a file is made small") {
      bench.advance(kSecond);
      CHECK(bench.pass.compact().ok());
      CHECK(bench.fake.file->free_pages == 0);
    }
    bench.fake.faults->heal();
  }

  TEST_CASE("another program that writes is met by trying: the store then counts as refusing") {
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

  TEST_CASE("nobody waits for a foreign reader") {
    Bench bench;
    bench.fake.file->wal_bytes = 8 * MiB;
    bench.fake.file->foreign_reader = true;
    bench.fake.put("a", "1");
    bench.run_once();
    CHECK(bench.fake.engine.pending.empty());
  }

  TEST_CASE("touches are written once in each interval, by a flush at once") {
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

  TEST_CASE("many touches are written at the pace of deletions, and the next round waits for all") {
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
    CHECK(bench.fake.get(keys.front()));  // its turn in this round is over
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

  TEST_CASE("31 expiry goes on at its pace until nothing is due, however long the interval is") {
    Bench bench;
    bench.run_once();  // the first one is due at once
    for (const std::string& key : test::numbered("k", 3'500)) {
      bench.fake.put(key, "v", {kSecond, kSecond, kSecond});
    }
    bench.run_once();
    bench.advance(60 * kSecond);
    CHECK(bench.run_once());
    CHECK(bench.fake.engine.counters.expired.get() == 1'000);
    // Asked again before the next deletion is due: nothing is done, and not forgotten either.
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

  TEST_CASE("31 expiry goes on at its pace behind many entries that are kept for errors") {
    Bench bench;
    bench.fake.put("due", "v", {1, 1, 1});
    bench.run_once();
    bench.advance(60 * kSecond);
    bench.fake.file->searches = 3;
    for (int i = 0; i < 3; ++i) {
      CHECK(bench.run_once());
      bench.advance(100'000);
    }
    CHECK_FALSE(bench.run_once());
    CHECK_FALSE(bench.fake.file->has("due"));
  }

  TEST_CASE("what nobody waits for is deleted ten times a second at most") {
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

  TEST_CASE("a store that refused touches is asked again soon, also with nothing to write") {
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
    CHECK(bench.run_once());  // the touches are still to be written
    CHECK_FALSE(bench.fake.engine.pending.is_refusing());
    bench.advance(kSecond);
    CHECK_FALSE(bench.run_once());
    CHECK(bench.fake.file->row("a").access_count == 1);
  }

  TEST_CASE("a removal after a quiet time is committed, whatever failed before that") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("a"));
    fake.faults->fail(Call::touch, FailureKind::busy);
    CHECK_FALSE(fake.worker.flush().ok());
    fake.clock->advance(std::chrono::minutes(10));
    CHECK(fake.erase("a") == 1);
    CHECK(fake.told->count(NoticeKind::removal_uncommitted) == 0);
  }

  TEST_CASE("a flush does not wait for what comes in while it runs") {
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

  TEST_CASE("a deleted file is looked for once a second") {
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

  TEST_CASE("60 a file that was emptied gets shorter by passes alone") {
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

  TEST_CASE("the log is moved between any two transactions that let it grow") {
    Options options = FakeEngine::manual();
    SUBCASE("while limits are held") { options.limits.max_entries = 2'000; }
    SUBCASE("while what is due is removed") { options.limits.max_entries = 10'000; }
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
