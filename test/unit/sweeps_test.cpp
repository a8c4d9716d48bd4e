#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "store/rowid_hints.hpp"
#include "support/fake_engine.hpp"
#include "unit/committer_bench.hpp"

// How the committer writes a sweep: in which order, and with stamps that grow in that order.

using namespace ashmemo;
using engine::Waited;
using engine::WriteQueue;
using test::Call;
using test::FakeEngine;
using test::FakeFile;
using test::FakeRow;
using test::text_write;

namespace {

using Keys = std::vector<std::string>;

/// Without a policy each value gets a new stamp, so that the stamps show the order of writing.
Options without_policy() {
  Options options = FakeEngine::manual();
  options.eviction = Eviction::none;
  return options;
}

struct Bench : test::CommitterBench {
  Bench() : CommitterBench(without_policy()) {}

  void put(std::string_view key, std::int64_t byte_size = 100) {
    REQUIRE(fake.engine.pending.offer(text_write(key, "v", byte_size), Waited::no).accepted);
  }
  void commit() { REQUIRE(commit_next().ok()); }
};

/// The keys in the order in which their rows were written last.
Keys in_order_of_writing(const FakeFile& file) {
  Keys keys = file.keys();
  std::sort(keys.begin(), keys.end(), [&file](const std::string& a, const std::string& b) {
    return file.row(a).inserted_at < file.row(b).inserted_at;
  });
  return keys;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a group has old rows in the order of the file and then new rows as they were queued") {
    Bench bench;
    for (const char* key : {"c", "a", "b"}) {
      bench.put(key);
      bench.commit();
    }
    for (const char* key : {"z", "b", "x", "a", "c", "y"}) bench.put(key);
    bench.commit();
    CHECK(in_order_of_writing(*bench.fake.file) == Keys{"c", "a", "b", "z", "x", "y"});
  }

  TEST_CASE("the new rows of a sweep go into groups by key, each in the order of the queue") {
    Bench bench;
    bench.put("old");
    bench.commit();
    Keys keys = test::numbered("k", 2'500);
    std::reverse(keys.begin(), keys.end());
    bench.fake.engine.hints->fill("old", 1);
    bench.put("old");
    for (const std::string& key : keys) bench.put(key);
    for (const std::size_t size : {999U, 1'000U, 501U}) {  // the first group has the old row, too
      const std::size_t before = bench.fake.file->keys().size();
      bench.commit();
      CHECK(bench.fake.file->keys().size() == before + size);
      const Keys order = in_order_of_writing(*bench.fake.file);
      CHECK(Keys(order.end() - static_cast<std::ptrdiff_t>(size), order.end()) ==
            Keys(keys.end() - static_cast<std::ptrdiff_t>(size), keys.end()));
      keys.resize(keys.size() - size);
    }
  }

  TEST_CASE("a sweep uses the remembered rowids and a wrong one changes only the order") {
    Bench bench;
    for (const char* key : {"c", "a", "b"}) {
      bench.put(key);
      bench.commit();
    }
    bench.fake.engine.hints->fill("a", 1);
    bench.fake.engine.hints->fill("b", 2);
    for (const char* key : {"b", "a", "c"}) bench.put(key);
    bench.commit();
    const Keys order = in_order_of_writing(*bench.fake.file);
    CHECK(std::find(order.begin(), order.end(), "a") < std::find(order.begin(), order.end(), "b"));
    CHECK(bench.fake.file->keys() == Keys{"a", "b", "c"});
  }

  TEST_CASE("a sweep looks up at most 1,000 keys before the first group while a caller waits") {
    for (const bool waits : {true, false}) {
      CAPTURE(waits);
      Bench bench;
      for (const std::string& key : test::numbered("k", 2'500)) {
        bench.fake.file->plant(key, FakeRow{});
        bench.put(key);
      }
      std::optional<WriteQueue::Waiting> waiting;
      if (waits) waiting.emplace(bench.fake.engine.pending);
      bench.commit();
      CHECK(bench.fake.faults->calls(Call::find_rowids) == 1 + (waits ? 1 : 3));  // 1: a sample
    }
  }

  TEST_CASE("a sweep of new keys looks up only a sample, and is written even if that fails") {
    for (const bool fails : {false, true}) {
      CAPTURE(fails);
      Bench bench;
      for (const std::string& key : test::numbered("k", 2'500)) bench.put(key);
      if (fails) bench.fake.faults->fail_always(Call::find_rowids, base::FailureKind::io);
      bench.commit();
      CHECK(bench.fake.faults->calls(Call::find_rowids) == 1);
      CHECK(bench.fake.file->keys().size() == 1'000);
    }
  }

  TEST_CASE("a sweep takes the newest value of each key when its group is written") {
    Bench bench;
    for (const std::string& key : test::numbered("k", 1'500)) bench.put(key);
    bench.commit();
    CHECK(bench.fake.file->keys().size() == 1'000);
    bench.fake.put("k1500", "newer");
    bench.fake.put("k0001", "newer");  // its row is written already, so it joins the next sweep
    bench.commit();
    CHECK(bench.fake.file->row("k1500").value.bytes() == "newer");
    CHECK(bench.fake.file->row("k0001").value.bytes() == "v");
    bench.commit();
    CHECK(bench.fake.file->row("k0001").value.bytes() == "newer");
    CHECK(bench.fake.engine.pending.empty());
  }

  TEST_CASE("the rest of a sweep is arranged again when another file is open") {
    Bench bench;
    const Keys keys = test::numbered("k", 1'200);
    for (const std::string& key : keys) bench.put(key);
    bench.commit();
    const auto other = std::make_shared<FakeFile>();
    for (auto key = keys.rbegin(); key != keys.rbegin() + 200; ++key) other->plant(*key, FakeRow{});
    bench.fake.engine.store.set(open_fake_store(other));
    bench.commit();
    CHECK(bench.fake.engine.pending.empty());
    Keys rest(keys.end() - 200, keys.end());
    std::reverse(rest.begin(), rest.end());
    CHECK(in_order_of_writing(*other) == rest);
  }

  TEST_CASE("a sweep goes on after a group failed and loses no write") {
    Bench bench;
    const Keys keys = test::numbered("k", 2'500);
    for (const std::string& key : keys) bench.put(key);
    bench.fake.faults->fail(Call::commit, base::FailureKind::io, 2);
    int failures = 0;
    while (!bench.fake.engine.pending.empty()) {
      const auto store = bench.fake.engine.store.get();
      if (!bench.committer.commit_next(*store, {maintenance::WaitsForReads::once}).ok()) {
        REQUIRE(++failures == 1);
        bench.fake.put("k1001", "newer");
      }
    }
    CHECK(failures == 1);
    CHECK(in_order_of_writing(*bench.fake.file) == keys);
    CHECK(bench.fake.file->row("k1001").value.bytes() == "newer");
  }

  TEST_CASE("a row gets its stamp when it is written and not when it is queued") {
    Bench bench;
    bench.put("a");
    const std::int64_t queued = bench.fake.engine.sequence_clock.next(0);
    bench.commit();
    CHECK(bench.fake.file->row("a").inserted_at > queued);
  }

  TEST_CASE("the stamp of a row is not earlier than its computation if the clock goes back") {
    Bench bench;
    bench.fake.clock->advance(std::chrono::hours(1));
    bench.fake.put("a", "1");
    const std::int64_t computed = bench.fake.clock->wall_now();
    bench.fake.clock->set_wall(computed - 1'000'000);
    bench.commit();
    CHECK(bench.fake.file->row("a").deadlines.computed_at == computed);
    CHECK(bench.fake.file->row("a").inserted_at >= computed);
  }

  TEST_CASE("a removal by prefix counts queued entries and counts no entry twice") {
    Bench bench;
    for (const char* key : {"p1", "p2"}) bench.put(key);
    bench.commit();
    for (const char* key : {"p2", "p3", "q"}) bench.put(key);
    const engine::RangePtr range = bench.fake.queue_removal("p");
    while (!bench.fake.engine.pending.empty()) bench.commit();
    CHECK(range->removed == 3);
    CHECK(bench.fake.file->keys() == Keys{"q"});
  }
}
