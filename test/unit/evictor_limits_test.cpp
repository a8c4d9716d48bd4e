#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "evictor_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using base::FailureKind;

TEST_SUITE("unit") {
  TEST_CASE("expired entries are deleted first and then only as many others as needed") {
    for (const Eviction eviction : kPolicies) {
      FakeEngine fake(limited(eviction, 4));
      REQUIRE(fake.open().ok());
      put_each(fake, {"a", "b"});
      fake.put("due1", "1", {1, 1, 1});
      fake.put("due2", "1", {1, 1, 1});
      REQUIRE(fake.worker.flush().ok());
      fake.clock->advance(Duration::microseconds(5));
      put_each(fake, {"c"});
      CHECK(fake.file->keys() == Keys{"a", "b", "c"});
      CHECK(fake.engine.counters.expired.get() == 2);
      CHECK(fake.engine.counters.evicted.get() == 0);
    }
  }

  TEST_CASE("limits can be lowered, raised, set to 0 and removed at run time") {
    for (const Eviction eviction : kPolicies) {
      FakeEngine fake(limited(eviction, unlimited));
      REQUIRE(fake.open().ok());
      put_each(fake, numbered("k", 50));
      set_limits(fake, 20);
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.engine.entries == 20);
      set_limits(fake, 30);
      put_each(fake, numbered("m", 10));
      CHECK(fake.engine.entries == 30);
      set_limits(fake, unlimited, 500);
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.engine.bytes <= 500);
      CHECK(fake.engine.entries >= 4);
      set_limits(fake, 0);
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.engine.entries == 0);
      set_limits(fake, unlimited);
      put_each(fake, {"a"});
      CHECK(fake.engine.entries == 1);
    }
  }

  TEST_CASE("without eviction a lower limit removes nothing") {
    FakeEngine fake(limited(Eviction::none, unlimited));
    REQUIRE(fake.open().ok());
    put_each(fake, {"a", "b", "c"});
    set_limits(fake, 1);
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(fake.worker.run(1'000));
    CHECK(fake.engine.entries == 3);
  }

  TEST_CASE("no transaction evicts more than 4 MiB or 1,000 rows") {
    FakeEngine fake(limited(Eviction::fifo, unlimited));
    REQUIRE(fake.open().ok());
    for (const std::string& key : numbered("large", 10)) offer(fake, key, MiB);
    for (const std::string& key : numbered("small", 2'500)) offer(fake, key, 10);
    REQUIRE(fake.worker.flush().ok());
    std::vector<std::int64_t> entries;
    std::vector<std::int64_t> bytes;
    fake.faults->before(Call::begin, [&] {
      entries.push_back(fake.file->counted().entries);
      bytes.push_back(fake.file->counted().bytes);
    });
    set_limits(fake, 0);
    REQUIRE(fake.worker.flush().ok());
    entries.push_back(0);
    bytes.push_back(0);
    CHECK(fake.engine.entries == 0);
    CHECK(entries.size() >= 6);
    for (std::size_t i = 1; i < entries.size(); ++i) {
      CHECK(entries[i - 1] - entries[i] <= 1'000);
      CHECK(bytes[i - 1] - bytes[i] <= 4 * MiB);
    }
  }

  TEST_CASE("an entry that is larger than 4 MiB is evicted alone") {
    FakeEngine fake(limited(Eviction::fifo, unlimited));
    REQUIRE(fake.open().ok());
    offer(fake, "huge1", 20 * MiB);
    offer(fake, "huge2", 20 * MiB);
    REQUIRE(fake.worker.flush().ok());
    set_limits(fake, 0);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.entries == 0);
  }

  TEST_CASE("an eviction that fails changes and counts nothing and is repeated later") {
    for (const Call call :
         {Call::begin, Call::delete_due, Call::oldest, Call::delete_row, Call::commit}) {
      CAPTURE(static_cast<int>(call));
      FakeEngine fake(limited(Eviction::fifo, unlimited));
      REQUIRE(fake.open().ok());
      put_each(fake, numbered("k", 10));
      set_limits(fake, 5);
      fake.faults->fail(call, FailureKind::io);
      CHECK_FALSE(fake.worker.flush().ok());
      CHECK(fake.file->keys().size() == 10);
      CHECK(fake.engine.counters.evicted.get() == 0);
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.file->keys().size() == 5);
      CHECK(fake.engine.counters.evicted.get() == 5);
    }
  }

  TEST_CASE("totals that claim too many rows do not stop writes or cause a loop") {
    for (const Eviction eviction : kPolicies) {
      FakeEngine fake(limited(eviction, 10));
      REQUIRE(fake.open().ok());
      put_each(fake, {"a"});
      fake.file->change([](auto& state) { state.totals.entries = 1'000; });
      offer(fake, "b");
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.engine.pending.empty());
      CHECK(fake.file->keys().size() <= 2);
      REQUIRE(fake.worker.flush().ok());
      static_cast<void>(fake.worker.run(0));
      static_cast<void>(fake.worker.run(0));
      CHECK_FALSE(fake.worker.run(0));  // there is no more work now
    }
  }

  TEST_CASE("eviction uses the other queue when a queue is empty despite its totals") {
    FakeEngine fake(limited(Eviction::s3fifo, 10));
    REQUIRE(fake.open().ok());
    put_each(fake, numbered("k", 10));
    // The totals no longer contain the rows on probation.
    fake.file->change([](auto& state) {
      state.totals.probation_entries = 0;
      state.totals.probation_bytes = 0;
    });
    put_each(fake, numbered("n", 5));
    CHECK(fake.engine.entries <= 10);
  }

  TEST_CASE("rows that another policy stored are evicted") {
    for (const Eviction eviction : kPolicies) {
      FakeEngine fake(limited(eviction, 2));
      for (const std::int64_t queue : {0, 1}) {
        for (int i = 0; i < 4; ++i) {
          FakeRow row;
          row.byte_size = 100;
          row.inserted_at = row.accessed_at = 10 * queue + i + 1;
          row.eviction_queue = queue;
          fake.file->plant("q" + std::to_string(queue) + std::to_string(i), row);
        }
      }
      REQUIRE(fake.open().ok());
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.engine.entries == 2);
    }
  }

  TEST_CASE("reads of evicted rows count as lost and reads of other rows count as written") {
    FakeEngine fake(limited(Eviction::fifo, unlimited));
    REQUIRE(fake.open().ok());
    put_each(fake, {"a", "b"});
    for (int i = 0; i < 3; ++i) CHECK(fake.get("a"));
    CHECK(fake.get("b"));
    set_limits(fake, 2);
    offer(fake, "c");  // its commit evicts `a` before the reads are written
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys() == Keys{"b", "c"});
    CHECK(fake.engine.counters.touches_lost.get() == 3);
    CHECK(fake.engine.counters.touches_written.get() == 1);
  }

  TEST_CASE("the first eviction under the default limit reports that limit once") {
    Options options = FakeEngine::manual();
    options.limits.max_bytes = {};
    FakeEngine fake(options);
    FakeRow row;
    row.byte_size = 100 * MiB;
    row.inserted_at = row.accessed_at = 1;
    fake.file->plant("a", row);
    row.inserted_at = row.accessed_at = 2;
    fake.file->plant("b", row);
    REQUIRE(fake.open().ok());
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.recorded->count(NoticeKind::default_limit) == 0);
    row.inserted_at = row.accessed_at = 3;
    fake.file->plant("c", row);
    for (const char* key : {"d", "e"}) {
      offer(fake, key, 60 * MiB);
      REQUIRE(fake.worker.flush().ok());
    }
    CHECK(fake.engine.counters.evicted.get() > 0);
    CHECK(fake.recorded->count(NoticeKind::default_limit) == 1);
  }
}
