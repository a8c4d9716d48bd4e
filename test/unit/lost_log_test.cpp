// A write-ahead log that another program deletes while the file is open.

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

using namespace ashmemo;
using test::Call;
using test::FakeEngine;

namespace {

/// Loses the log just before some commits. When the store is closed, these commits are lost, too.
struct LosingLog {
  explicit LosingLog(Options options = FakeEngine::manual()) : fake(std::move(options)) {
    REQUIRE(fake.open().ok());
    fake.file->at_close = [this] {
      if (fake.file->log_in_place.exchange(true)) return;
      fake.file->set_state(before_loss);
    };
  }
  ~LosingLog() { fake.file->at_close = nullptr; }

  /// Loses the log before each of the next `times` commits.
  void lose(int times) {
    losses_left = times;
    fake.faults->before(Call::commit, [this] {
      if (losses_left == 0) return;
      --losses_left;
      before_loss = fake.file->state();
      fake.file->log_in_place = false;
    });
  }

  FakeEngine fake;
  int losses_left = 0;
  test::FakeFile::StatePtr before_loss;
};

Options with_commit() {
  Options options = FakeEngine::manual();
  options.durability = Durability::commit;
  return options;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a write to a deleted log is repeated before it is acknowledged") {
    LosingLog log(with_commit());
    FakeEngine& fake = log.fake;
    CHECK(fake.put("before", "1") == 1);
    const auto store = fake.engine.store.get();
    log.lose(1);
    CHECK(fake.put("a", "1") == 1);
    CHECK(log.losses_left == 0);
    CHECK(fake.engine.store.get() != store);
    CHECK(fake.file->has("a"));
    CHECK(fake.get("a") == "1");
    CHECK(fake.recorded->count(NoticeKind::file_lost) == 1);
    CHECK(fake.recorded->count(NoticeKind::write_failed) == 0);
    CHECK(fake.health() == HealthState::ok);
    CHECK(fake.engine.counters.dropped.get() == 0);
  }

  TEST_CASE("a flush, a pass and a compaction continue after the log was deleted") {
    LosingLog log;
    FakeEngine& fake = log.fake;
    CHECK(fake.put("a", "1") == 1);
    log.lose(2);
    SUBCASE("flush") { CHECK(fake.worker.flush().ok()); }
    SUBCASE("pass") { (void)fake.worker.run(1'000'000); }
    SUBCASE("compact") { CHECK(fake.worker.compact().ok()); }
    CHECK(log.losses_left == 0);
    CHECK(fake.file->has("a"));
    CHECK(fake.recorded->count(NoticeKind::file_lost) == 2);
    CHECK(fake.engine.pending.empty());
  }

  TEST_CASE("a removal from a deleted log is counted once") {
    LosingLog log;
    FakeEngine& fake = log.fake;
    CHECK(fake.put("a", "1") == 1);
    REQUIRE(fake.worker.flush().ok());
    log.lose(1);
    CHECK(fake.erase("a") == 1);
    CHECK_FALSE(fake.file->has("a"));
    CHECK(fake.engine.counters.erased.get() == 1);
  }

  TEST_CASE("a write stays queued while the log is deleted each time") {
    LosingLog log(with_commit());
    FakeEngine& fake = log.fake;
    log.lose(1'000'000);
    CHECK(fake.put("a", "1") == 0);
    CHECK(fake.get("a") == "1");
    CHECK(fake.health() == HealthState::unavailable);
    CHECK_FALSE(fake.engine.pending.empty());
    log.lose(0);
    fake.clock->advance(std::chrono::seconds(1));
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->has("a"));
    CHECK(fake.engine.pending.empty());
    CHECK(fake.health() == HealthState::ok);
    CHECK(fake.engine.counters.dropped.get() == 0);
  }

  TEST_CASE("a deleted log is not moved into the file") {
    LosingLog log;
    FakeEngine& fake = log.fake;
    REQUIRE(fake.worker.flush().ok());
    fake.file->wal_bytes = 5 * MiB;
    fake.file->log_in_place = false;
    int checkpoints_at_close = -1;
    const int before = fake.file->checkpoints;
    fake.file->at_close = [&] {
      if (fake.file->log_in_place.exchange(true)) return;
      checkpoints_at_close = fake.file->checkpoints;
    };
    fake.clock->advance(std::chrono::seconds(1));
    SUBCASE("by a pass") { (void)fake.worker.run(1'000'000); }
    SUBCASE("by a compaction") { CHECK(fake.worker.compact().ok()); }
    CHECK(checkpoints_at_close == before);
    CHECK(fake.recorded->count(NoticeKind::file_lost) == 1);
    fake.file->at_close = nullptr;
  }
}
