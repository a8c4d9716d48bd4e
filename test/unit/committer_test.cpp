#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"
#include "unit/committer_bench.hpp"

using namespace ashmemo;
using base::FailureKind;
using engine::SlotPtr;
using test::Call;
using test::FakeEngine;
using test::removal;
using test::text_write;

namespace {

struct Bench : test::CommitterBench {
  using CommitterBench::CommitterBench;

  SlotPtr offer(const engine::WritePtr& write) {
    return fake.engine.pending.offer(write, engine::Waited::yes).slot;
  }
  base::Status commit() { return commit_next(); }
  /// Makes the write-ahead log full, as a long read of this process does.
  void fill_wal() {
    fake.file->own_reader = true;
    fake.file->wal_bytes = 8 * MiB;
  }
  /// Writes entries that are expired as soon as they are written.
  void put_expired(int count, std::int64_t byte_size) {
    for (const std::string& key : test::numbered("due", count)) {
      store::EntryView entry;
      entry.value = ValueView::text("v");
      entry.deadlines = {0, 1, 1, 1};
      offer(engine::Write::put(key, entry, byte_size));
    }
    while (!pending().empty()) REQUIRE(commit().ok());
  }
  engine::WriteQueue& pending() { return fake.engine.pending; }
};

Options without_eviction(Limit entries, Limit bytes) {
  Options options = FakeEngine::manual();
  options.eviction = Eviction::none;
  options.limits.max_entries = entries;
  options.limits.max_bytes = bytes;
  return options;
}

using Keys = std::vector<std::string>;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the committer begins no transaction when nothing is pending") {
    Bench bench;
    CHECK(bench.commit().ok());
    CHECK(bench.fake.faults->calls(Call::begin) == 0);
  }

  TEST_CASE("the committer writes a group in one transaction and sets the outcome in its slots") {
    Bench bench;
    const SlotPtr a = bench.offer(text_write("a", "1"));
    const SlotPtr b = bench.offer(removal("b"));
    CHECK(bench.commit().ok());
    CHECK(bench.fake.faults->calls(Call::begin) == 1);
    CHECK(a->done);
    CHECK(a->kept);
    CHECK_FALSE(a->existed);
    CHECK(b->done);
    CHECK(b->kept);  // for a put that it might have replaced
    CHECK_FALSE(b->existed);
    CHECK(bench.pending().empty());
    CHECK(bench.fake.file->keys() == Keys{"a"});
  }

  TEST_CASE("a slot says whether the file contained the key before") {
    Bench bench;
    bench.offer(text_write("a", "1"));
    bench.offer(text_write("b", "1"));
    REQUIRE(bench.commit().ok());
    const SlotPtr a = bench.offer(text_write("a", "2"));
    const SlotPtr b = bench.offer(removal("b"));
    REQUIRE(bench.commit().ok());
    CHECK(a->existed);
    CHECK(b->existed);
    CHECK(bench.fake.engine.counters.replaced.get() == 1);
    CHECK(bench.fake.engine.counters.erased.get() == 1);
    CHECK(bench.fake.engine.entries == 1);
  }

  TEST_CASE("a slot says that an entry existed although a put replaced the removal") {
    Bench bench;
    bench.offer(text_write("a", "1"));
    REQUIRE(bench.commit().ok());
    const SlotPtr removed = bench.offer(removal("a"));
    CHECK(bench.offer(text_write("a", "2")) == removed);
    REQUIRE(bench.commit().ok());
    CHECK(removed->existed);
    CHECK(removed->kept);
  }

  TEST_CASE("a transaction contains at most 1,000 rows") {
    Bench bench;
    for (const std::string& key : test::numbered("k", 2'500)) bench.offer(text_write(key, "v"));
    for (const int rows : {1'000, 2'000, 2'500}) {
      REQUIRE(bench.commit().ok());
      CHECK(bench.fake.engine.entries == rows);
    }
    CHECK(bench.pending().empty());
  }

  TEST_CASE("a transaction contains at most 4 MiB or one larger entry") {
    Bench bench;
    bench.offer(text_write("a", "v", 3 * MiB));
    bench.offer(text_write("b", "v", 1 * MiB));
    bench.offer(text_write("c", "v", 1));
    bench.offer(text_write("d", "v", 9 * MiB));
    REQUIRE(bench.commit().ok());
    CHECK(bench.fake.file->keys() == Keys{"a", "b"});
    REQUIRE(bench.commit().ok());
    CHECK(bench.fake.file->keys() == Keys{"a", "b", "c"});
    REQUIRE(bench.commit().ok());
    CHECK(bench.fake.file->keys().size() == 4);
  }

  TEST_CASE("two writes of one key are committed in the order of the calls") {
    Bench bench;
    bench.offer(text_write("a", "1"));
    bench.offer(text_write("b", "1"));
    bench.fake.faults->fail(Call::begin, FailureKind::busy);
    // The keys are written again after the committer has taken the first group.
    bench.fake.faults->before(Call::begin, [&bench] {
      bench.offer(text_write("a", "2"));
      bench.offer(removal("b"));
    });
    CHECK_FALSE(bench.commit().ok());
    bench.fake.faults->heal();
    REQUIRE(bench.commit().ok());
    CHECK(bench.pending().empty());
    CHECK(bench.fake.file->keys() == Keys{"a"});
    CHECK(bench.fake.file->row("a").value.bytes() == "2");
  }

  TEST_CASE("bytes and rows are counted after a commit and not after a failed one") {
    Bench bench;
    bench.offer(text_write("a", "1", 700));
    bench.fake.faults->fail(Call::commit, FailureKind::io, 1, 2);
    CHECK_FALSE(bench.commit().ok());
    CHECK_FALSE(bench.commit().ok());
    CHECK(bench.fake.engine.counters.commits.get() == 0);
    CHECK(bench.fake.engine.counters.bytes_written.get() == 0);
    REQUIRE(bench.commit().ok());
    CHECK(bench.fake.engine.counters.commits.get() == 1);
    CHECK(bench.fake.engine.counters.bytes_written.get() == 700);
  }

  TEST_CASE("a result that was invalidated while it was pending is not written") {
    Bench bench;
    SUBCASE("the file has no older value") {}
    SUBCASE("the file has an older value, which does not come back") {
      bench.offer(text_write("Post:1:words", "older"));
      REQUIRE(bench.commit().ok());
    }
    const auto words = bench.fake.engine.catalog.add("Post", "words", 1, "");
    store::EntryView late;
    late.value = ValueView::text("late");
    late.calculation_id = words->id;
    bench.offer(engine::Write::put("Post:1:words", late, 100));
    bench.fake.engine.catalog.renew(words);
    REQUIRE(bench.commit().ok());
    CHECK(bench.pending().empty());
    CHECK(bench.fake.file->keys().empty());
  }

  TEST_CASE("reads of a pending value are written with it") {
    Bench bench;
    bench.fake.put("a", "1");
    for (int i = 0; i < 4; ++i) CHECK(bench.fake.get("a"));
    REQUIRE(bench.commit().ok());
    CHECK(bench.fake.file->row("a").access_count == 4);
  }

  // ---- Eviction::none

  TEST_CASE("without eviction a put above the limit is refused and its older value is removed") {
    Options options = FakeEngine::manual();
    options.eviction = Eviction::none;
    options.limits.max_bytes = 1'000;
    Bench bench(options);
    bench.offer(text_write("a", "old", 400));
    bench.offer(text_write("b", "1", 400));
    REQUIRE(bench.commit().ok());
    const SlotPtr grown = bench.offer(text_write("a", "new", 700));
    const SlotPtr fits = bench.offer(text_write("c", "1", 300));
    REQUIRE(bench.commit().ok());
    CHECK_FALSE(grown->kept);
    CHECK(fits->kept);
    CHECK(bench.fake.file->keys() == Keys{"b", "c"});
    CHECK(bench.fake.engine.bytes == 700);
    CHECK(bench.fake.engine.counters.refused.get() == 1);
    CHECK(bench.fake.engine.counters.replaced.get() == 1);
    CHECK(bench.fake.engine.counters.evicted.get() == 0);
  }

  TEST_CASE("without eviction a refused put counts once although its transaction failed") {
    Options options = FakeEngine::manual();
    options.eviction = Eviction::none;
    options.limits.max_entries = 1;
    Bench bench(options);
    bench.offer(text_write("a", "1"));
    bench.offer(text_write("b", "1"));
    bench.fake.faults->fail(Call::commit, FailureKind::busy, 1, 3);
    for (int i = 0; i < 3; ++i) CHECK_FALSE(bench.commit().ok());
    REQUIRE(bench.commit().ok());
    CHECK(bench.fake.engine.counters.refused.get() == 1);
  }

  TEST_CASE("without eviction expired entries are deleted before a put is refused") {
    Options options = FakeEngine::manual();
    options.eviction = Eviction::none;
    options.limits.max_entries = 2;
    Bench bench(options);
    bench.fake.put("due", "1", {1, 1, 1});
    bench.fake.put("stays", "1");
    REQUIRE(bench.commit().ok());
    bench.fake.clock->advance(Duration::microseconds(10));
    const SlotPtr slot = bench.offer(text_write("new", "1"));
    REQUIRE(bench.commit().ok());
    CHECK(slot->kept);
    CHECK(bench.fake.file->keys() == Keys{"new", "stays"});
    CHECK(bench.fake.engine.counters.expired.get() == 1);
    CHECK(bench.fake.engine.counters.refused.get() == 0);
  }

  TEST_CASE("without eviction a put deletes as many expired entries as it needs") {
    Bench bench(without_eviction(unlimited, 251'000));
    bench.put_expired(2'500, 100);
    const SlotPtr slot = bench.offer(text_write("new", "1", 200'000));
    REQUIRE(bench.commit().ok());
    CHECK(slot->kept);
    CHECK(bench.fake.engine.counters.expired.get() == 2'000);
    CHECK(bench.fake.engine.counters.refused.get() == 0);
    CHECK(bench.fake.engine.bytes == 250'000);
  }

  TEST_CASE("without eviction a transaction deletes at most 1,000 expired entries") {
    Bench bench(without_eviction(unlimited, unlimited));
    bench.put_expired(4'500, 100);
    std::vector<std::int64_t> entries;
    bench.fake.faults->before(Call::begin,
                              [&] { entries.push_back(bench.fake.file->counted().entries); });
    bench.fake.engine.limits.set({10, unlimited, MiB});
    for (const std::string& key : test::numbered("new", 20)) bench.offer(text_write(key, "1"));
    REQUIRE(bench.commit().ok());
    CHECK(entries == std::vector<std::int64_t>{4'500, 3'500, 2'500, 1'500, 500, 0});
    CHECK(bench.fake.engine.entries == 10);
    CHECK(bench.fake.engine.counters.refused.get() == 10);
  }

  TEST_CASE("without eviction a removal deletes no expired entries even above the limits") {
    Bench bench(without_eviction(unlimited, unlimited));
    bench.put_expired(10, 100);
    bench.fake.engine.limits.set({1, unlimited, MiB});
    bench.offer(removal("due01"));
    const int begun = bench.fake.faults->calls(Call::begin);
    REQUIRE(bench.commit().ok());
    CHECK(bench.fake.faults->calls(Call::begin) == begun + 1);
    CHECK(bench.fake.engine.entries == 9);
  }

  TEST_CASE(
      "without eviction a group waits until the log has space after expired entries are deleted") {
    Bench bench(without_eviction(2, unlimited));
    bench.put_expired(2, 100);
    const SlotPtr slot = bench.offer(text_write("new", "1"));
    bench.fill_wal();
    REQUIRE(bench.commit().ok());
    CHECK_FALSE(slot->done);
    CHECK(bench.fake.file->keys().empty());
    bench.fake.file->own_reader = false;
    REQUIRE(bench.commit().ok());
    CHECK(slot->kept);
  }
}
