#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// Groups of writes that fail as a whole or in part.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;

namespace {

using Keys = std::vector<std::string>;

/// Flushes until a flush succeeds. Returns the number of failures.
int failures_until_flushed(FakeEngine& fake) {
  int failures = 0;
  while (!fake.worker.flush().ok()) {
    REQUIRE(++failures < 100);
  }
  return failures;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a group goes back to the queue when any step fails and is written later in order") {
    for (const Call call : {Call::begin, Call::put, Call::delete_key, Call::commit}) {
      for (const FailureKind kind : {FailureKind::busy, FailureKind::io}) {
        CAPTURE(static_cast<int>(call));
        FakeEngine fake;
        REQUIRE(fake.open().ok());
        fake.put_all({"a", "b", "c"}, "1");
        REQUIRE(fake.engine.pending.offer(test::removal("c"), engine::Waited::yes).accepted);
        fake.put("d", "1");
        fake.faults->fail(call, kind);
        CHECK_FALSE(fake.worker.flush().ok());
        CHECK(fake.file->keys().empty());
        CHECK(fake.get("a") == "1");
        CHECK_FALSE(fake.get("c"));
        fake.put("a", "2");
        REQUIRE(fake.worker.flush().ok());
        CHECK(fake.file->keys() == Keys{"a", "b", "d"});
        CHECK(fake.file->row("a").value.bytes() == "2");
        CHECK(fake.file->state()->totals == fake.file->counted());
        CHECK(fake.engine.entries == 3);
      }
    }
  }

  TEST_CASE("a put whose value is dropped at its commit was not kept") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto offered = fake.engine.pending.offer(test::text_write("k", "v"), engine::Waited::yes);
    REQUIRE(offered.slot);
    fake.faults->fail(Call::commit, FailureKind::other);
    CHECK(failures_until_flushed(fake) == 0);
    CHECK(fake.engine.pending.wait(offered.slot, 0, [] { return true; }));
    CHECK_FALSE(offered.slot->kept);
    CHECK(fake.engine.counters.dropped.get() == 1);
    CHECK(fake.file->keys().empty());
  }

  TEST_CASE("a value that cannot be stored is dropped and the rest of its group is kept") {
    for (const FailureKind kind : {FailureKind::too_large, FailureKind::other}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      fake.put_all(test::numbered("k", 10), "1");
      // Fails the fourth put of the group, and again when that put is tried alone.
      fake.faults->fail(Call::put, kind, 4, 1);
      int puts = 0;
      fake.faults->before(Call::put, [&] {
        if (++puts == 4) fake.faults->fail(Call::put, kind, 4, 1);
      });
      CHECK(failures_until_flushed(fake) == 0);
      CHECK(fake.file->keys().size() == 9);
      CHECK_FALSE(fake.file->has("k04"));
      CHECK_FALSE(fake.get("k04"));
      CHECK(fake.engine.counters.dropped.get() == 1);
      CHECK(fake.recorded->count(NoticeKind::writes_dropped) == 1);
      CHECK(fake.engine.pending.empty());
      CHECK(fake.engine.pending.bytes() == 0);
    }
  }

  TEST_CASE("an older value does not come back when the newer one cannot be stored") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "old");
    REQUIRE(fake.worker.flush().ok());
    fake.put("a", "new");
    fake.faults->fail(Call::put, FailureKind::too_large);
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(fake.get("a"));
    CHECK_FALSE(fake.file->has("a"));
  }

  TEST_CASE("a value that cannot be stored stays queued while its older value cannot be removed") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "old");
    REQUIRE(fake.worker.flush().ok());
    fake.put("a", "new");
    fake.faults->fail(Call::put, FailureKind::too_large);
    fake.faults->fail(Call::delete_key, FailureKind::busy);
    CHECK_FALSE(fake.worker.flush().ok());
    CHECK(fake.get("a") == "new");
    CHECK(fake.engine.counters.dropped.get() == 0);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->row("a").value.bytes() == "new");
  }

  TEST_CASE("a put with durability commit fails when its value cannot be stored") {
    Options options = FakeEngine::manual();
    options.durability = Durability::commit;
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    fake.faults->fail_always(Call::put, FailureKind::too_large);
    CHECK(fake.put("a", "1") == 0);
    CHECK(fake.engine.pending.empty());
  }

  TEST_CASE("a removal is never dropped after a failure of any kind") {
    for (const FailureKind kind : {FailureKind::other, FailureKind::too_large, FailureKind::io}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      fake.put("a", "1");
      REQUIRE(fake.worker.flush().ok());
      fake.faults->fail_always(Call::delete_key, kind);
      CHECK(fake.erase("a") == 0);
      CHECK_FALSE(fake.get("a"));
      CHECK(fake.file->has("a"));
      fake.faults->heal();
      REQUIRE(fake.worker.flush().ok());
      CHECK_FALSE(fake.file->has("a"));
      CHECK(fake.engine.counters.dropped.get() == 0);
    }
  }

  TEST_CASE("a write that arrives while a group is retried one by one is not dropped") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put_all({"a", "b"}, "1");
    fake.faults->fail(Call::put, FailureKind::other, 2, 1);
    bool once = false;
    fake.faults->before(Call::commit, [&] {
      if (!once) fake.put("a", "2");
      once = true;
    });
    REQUIRE(fake.worker.flush().ok());
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys() == Keys{"a", "b"});
    CHECK(fake.file->row("a").value.bytes() == "2");
    CHECK(fake.engine.counters.dropped.get() == 0);
  }

  TEST_CASE("an exception inside a group loses no write and ends the transaction") {
    for (const Call call : {Call::begin, Call::put, Call::commit}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      fake.put_all({"a", "b", "c"}, "1");
      bool once = false;
      fake.faults->before(call, [&once] {
        if (std::exchange(once, true)) return;
        throw std::bad_alloc();
      });
      static_cast<void>(failures_until_flushed(fake));
      CHECK(fake.engine.counters.worker_errors.get() == 1);
      CHECK(fake.file->keys() == Keys{"a", "b", "c"});
      CHECK(fake.engine.pending.empty());
      CHECK(fake.engine.pending.bytes() == 0);
      CHECK_FALSE(fake.engine.pending.is_refusing());
    }
  }

  TEST_CASE("a value stays queued when memory is short and is stored later") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "old");
    REQUIRE(fake.worker.flush().ok());
    fake.put("a", "new");
    bool once = false;
    fake.faults->before(Call::put, [&once] {
      if (!std::exchange(once, true)) throw std::bad_alloc();
    });
    CHECK_FALSE(fake.worker.flush().ok());
    CHECK(fake.get("a") == "new");
    CHECK(fake.file->row("a").value.bytes() == "old");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->row("a").value.bytes() == "new");
    CHECK(fake.engine.counters.dropped.get() == 0);
  }

  TEST_CASE("a value that finds no memory 50 times in a row is dropped") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("large", "1");
    int puts = 0;
    fake.faults->before(Call::put, [&puts] {
      if (++puts <= 50) throw std::bad_alloc();
    });
    CHECK(failures_until_flushed(fake) == 49);
    fake.put("small", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys() == Keys{"small"});
    CHECK(fake.engine.counters.dropped.get() == 1);
    CHECK(fake.recorded->count(NoticeKind::writes_dropped) == 1);
  }

  TEST_CASE("a thrown value that is not an exception does not stop the worker") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    bool once = false;
    fake.faults->before(Call::begin, [&once] {
      if (!std::exchange(once, true)) throw 7;
    });
    static_cast<void>(failures_until_flushed(fake));
    CHECK(fake.file->has("a"));
  }

  TEST_CASE("the store counts as refusing from the first failure until the next success") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    fake.faults->fail(Call::begin, FailureKind::busy, 1, 2);
    CHECK_FALSE(fake.worker.flush().ok());
    CHECK(fake.engine.pending.is_refusing());
    Health health;
    fake.engine.health.fill(&health);
    CHECK(health.state == HealthState::degraded);
    CHECK_FALSE(fake.worker.flush().ok());
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(fake.engine.pending.is_refusing());
    fake.engine.health.fill(&health);
    CHECK(health.state == HealthState::ok);
    CHECK(fake.recorded->count(NoticeKind::busy) == 1);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 1);
  }
}
