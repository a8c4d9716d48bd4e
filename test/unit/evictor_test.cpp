#include <algorithm>
#include <cstdint>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "evictor_fixture.hpp"
#include "maintenance/evictor.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using base::FailureKind;

TEST_SUITE("unit") {
  TEST_CASE("both limits hold and the totals are right after every flush with any policy") {
    for (const Eviction eviction : kPolicies) {
      CAPTURE(to_string(eviction));
      FakeEngine fake(limited(eviction, 40, 9'000));
      REQUIRE(fake.open().ok());
      std::mt19937 random(5);
      for (int i = 0; i < 600; ++i) {
        const std::string key = "k" + std::to_string(random() % 120);
        if (random() % 3 != 0) {
          static_cast<void>(fake.get(key));
        } else {
          offer(fake, key, 50 + static_cast<std::int64_t>(random() % 500));
        }
        if (random() % 4 == 0) REQUIRE(fake.worker.flush().ok());
        if (!fake.engine.pending.empty()) continue;
        CHECK(fake.engine.entries <= 40);
        CHECK(fake.engine.bytes <= 9'000);
        CHECK(fake.file->state()->totals == fake.file->counted());
      }
      CHECK(fake.engine.counters.evicted.get() > 50);
    }
  }

  TEST_CASE("the number of entries is within its limit after each flushed put") {
    for (const Eviction eviction : kPolicies) {
      FakeEngine fake(limited(eviction, 10));
      REQUIRE(fake.open().ok());
      for (const std::string& key : numbered("k", 100)) {
        offer(fake, key);
        REQUIRE(fake.worker.flush().ok());
        CHECK(fake.engine.entries <= 10);
        CHECK(fake.file->has(key));
      }
      CHECK(fake.engine.entries == 10);
    }
  }

  TEST_CASE("an eviction frees 1/128 of the limit in advance so that not every put evicts") {
    FakeEngine fake(limited(Eviction::fifo, 1'280));
    REQUIRE(fake.open().ok());
    for (const std::string& key : numbered("k", 1'281)) offer(fake, key);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.entries == 1'270);
    const std::int64_t evicted = fake.engine.counters.evicted.get();
    put_each(fake, numbered("n", 10));
    CHECK(fake.engine.counters.evicted.get() == evicted);
    put_each(fake, {"one more"});
    CHECK(fake.engine.counters.evicted.get() == evicted + 11);
  }

  TEST_CASE("small rows are evicted as fast as large rows arrive") {
    for (const Eviction eviction : kPolicies) {
      CAPTURE(to_string(eviction));
      FakeEngine fake(limited(eviction, unlimited, 4 * MiB));
      REQUIRE(fake.open().ok());
      for (const std::string& key : numbered("k", 20'000)) offer(fake, key, 200);
      REQUIRE(fake.worker.flush().ok());
      for (const std::string& key : numbered("large", 12)) {
        offer(fake, key, MiB);
        static_cast<void>(fake.worker.run(0));
        CHECK(fake.engine.bytes <= 4 * MiB);
      }
    }
  }

  TEST_CASE("a lowered limit is reached at the pace of deletions and delays no group") {
    FakeEngine fake(limited(Eviction::fifo, unlimited));
    REQUIRE(fake.open().ok());
    for (const std::string& key : numbered("k", 20'000)) offer(fake, key);
    REQUIRE(fake.worker.flush().ok());
    set_limits(fake, 100);
    const std::int64_t before = fake.engine.entries;
    offer(fake, "new");
    static_cast<void>(fake.worker.run(0));
    CHECK(fake.engine.entries <= before);
    CHECK(fake.engine.entries >= before - 3'000);
  }

  TEST_CASE("re-insertions of large rows count towards the size of a transaction") {
    FakeEngine fake(limited(Eviction::lru, unlimited, 40 * MiB));
    REQUIRE(fake.open().ok());
    const Keys keys = numbered("k", 40);
    for (const std::string& key : keys) offer(fake, key, MiB);
    REQUIRE(fake.worker.flush().ok());
    for (std::size_t i = 0; i + 1 < keys.size(); ++i) CHECK(fake.get(keys[i]));
    const std::int64_t before = fake.engine.counters.commits.get();
    offer(fake, "new", MiB);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.bytes <= 40 * MiB);
    // The eviction re-inserts 39 rows that were read, four in each transaction.
    CHECK(fake.engine.counters.commits.get() - before >= 10);
  }

  TEST_CASE("fifo evicts in the order of insertion even within one moment") {
    FakeEngine fake(limited(Eviction::fifo, 3));
    REQUIRE(fake.open().ok());
    put_each(fake, {"a", "b", "c"});
    for (int i = 0; i < 3; ++i) CHECK(fake.get("a"));
    put_each(fake, {"d", "e"});
    CHECK(fake.file->keys() == Keys{"c", "d", "e"});
  }

  TEST_CASE("fifo ignores an overwrite of a live entry") {
    FakeEngine fake(limited(Eviction::fifo, 3));
    REQUIRE(fake.open().ok());
    put_each(fake, {"a", "b", "c", "a", "d"});
    CHECK(fake.file->keys() == Keys{"b", "c", "d"});
  }

  TEST_CASE("an overwrite of a live entry is a use with lru, clock and s3fifo") {
    for (const Eviction eviction : {Eviction::lru, Eviction::clock, Eviction::s3fifo}) {
      CAPTURE(to_string(eviction));
      FakeEngine fake(limited(eviction, 3));
      REQUIRE(fake.open().ok());
      put_each(fake, {"a", "b", "c"});
      const std::int64_t place = fake.file->row("a").inserted_at;
      put_each(fake, {"a", "a"});
      CHECK(fake.file->row("a").inserted_at == place);
      put_each(fake, {"d"});
      CHECK(fake.file->keys() == Keys{"a", "c", "d"});
      CHECK(fake.engine.counters.reads.sums().touches_marked == 0);
      CHECK(fake.engine.counters.touches_written.get() == 0);
    }
  }

  TEST_CASE("an overwrite of an expired entry is a new insertion with any policy") {
    for (const Eviction eviction : kPolicies) {
      CAPTURE(to_string(eviction));
      FakeEngine fake(limited(eviction, 3));
      REQUIRE(fake.open().ok());
      fake.put("a", "1", {1, 1, 1});
      put_each(fake, {"b", "c"});
      fake.clock->advance(Duration::microseconds(1));
      put_each(fake, {"a", "d"});
      CHECK(fake.file->keys() == Keys{"a", "c", "d"});
    }
  }

  TEST_CASE("lru keeps the order of insertion when the clock goes back") {
    FakeEngine fake(limited(Eviction::lru, 3));
    REQUIRE(fake.open().ok());
    put_each(fake, {"a"});
    fake.clock->set_wall(1'000);
    put_each(fake, {"b", "c", "d"});
    CHECK(fake.file->keys() == Keys{"b", "c", "d"});
  }

  TEST_CASE("lru evicts the least recently read entry whether reads are written or not") {
    FakeEngine fake(limited(Eviction::lru, 3));
    REQUIRE(fake.open().ok());
    put_each(fake, {"a", "b", "c"});
    CHECK(fake.get("a"));
    bool written = true;
    SUBCASE("the read was written") {}
    SUBCASE("the read is only in the access buffer") { written = false; }
    if (written) REQUIRE(fake.worker.flush().ok());
    put_each(fake, {"d"});
    CHECK(fake.file->keys() == Keys{"a", "c", "d"});
    put_each(fake, {"e"});
    CHECK(fake.file->keys() == Keys{"a", "d", "e"});
  }

  TEST_CASE("lru re-inserts a row at its last read so that newer rows outlive it") {
    FakeEngine fake(limited(Eviction::lru, unlimited));
    REQUIRE(fake.open().ok());
    put_each(fake, {"a", "b"});
    CHECK(fake.get("a"));  // before c is stored
    put_each(fake, {"c", "d", "e"});
    set_limits(fake, 3);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys() == Keys{"c", "d", "e"});
  }

  TEST_CASE("lru evicts the same entries as an exact LRU during random reads and puts") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
      CAPTURE(seed);
      constexpr std::size_t kLimit = 4;  // the number of re-insertions for one deletion
      FakeEngine fake(limited(Eviction::lru, kLimit));
      REQUIRE(fake.open().ok());
      std::list<std::string> exact;  // the least recently used first
      std::mt19937 random(seed);
      for (int i = 0; i < 120; ++i) {
        const std::string key = "k" + std::to_string(random() % 9);
        const auto known = std::find(exact.begin(), exact.end(), key);
        const bool hit = fake.get(key).has_value();
        CHECK(hit == (known != exact.end()));
        if (known != exact.end()) exact.erase(known);
        exact.push_back(key);
        if (hit) continue;
        put_each(fake, {key});
        if (exact.size() > kLimit) exact.pop_front();
        Keys wanted(exact.begin(), exact.end());
        std::sort(wanted.begin(), wanted.end());
        CHECK(fake.file->keys() == wanted);
      }
    }
  }

  TEST_CASE("one deletion re-inserts at most four rows") {
    FakeEngine fake(limited(Eviction::lru, 8));
    REQUIRE(fake.open().ok());
    const Keys keys = numbered("k", 8);
    put_each(fake, keys);
    for (const std::string& key : keys) CHECK(fake.get(key));
    const int before = fake.faults->calls(Call::reinsert);
    put_each(fake, {"new"});
    CHECK(fake.faults->calls(Call::reinsert) - before <= 4);
    CHECK(fake.engine.entries == 8);
    CHECK(fake.file->has("new"));
  }

  TEST_CASE("reads that an eviction used are counted even if the eviction fails") {
    FakeEngine fake(limited(Eviction::lru, 3));
    REQUIRE(fake.open().ok());
    put_each(fake, {"a", "b", "c"});
    for (const char* key : {"a", "b", "c"}) CHECK(fake.get(key));
    offer(fake, "d");
    fake.faults->fail(Call::commit, FailureKind::io, 2);  // the first commit is that of the put
    CHECK_FALSE(fake.worker.flush().ok());
    REQUIRE(fake.worker.flush().ok());
    const engine::Counters& counters = fake.engine.counters;
    CHECK(counters.touches_written.get() + counters.touches_lost.get() == 3);
  }

  TEST_CASE("a put never evicts itself while there are other entries") {
    for (const Eviction eviction : kPolicies) {
      CAPTURE(to_string(eviction));
      FakeEngine fake(limited(eviction, 3));
      REQUIRE(fake.open().ok());
      put_each(fake, {"a", "b", "c"});
      for (int i = 0; i < 5; ++i) {
        for (const std::string& key : fake.file->keys()) CHECK(fake.get(key));
        const std::string key = "new" + std::to_string(i);
        put_each(fake, {key});
        CHECK(fake.file->has(key));
        CHECK(fake.engine.entries == 3);
      }
    }
  }

  // An overwritten entry keeps its place, so eviction spares the rows that the group wrote.
  TEST_CASE("an overwrite with a larger value evicts other entries and never itself") {
    for (const Eviction eviction : kPolicies) {
      CAPTURE(to_string(eviction));
      FakeEngine fake(limited(eviction, unlimited, 1'000));
      REQUIRE(fake.open().ok());
      put_each(fake, {"a", "b", "c", "d"});
      for (const char* key : {"b", "c", "d"}) CHECK(fake.get(key));
      offer(fake, "a", 950);
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.file->keys() == Keys{"a"});
    }
  }

  TEST_CASE("an eviction spares given rows even if they are the oldest ones") {
    FakeEngine fake(limited(Eviction::fifo, unlimited));
    const Keys keys = numbered("k", 2'000);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      FakeRow row;
      row.byte_size = 100;
      row.inserted_at = row.accessed_at = static_cast<std::int64_t>(i) + 1;
      fake.file->plant(keys[i], row);
    }
    REQUIRE(fake.open().ok());
    maintenance::Events events(fake.engine);
    maintenance::DiskFullMode disk_full(fake.engine);
    maintenance::Transactions transactions(fake.engine, events, disk_full);
    const auto policy = eviction::make_eviction_policy(Eviction::fifo);
    maintenance::Evictor evictor(fake.engine, transactions, disk_full, policy.get());
    std::vector<std::int64_t> spared;
    for (std::size_t i = 0; i < 200; ++i) spared.push_back(fake.file->row(keys[i]).rowid);
    std::reverse(spared.begin(), spared.end());
    set_limits(fake, 1'900);
    REQUIRE(evictor.evict_some(*fake.engine.store.get(), spared).ok());
    CHECK(fake.file->keys().size() <= 1'900);
    for (std::size_t i = 0; i < 200; ++i) CHECK(fake.file->has(keys[i]));
    // An eighth of 1,200 rows is less than the group. Its last rows are spared, here the oldest.
    set_limits(fake, 1'200);
    while (fake.file->keys().size() > 1'200) {
      REQUIRE(evictor.evict_some(*fake.engine.store.get(), spared).ok());
    }
    CHECK(fake.file->has(keys[0]));
    set_limits(fake, 150);
    while (fake.file->keys().size() > 150) {
      REQUIRE(evictor.evict_some(*fake.engine.store.get(), spared).ok());
    }
    CHECK(fake.file->has(keys[0]));
    CHECK_FALSE(fake.file->has(keys[199]));
  }
}
