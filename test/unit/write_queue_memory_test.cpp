#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/clock.hpp>

#include "engine/write_queue.hpp"
#include "support/allocations.hpp"
#include "support/fake_engine.hpp"
#include "unit/write_queue_fixture.hpp"

// Lets each allocation fail once while writes are queued, taken and given back. The queue must keep
// every accepted write and no rejected one.

using namespace ashmemo;
using namespace ashmemo::engine;
using test::Call;
using test::FakeEngine;
using test::text_write;
using test::without_memory;
using Kind = Pending::Kind;

namespace {

struct Queue {
  [[nodiscard]] Group take() { return test::take_by_key(writes); }

  InFlightTable in_flight;
  WriteQueue writes{1 << 20, std::make_shared<ManualClock>(), in_flight};
};

[[nodiscard]] RangePtr removal_of(std::string prefix, std::uint64_t number = 0) {
  auto range = std::make_shared<Range>();
  range->kind = Range::Kind::erase_prefix;
  range->prefix = std::move(prefix);
  range->number = number;
  return range;
}

[[nodiscard]] RangePtr calculations() {
  auto range = std::make_shared<Range>();
  range->kind = Range::Kind::put_calculations;
  return range;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a long group returns to the queue complete when an allocation fails") {
    const std::vector<std::string> keys = test::numbered("k", 100);
    bool failed = true;
    for (std::int64_t before = 0; failed; ++before) {
      CAPTURE(before);
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      REQUIRE(fake.put_all(keys, "1") == keys.size());
      fake.faults->fail_always(Call::commit, base::FailureKind::io);
      failed = without_memory(before, [&] { static_cast<void>(fake.worker.flush()); });
      fake.faults->heal();
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.file->keys() == keys);
      CHECK(fake.engine.pending.empty());
      CHECK(fake.engine.pending.bytes() == 0);
    }
  }

  TEST_CASE("new calculations are queued again after an allocation failed") {
    int failures = 0;
    for (int items = 0; items < 100; ++items) {  // a deque rarely allocates
      Queue queue;
      for (int i = 0; i < items; ++i) (void)queue.writes.add(std::make_shared<Range>());
      const auto first = calculations();
      if (without_memory(0, [&] { (void)queue.writes.add(first); })) ++failures;
      const RangePtr queued = queue.writes.add(calculations()).range;
      for (int i = 0; i < items; ++i) queue.writes.finish(queue.take());
      CHECK(queue.take().range == queued);
    }
    CHECK(failures > 0);
  }

  TEST_CASE("a write whose allocation fails changes nothing and the next write is queued") {
    const WritePtr write = text_write("key", "new");
    for (int others = 0; others <= 16; ++others) {
      CAPTURE(others);
      bool failed = true;
      for (std::int64_t before = 0; failed; ++before) {
        CAPTURE(before);
        Queue queue;
        for (const std::string& key : test::numbered("k", others)) {
          REQUIRE(queue.writes.offer(text_write(key, "v"), Waited::no).accepted);
        }
        failed = without_memory(before, [&] { (void)queue.writes.offer(write, Waited::yes); });
        CHECK((queue.writes.find("key").kind == Kind::nothing) == failed);
        const SlotPtr slot = queue.writes.offer(write, Waited::yes).slot;
        const Group group = queue.take();
        REQUIRE(group.items.size() == static_cast<std::size_t>(others) + 1);
        CHECK(group.items.front().slot == slot);
        queue.writes.finish(group);
        CHECK(queue.writes.empty());
        CHECK(queue.writes.bytes() == 0);
      }
    }
  }

  TEST_CASE("a write whose allocation fails does not hide an older write that is being committed") {
    bool failed = true;
    for (std::int64_t before = 0; failed; ++before) {
      CAPTURE(before);
      Queue queue;
      REQUIRE(queue.writes.offer(text_write("key", "old"), Waited::no).accepted);
      const Group group = queue.take();
      const WritePtr newer = text_write("key", "new");
      failed = without_memory(before, [&] { (void)queue.writes.offer(newer, Waited::yes); });
      const Pending found = queue.writes.find("key");
      REQUIRE(found.kind == Kind::put);
      CHECK(found.write->value().bytes() == (failed ? "old" : "new"));
      queue.writes.finish(group);
      CHECK(queue.writes.empty() == failed);
    }
  }

  TEST_CASE("a range removal whose allocation fails is not queued and the next one is") {
    for (const std::string_view older : {"", "Post:", "User:1"}) {
      CAPTURE(older);
      bool failed = true;
      for (std::int64_t before = 0; failed; ++before) {
        CAPTURE(before);
        Queue queue;
        if (!older.empty()) (void)queue.writes.add(removal_of(std::string(older)));
        const Group taken = queue.take();
        const RangePtr range = removal_of("Post:");
        failed = without_memory(before, [&] { (void)queue.writes.add(range); });
        CHECK(queue.writes.find("User:1").kind ==
              (older == "User:1" ? Kind::removed : Kind::nothing));
        if (failed) (void)queue.writes.add(range);
        CHECK(queue.writes.find("Post:1").kind == Kind::removed);
        queue.writes.finish(taken);
        CHECK(queue.writes.find("Post:1").kind == Kind::removed);
        const Group group = queue.take();
        CHECK(group.range == range);
        queue.writes.finish(group);
        CHECK(queue.writes.find("Post:1").kind == Kind::nothing);
        CHECK(queue.writes.empty());
        CHECK(queue.writes.bytes() == 0);
      }
    }
  }

  TEST_CASE("RangeRemovals covers the same keys as before when adding another removal fails") {
    for (const std::string_view prefix : {"Post:", "Post:1:"}) {
      CAPTURE(prefix);
      bool failed = true;
      for (std::int64_t before = 0; failed; ++before) {
        CAPTURE(before);
        RangeRemovals removals;
        const RangePtr older = removal_of("Post:", 1);
        const RangePtr newer = removal_of(std::string(prefix), 2);
        removals.add(older);
        failed = without_memory(before, [&] { removals.add(newer); });
        CHECK(removals.cover("Post:1:words", 0));
        CHECK(removals.cover("Post:1:words", 1) == !failed);
        removals.remove(*newer);
        removals.remove(*older);
        CHECK(removals.size() == 0);
        CHECK_FALSE(removals.cover("Post:1:words", 0));
      }
    }
  }
}
