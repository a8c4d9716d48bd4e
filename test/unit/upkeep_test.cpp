#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// How the worker maintains the write-ahead log and the free pages.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;

TEST_SUITE("unit") {
  TEST_CASE("a flush runs a checkpoint when the log has grown") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    fake.file->wal_bytes = 5 * MiB;
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->checkpoints == 1);
    CHECK(fake.file->wal_bytes < MiB);
    fake.put("b", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->checkpoints == 1);
  }

  TEST_CASE("a log that has restarted needs no checkpoint even if its file is large") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->wal_file_bytes = 100 * MiB;
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->checkpoints == 0);
  }

  TEST_CASE("idle maintenance truncates the log") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.file->truncations == 1);
    CHECK(fake.file->wal_bytes == 0);
  }

  TEST_CASE("the start and the end of a foreign reader that keeps the log are reported") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->foreign_reader = true;
    for (int i = 0; i < 3; ++i) static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.worker.has_foreign_reader());
    CHECK(fake.recorded->count(NoticeKind::foreign_reader) == 1);
    fake.file->foreign_reader = false;
    static_cast<void>(fake.worker.run(1'000));
    CHECK_FALSE(fake.worker.has_foreign_reader());
    CHECK(fake.recorded->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("a foreign reader does not count as ended while an own read hides it") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->foreign_reader = true;
    static_cast<void>(fake.worker.run(1'000));
    fake.file->own_reader = true;
    static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.worker.has_foreign_reader());
    CHECK(fake.recorded->count(NoticeKind::recovered) == 0);
    fake.file->own_reader = false;
    static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.recorded->count(NoticeKind::foreign_reader) == 1);
    fake.file->foreign_reader = false;
    static_cast<void>(fake.worker.run(1'000));
    CHECK_FALSE(fake.worker.has_foreign_reader());
    CHECK(fake.recorded->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("a foreign reader lets the log grow to max_wal_bytes, and then writes wait") {
    Options options = FakeEngine::manual();
    options.limits.max_wal_bytes = 20 * MiB;
    options.queue_bytes = 64 * KiB;
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    fake.file->foreign_reader = true;
    fake.file->wal_bytes = 19 * MiB;
    fake.put("a", "1");
    CHECK(fake.worker.flush().ok());
    CHECK(fake.health() == HealthState::ok);
    const std::int64_t full = 20 * MiB;
    fake.file->wal_bytes = full;

    for (int i = 0; i < 100; ++i) {
      fake.put("b" + std::to_string(i), std::string(1'000, 'x'));
      static_cast<void>(fake.worker.run(1'000));
      CHECK_FALSE(fake.worker.flush().ok());
      CHECK_FALSE(fake.worker.compact().ok());
    }
    CHECK(fake.file->wal_bytes == full);
    CHECK(fake.health() == HealthState::degraded);
    CHECK(fake.engine.counters.dropped.get() > 10);
    CHECK(fake.get("a") == "1");
    CHECK(fake.get("b0").has_value());
    CHECK(fake.recorded->count(NoticeKind::busy) == 1);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 0);

    fake.file->foreign_reader = false;
    static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.file->has("b0"));
    CHECK(fake.file->wal_bytes < MiB);
    CHECK(fake.health() == HealthState::ok);
    CHECK(fake.worker.flush().ok());
  }

  TEST_CASE("background deletions do not extend a log that a foreign reader keeps at its limit") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("due", "1", {1, 1, 1});
    REQUIRE(fake.worker.flush().ok());
    fake.clock->advance(std::chrono::minutes(2));
    fake.file->foreign_reader = true;
    fake.file->wal_bytes = fake.engine.limits.get().max_wal_bytes;
    const std::int64_t before = fake.file->wal_bytes;
    CHECK(fake.worker.run(1'000));
    CHECK(fake.file->wal_bytes == before);
    fake.file->foreign_reader = false;
    static_cast<void>(fake.worker.run(1'000));
    CHECK_FALSE(fake.file->has("due"));
  }

  TEST_CASE("free pages are released in slices until few remain") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->file_bytes = 100 * MiB;
    fake.file->free_pages = 10'000;
    std::int64_t before = fake.file->free_pages;
    int slices = 0;
    while (fake.worker.run(0)) {
      REQUIRE(++slices < 1'000);
      CHECK(before - fake.file->free_pages <= 256);
      before = fake.file->free_pages;
    }
    CHECK(slices > 10);
    CHECK(fake.file->free_pages <= 100 * MiB / 4'096 / 16);
    CHECK(fake.file->free_pages > 0);
  }

  TEST_CASE("compact releases all free pages and truncates the log") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("due", "1", {1, 1, 1});
    REQUIRE(fake.worker.flush().ok());
    fake.clock->advance(std::chrono::seconds(1));
    fake.file->free_pages = 10'000;
    REQUIRE(fake.worker.compact().ok());
    CHECK(fake.file->free_pages == 0);
    CHECK(fake.file->truncations == 1);
    CHECK(fake.file->keys().empty());
  }

  TEST_CASE("compact moves a long log into the file before it deletes damaged entries") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    test::FakeRow row;
    row.is_damaged = true;
    (void)fake.engine.suspects.add(fake.file->plant("damaged", row));
    fake.faults->before(Call::delete_due, [&fake] { fake.file->wal_bytes = 5 * MiB; });
    std::int64_t seen = -1;
    fake.faults->before(Call::delete_damaged, [&] { seen = fake.file->wal_bytes; });
    REQUIRE(fake.worker.compact().ok());
    CHECK(seen == 0);
    CHECK(fake.file->keys().empty());
  }

  TEST_CASE("compact ends if no page can be released") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->vacuums = false;
    fake.file->free_pages = 10'000;
    REQUIRE(fake.worker.compact().ok());
    CHECK(fake.file->free_pages == 10'000);
    CHECK_FALSE(fake.worker.run(0));
  }

  TEST_CASE("compact fails if there is no store") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    // A reader marks the store as corrupt during the flush, and no other store can be opened.
    fake.engine.open_store =
        [](const store::OpenOptions&) -> base::Result<std::unique_ptr<store::Store>> {
      return base::Failure{FailureKind::io, 0, "gone"};
    };
    fake.faults->before(Call::commit, [&fake] {
      if (const auto store = fake.engine.store.get())
        fake.engine.store.mark_corrupt(*store, "test");
    });
    CHECK_FALSE(fake.worker.compact().ok());
    CHECK_FALSE(fake.worker.flush().ok());
  }

  TEST_CASE("upkeep that meets a busy file is repeated later without an error") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->file_bytes = MiB;
    fake.file->free_pages = 10'000;
    fake.file->wal_bytes = 5 * MiB;
    fake.faults->fail_always(Call::checkpoint, FailureKind::busy);
    fake.faults->fail_always(Call::vacuum, FailureKind::busy);
    fake.put("a", "1");
    CHECK(fake.worker.flush().ok());
    CHECK_FALSE(fake.worker.run(1'000));
    Health health;
    fake.engine.health.fill(&health);
    CHECK(health.state == HealthState::ok);
    fake.faults->heal();
    CHECK(fake.worker.run(1'000));
    CHECK(fake.file->wal_bytes < 5 * MiB);
  }

  TEST_CASE("a removal returns while the checkpoint of a long log fails") {
    for (const FailureKind kind : {FailureKind::io, FailureKind::full}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      fake.put("a", "1");
      REQUIRE(fake.worker.flush().ok());
      fake.file->wal_bytes = 5 * MiB;
      int tries = 0;
      fake.faults->fail_always(Call::checkpoint, kind);
      fake.faults->before(Call::checkpoint, [&tries] { REQUIRE(++tries < 1'000); });
      CHECK(fake.erase("a") == 0);
      CHECK_FALSE(fake.get("a"));
      CHECK(fake.engine.pending.is_refusing());
      CHECK(fake.health() == HealthState::degraded);
      CHECK(fake.recorded->count(NoticeKind::write_failed) == 1);
      fake.faults->heal();
      REQUIRE(fake.worker.flush().ok());
      CHECK_FALSE(fake.file->has("a"));
      CHECK(fake.health() == HealthState::ok);
      CHECK(fake.recorded->count(NoticeKind::recovered) == 1);
    }
  }

  TEST_CASE("a long log that cannot be moved is reported once even if no caller writes") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->wal_bytes = 5 * MiB;
    fake.faults->fail_always(Call::checkpoint, FailureKind::io);
    for (int i = 0; i < 5; ++i) static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.health() == HealthState::degraded);
    CHECK(fake.recorded->count(NoticeKind::write_failed) == 1);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 0);
    fake.faults->heal();
    static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.health() == HealthState::ok);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("a file that upkeep finds corrupt is opened again") {
    for (const std::int64_t log_bytes : {std::int64_t{0}, 5 * MiB}) {
      for (const Call call : {Call::checkpoint, Call::vacuum}) {
        FakeEngine fake;
        REQUIRE(fake.open().ok());
        const auto damaged = fake.engine.store.get();
        fake.file->wal_bytes = log_bytes;
        fake.faults->fail(call, FailureKind::corrupt);
        static_cast<void>(fake.worker.run(1'000));
        CHECK(fake.engine.store.get() != damaged);
        CHECK_FALSE(fake.engine.store.corruption());
      }
    }
  }

  TEST_CASE("a long log that cannot be moved counts as a store that refuses writes") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    fake.file->wal_bytes = 5 * MiB;
    fake.faults->fail_always(Call::checkpoint, FailureKind::io);
    SUBCASE("a removal waits") {
      CHECK(fake.erase("a") == 0);
      CHECK_FALSE(fake.get("a"));
    }
    SUBCASE("no write is pending") { CHECK_FALSE(fake.worker.flush().ok()); }
    for (int i = 0; i < 3; ++i) {
      CHECK(fake.health() == HealthState::degraded);
      CHECK_FALSE(fake.worker.flush().ok());
      CHECK_FALSE(fake.worker.run(1'000));
    }
    CHECK(fake.recorded->count(NoticeKind::write_failed) == 1);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 0);
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.pending.empty());
    CHECK(fake.health() == HealthState::ok);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 1);
  }
}
