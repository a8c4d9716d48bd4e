#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

using namespace ashmemo;
using base::FailureKind;
using engine::Range;
using engine::RangePtr;
using test::Call;
using test::FakeEngine;

namespace {

RangePtr command(Range::Kind kind, std::string prefix = {}) {
  auto range = std::make_shared<Range>();
  range->kind = kind;
  range->prefix = std::move(prefix);
  return range;
}

Options listening() {
  Options options = FakeEngine::manual();
  options.hooks.on_removal = [](const Removal&) {};
  return options;
}

void fill(FakeEngine& fake, int rows) {
  fake.put_all(test::numbered("Post:", rows), "v");
  fake.put("Other:1", "v");
  REQUIRE(fake.worker.flush().ok());
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a prefix removal uses several bounded transactions") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fill(fake, 2'300);
    const std::int64_t before = fake.engine.counters.commits.get();
    const RangePtr range = command(Range::Kind::erase_prefix, "Post:");
    CHECK(engine::run_range(fake.engine, range));
    CHECK(range->removed == 2'300);
    CHECK(fake.engine.counters.erased.get() == 2'300);
    CHECK(fake.file->keys() == std::vector<std::string>{"Other:1"});
    CHECK(fake.engine.counters.commits.get() - before >= 3);
  }

  TEST_CASE("a prefix removal that fails halfway counts each row once") {
    for (const Call call : {Call::commit, Call::delete_prefix, Call::begin}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      fill(fake, 2'300);
      const RangePtr range = fake.queue_removal("Post:");
      fake.faults->fail(call, FailureKind::busy, 2, 1);
      CHECK_FALSE(fake.worker.flush().ok());
      CHECK_FALSE(range->done);
      CHECK(range->removed == 1'000);
      CHECK_FALSE(fake.get("Post:2300"));
      REQUIRE(fake.worker.flush().ok());
      CHECK(range->done);
      CHECK(range->removed == 2'300);
      CHECK(fake.engine.counters.erased.get() == 2'300);
    }
  }

  TEST_CASE(
      "a put after a prefix removal survives it even if the removal takes several transactions") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fill(fake, 1'500);
    const RangePtr range = fake.queue_removal("Post:");
    fake.put("Post:0007", "new");
    CHECK(fake.get("Post:0007") == "new");
    CHECK_FALSE(fake.get("Post:0008"));
    REQUIRE(fake.worker.flush().ok());
    CHECK(range->removed == 1'500);
    CHECK(fake.get("Post:0007") == "new");
    CHECK(fake.file->keys() == std::vector<std::string>{"Other:1", "Post:0007"});
  }

  TEST_CASE("a put before a prefix removal does not survive it") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("Post:1", "1");
    fake.queue_removal("Post:");
    CHECK_FALSE(fake.get("Post:1"));
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys().empty());
  }

  TEST_CASE("erase_all sets entries and bytes to 0 in an empty and in a full cache") {
    for (const int rows : {0, 1, 2'500}) {
      for (const bool listened : {false, true}) {
        FakeEngine fake(listened ? listening() : FakeEngine::manual());
        REQUIRE(fake.open().ok());
        fake.put_all(test::numbered("k", rows), "v");
        REQUIRE(fake.worker.flush().ok());
        const RangePtr range = command(Range::Kind::erase_all);
        CHECK(engine::run_range(fake.engine, range));
        CHECK(range->removed == rows);
        CHECK(fake.engine.entries == 0);
        CHECK(fake.engine.bytes == 0);
        CHECK(fake.engine.counters.erased.get() == rows);
        CHECK((fake.faults->calls(Call::delete_everything) == 0) == listened);
      }
    }
  }

  TEST_CASE("on a full disk all entries are removed in several bounded transactions") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fill(fake, 2'300);
    fake.faults->fail(Call::delete_everything, FailureKind::full, 1, 100);
    const RangePtr range = command(Range::Kind::erase_all);
    CHECK(engine::run_range(fake.engine, range));
    CHECK(range->removed == 2'301);
    CHECK(fake.file->keys().empty());
    CHECK(fake.faults->calls(Call::delete_everything) == 1);
  }

  TEST_CASE("a queued put_calculations command stores new calculations at the next flush") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "ttl 1h");
    const RangePtr range = command(Range::Kind::put_calculations);
    (void)engine::queue_range(fake.engine, range);
    CHECK_FALSE(range->done);
    REQUIRE(fake.worker.flush().ok());
    CHECK(range->done);
    REQUIRE(fake.file->state()->calculations.contains(words->id));
    CHECK(fake.file->state()->calculations.at(words->id).name == "words");
  }

  TEST_CASE("a recount corrects the totals and reports the difference") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put_all({"a", "b"}, "1");
    REQUIRE(fake.worker.flush().ok());
    fake.file->change([](auto& state) {
      state.totals.entries += 3;
      state.totals.bytes -= 50;
    });
    const RangePtr range = command(Range::Kind::recount);
    fake.faults->fail(Call::commit, FailureKind::busy);
    CHECK(engine::run_range(fake.engine, range));
    CHECK(range->totals_off.entries == -3);
    CHECK(range->totals_off.bytes == 50);
    CHECK(fake.file->state()->totals == fake.file->counted());
    CHECK(fake.engine.entries == 2);
  }

  TEST_CASE("a result is never stored before the row of its calculation") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "ttl 1h");
    engine::NewEntry result{"Post:1:words", Value::text("1"), {}, words->id, {}, 0};
    CHECK(engine::put(fake.engine, std::span(&result, 1)) == 1);
    fake.faults->fail(Call::put_calculation, FailureKind::full, 1, 3);
    CHECK_FALSE(fake.worker.flush().ok());
    CHECK(fake.file->keys().empty());
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->has("Post:1:words"));
    CHECK(fake.file->state()->calculations.contains(words->id));
    CHECK_FALSE(fake.engine.catalog.has_unwritten());
  }

  TEST_CASE("repeated invalidation queues one command while the store refuses writes") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "ttl 1h");
    REQUIRE(engine::run_range(fake.engine, command(Range::Kind::put_calculations)));
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    for (int i = 0; i < 10'000; ++i) {
      fake.engine.catalog.renew(words);
      (void)engine::queue_range(fake.engine, command(Range::Kind::put_calculations));
      if (i % 1'000 == 0) CHECK_FALSE(fake.worker.flush().ok());
    }
    CHECK(fake.engine.catalog.retired().size() == 1);
    CHECK(fake.engine.pending.bytes() == engine::kItemOverhead);
    const auto commands = fake.engine.pending.take(1'000, 1'000'000);
    REQUIRE(commands.range);
    CHECK(fake.engine.pending.take(1'000, 1'000'000).empty());
    fake.engine.pending.give_back(commands);
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->state()->calculations.size() == 2);
    CHECK(fake.file->state()->calculations.at(1).retired);
    CHECK_FALSE(fake.file->state()->calculations.at(words->id).retired);
  }
}
