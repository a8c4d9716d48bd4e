#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// The write-ahead log and the free pages, as the worker treats them.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;

TEST_SUITE("unit") {
  TEST_CASE(
      "the log is moved into the file when it has grown, between two transactions of a flush") {
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

  TEST_CASE("a log that has started over is not moved again because its file is still large") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->wal_file_bytes = 100 * MiB;
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->checkpoints == 0);
  }

  TEST_CASE("idle maintenance gives the log's room back") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.file->truncations == 1);
    CHECK(fake.file->wal_bytes == 0);
  }

  TEST_CASE(
      "another program that keeps the log from starting over is told of, and when it has ended") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->foreign_reader = true;
    for (int i = 0; i < 3; ++i) static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.worker.has_foreign_reader());
    CHECK(fake.told->count(NoticeKind::foreign_reader) == 1);
    fake.file->foreign_reader = false;
    static_cast<void>(fake.worker.run(1'000));
    CHECK_FALSE(fake.worker.has_foreign_reader());
    CHECK(fake.told->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("a foreign reader has not ended because a long read of our own hides it") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->foreign_reader = true;
    static_cast<void>(fake.worker.run(1'000));
    fake.file->own_reader = true;
    static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.worker.has_foreign_reader());
    CHECK(fake.told->count(NoticeKind::recovered) == 0);
    fake.file->own_reader = false;
    static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.told->count(NoticeKind::foreign_reader) == 1);
    fake.file->foreign_reader = false;
    static_cast<void>(fake.worker.run(1'000));
    CHECK_FALSE(fake.worker.has_foreign_reader());
    CHECK(fake.told->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("free pages are given back in slices until few are left") {
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

  TEST_CASE("60 compacting gives all free pages back and shortens the log") {
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

  TEST_CASE("60 compacting ends where no page can be given back") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->vacuums = false;
    fake.file->free_pages = 10'000;
    REQUIRE(fake.worker.compact().ok());
    CHECK(fake.file->free_pages == 10'000);
    CHECK_FALSE(fake.worker.run(0));
  }

  TEST_CASE("compacting without a store is a failure and no crash") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    // A reader condemns the store while it is being flushed, and no other can be opened.
    fake.engine.open_store =
        [](const store::OpenOptions&) -> base::Result<std::unique_ptr<store::Store>> {
      return base::Failure{FailureKind::io, 0, "gone"};
    };
    fake.faults->before(Call::commit, [&fake] {
      if (const auto store = fake.engine.store.get())
        fake.engine.store.mark_corrupt(*store, "test");
    });
    CHECK(fake.worker.compact().ok());  // goes on with the store that it had
    CHECK_FALSE(fake.worker.compact().ok());
    CHECK_FALSE(fake.worker.flush().ok());
  }

  TEST_CASE("upkeep that another program is in the way of is done later, and fails nothing") {
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

  TEST_CASE("while a long log cannot be moved the store refuses to write: a removal returns") {
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
      CHECK(fake.told->count(NoticeKind::write_failed) == 1);
      fake.faults->heal();
      REQUIRE(fake.worker.flush().ok());
      CHECK_FALSE(fake.file->has("a"));
      CHECK(fake.health() == HealthState::ok);
      CHECK(fake.told->count(NoticeKind::recovered) == 1);
    }
  }

  TEST_CASE("a long log that cannot be moved is told of once, though nobody writes") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.file->wal_bytes = 5 * MiB;
    fake.faults->fail_always(Call::checkpoint, FailureKind::io);
    for (int i = 0; i < 5; ++i) static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.health() == HealthState::degraded);
    CHECK(fake.told->count(NoticeKind::write_failed) == 1);
    CHECK(fake.told->count(NoticeKind::recovered) == 0);
    fake.faults->heal();
    static_cast<void>(fake.worker.run(1'000));
    CHECK(fake.health() == HealthState::ok);
    CHECK(fake.told->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("a file that is found damaged by upkeep is opened anew") {
    for (const std::int64_t log_bytes : {std::int64_t{0}, 5 * MiB}) {
      for (const Call call : {Call::checkpoint, Call::vacuum}) {
        FakeEngine fake;
        REQUIRE(fake.open().ok());
        const auto damaged = fake.engine.store.get();
        fake.file->wal_bytes = log_bytes;
        fake.faults->fail(call, FailureKind::corrupt);
        static_cast<void>(fake.worker.run(1'000));
        CHECK(fake.engine.store.corruption());
        static_cast<void>(fake.worker.run(1'000));
        CHECK(fake.engine.store.get() != damaged);
        CHECK_FALSE(fake.engine.store.corruption());
      }
    }
  }

  TEST_CASE("a long log that cannot be moved is a store that refuses to write: removals return") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    fake.file->wal_bytes = 5 * MiB;
    fake.faults->fail_always(Call::checkpoint, FailureKind::io);
    SUBCASE("with a removal that waits") {
      CHECK(fake.erase("a") == 0);
      CHECK_FALSE(fake.get("a"));
    }
    SUBCASE("with nothing to write") { CHECK_FALSE(fake.worker.flush().ok()); }
    for (int i = 0; i < 3; ++i) {
      CHECK(fake.health() == HealthState::degraded);
      CHECK_FALSE(fake.worker.flush().ok());
      CHECK_FALSE(fake.worker.run(1'000));
    }
    CHECK(fake.told->count(NoticeKind::write_failed) == 1);
    CHECK(fake.told->count(NoticeKind::recovered) == 0);
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.pending.empty());
    CHECK(fake.health() == HealthState::ok);
    CHECK(fake.told->count(NoticeKind::recovered) == 1);
  }
}
