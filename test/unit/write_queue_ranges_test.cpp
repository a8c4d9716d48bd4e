#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/clock.hpp>

#include "engine/write_queue.hpp"
#include "support/allocations.hpp"
#include "support/fake_engine.hpp"
#include "unit/write_queue_fixture.hpp"

// Commands that are joined, and what becomes of removals that pile up.

using namespace ashmemo;
using namespace ashmemo::engine;
using test::removal;
using test::text_write;

namespace {

constexpr std::size_t kMaxBytes = 8'000;
constexpr std::int64_t kMaxWait = 100'000;

using Lost = std::optional<std::int64_t>;

struct Queue {
  /// The store has refused for max_wait, so callers do not wait.
  void refuse() {
    writes.set_refusing(true);
    clock->advance(Duration::microseconds(kMaxWait));
  }
  Offered put(std::string_view key, std::string_view value = "v") {
    return writes.offer(text_write(key, value), Waited::yes);
  }
  Offered remove(std::string_view key) { return writes.offer(removal(key), Waited::yes); }
  RangePtr add(Range::Kind kind, std::string prefix = {}) {
    auto range = std::make_shared<Range>();
    range->kind = kind;
    range->prefix = std::move(prefix);
    const WriteQueue::Added added = writes.add(range);
    lost = added.lost;
    return added.range;
  }
  RangePtr remove_prefix(std::string prefix) {
    return add(Range::Kind::erase_prefix, std::move(prefix));
  }
  Group take() { return test::take_by_key(writes); }
  /// Commits all groups; returns their keys, and their commands in brackets.
  std::string commit_all() {
    std::string out;
    while (true) {
      const Group group = take();
      if (group.empty()) return out;
      for (const std::string& key : test::keys_of(group)) out += key + ' ';
      if (group.range) out += '[' + group.range->prefix + "] ";
      writes.finish(group);
    }
  }
  Pending::Kind find(std::string_view key) const { return writes.find(key).kind; }

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  InFlightTable in_flight;
  WriteQueue writes{kMaxBytes, clock, in_flight, kMaxWait};
  Lost lost;
};

using Kind = Pending::Kind;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("waiting removals take no memory from the bound of writes") {
    Queue queue;
    for (const std::string& key : test::numbered("k", 100)) CHECK(queue.remove(key).slot);
    REQUIRE(queue.writes.bytes() > kMaxBytes);
    CHECK(queue.put("x").slot);
    CHECK(queue.put("k001").slot);  // replaces a removal
    int puts = 2;
    while (queue.put(std::to_string(puts)).slot) REQUIRE(++puts < 100);
    CHECK(puts == 8'000 / 202);
  }

  TEST_CASE("a write between two equal range removals is dropped with the newer one") {
    Queue queue;
    SUBCASE("while the store writes") {}
    SUBCASE("while the store refuses") { queue.refuse(); }
    const RangePtr first = queue.remove_prefix("a");
    const SlotPtr between = queue.put("ab").slot;
    queue.put("b");
    CHECK(queue.find("ab") == Kind::put);
    const RangePtr second = queue.remove_prefix("a");
    CHECK(queue.find("ab") == Kind::removed);
    CHECK(queue.find("b") == Kind::put);
    queue.put("ac", "new");
    CHECK(queue.find("ac") == Kind::put);
    const Group taken = queue.take();
    CHECK(taken.range == first);
    queue.writes.give_back(taken);
    CHECK(queue.commit_all() == "[a] b [a] ac ");
    CHECK(first->done);
    CHECK(second->done);
    CHECK(queue.writes.wait(between, 0, [] { return true; }));
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("the newest of two equal range removals still hides keys after the older one is done") {
    Queue queue;
    const RangePtr first = queue.remove_prefix("a");
    const Group taken = queue.take();
    const RangePtr second = queue.remove_prefix("a");
    queue.writes.finish(taken);
    CHECK(first->done);
    CHECK_FALSE(second->done);
    CHECK(queue.find("ab") == Kind::removed);
    CHECK(queue.commit_all() == "[a] ");
    CHECK(queue.find("ab") == Kind::nothing);
  }

  TEST_CASE("a waiting put_calculations serves for later ones until the worker takes it") {
    Queue queue;
    const RangePtr first = queue.add(Range::Kind::put_calculations);
    queue.put("a");
    CHECK(queue.add(Range::Kind::put_calculations) == first);
    const Group taken = queue.take();
    CHECK(taken.range == first);
    const RangePtr second = queue.add(Range::Kind::put_calculations);
    CHECK(second != first);
    queue.writes.finish(taken);
    CHECK(queue.commit_all() == "a [] ");
    CHECK(second->done);
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("a dropped put_calculations does not serve for later ones") {
    Queue queue;
    queue.refuse();
    const RangePtr dropped = queue.add(Range::Kind::put_calculations);
    for (int i = 0; !queue.lost; ++i) queue.remove_prefix("a" + std::to_string(i));
    REQUIRE(dropped->dropped);
    CHECK(queue.add(Range::Kind::put_calculations) != dropped);
  }

  TEST_CASE("one removal of everything replaces too many range removals") {
    Queue queue;
    queue.refuse();
    queue.put("old", "v");
    const RangePtr first = queue.remove_prefix("Post:");
    int times = 0;
    for (const std::string& prefix : test::numbered("Post:", 10'000)) {
      queue.remove_prefix(prefix);
      if (queue.lost) CHECK(*queue.lost == (times++ == 0 ? 1 : 0));
      REQUIRE(queue.writes.bytes() <= 2 * kMaxBytes);
    }
    CHECK(times > 100);
    CHECK(first->dropped);
    CHECK_FALSE(first->done);
    CHECK(queue.find("old") == Kind::removed);
    for (int i = 0; !queue.lost; ++i) queue.remove_prefix("More:" + std::to_string(i));
    REQUIRE(queue.put("Post:00001", "new").slot);
    queue.writes.set_refusing(false);
    CHECK(queue.commit_all().starts_with("[] Post:00001 [More:"));
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("one removal of everything replaces too many removals of keys") {
    Queue queue;
    queue.refuse();
    const SlotPtr put = queue.put("a").slot;
    const RangePtr calculations = queue.add(Range::Kind::put_calculations);
    std::vector<SlotPtr> slots;
    Lost lost;
    for (const std::string& key : test::numbered("k", 1'000)) {
      const Offered offered = queue.remove(key);
      REQUIRE(offered.slot);
      if (!lost) lost = offered.lost;
      slots.push_back(offered.slot);
      REQUIRE(queue.writes.bytes() <= 2 * kMaxBytes);
      REQUIRE(queue.find(key) == Kind::removed);
      REQUIRE(queue.find("anything") == (lost ? Kind::removed : Kind::nothing));
      if (lost) break;
    }
    CHECK(lost == 1);
    CHECK(calculations->dropped);
    REQUIRE(queue.put("k0001", "new").slot);
    queue.writes.set_refusing(false);
    const Group all = queue.take();
    REQUIRE(all.range);
    CHECK(all.range->prefix.empty());
    CHECK(queue.find("k0001") == Kind::put);
    queue.writes.finish(all);
    for (const SlotPtr& slot : {put, slots.front()}) {
      CHECK_FALSE(queue.writes.wait(slot, 0, [] { return true; }));
      CHECK_FALSE(slot->kept);
      CHECK_FALSE(slot->existed);
    }
    CHECK(queue.commit_all().ends_with("k0001 "));
  }

  TEST_CASE("a waiting put counts as kept if an erasure and then a range removal end it") {
    Queue queue;
    const SlotPtr slot = queue.put("a").slot;
    REQUIRE(slot);
    (void)queue.remove("a");
    queue.remove_prefix("");
    (void)queue.commit_all();
    CHECK(queue.writes.wait(slot, 0, [] { return true; }));
    CHECK(slot->kept);
  }

  TEST_CASE("removals that replace puts are bounded while the store refuses") {
    Queue queue;
    queue.refuse();
    std::vector<std::int64_t> lost;
    for (const std::string& key : test::numbered("k", 1'000)) {
      REQUIRE(queue.put(key).accepted);
      const Offered removed = queue.remove(key);
      REQUIRE(removed.slot);
      if (removed.lost) lost.push_back(*removed.lost);
      REQUIRE(queue.find(key) == Kind::removed);
      REQUIRE(queue.writes.bytes() <= 2 * kMaxBytes);
      REQUIRE(queue.remove(key).slot);  // replaces a removal
    }
    REQUIRE_FALSE(lost.empty());
    CHECK(lost.front() == 1);  // the put of the same key
    queue.writes.set_refusing(false);
    CHECK(queue.commit_all().starts_with("[] k"));
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("removals are replaced only after the store has refused for max_wait") {
    Queue queue;
    const auto remove_many = [&queue](const char* base) {
      Lost lost;
      for (const std::string& key : test::numbered(base, 100)) {
        const Lost one = queue.remove(key).lost;
        if (one) lost = one;
      }
      return lost;
    };
    CHECK_FALSE(remove_many("a"));
    queue.writes.set_refusing(true);
    CHECK_FALSE(remove_many("b"));
    queue.clock->advance(Duration::microseconds(kMaxWait));
    CHECK(remove_many("c"));
    CHECK(queue.writes.bytes() <= 2 * kMaxBytes);
  }

  TEST_CASE("a removal of everything ends a taken write when it is given back") {
    Queue queue;
    queue.refuse();
    const SlotPtr slot = queue.put("k").slot;
    const Group taken = queue.take();
    bool has_newer = false;
    SUBCASE("a newer write of its key was dropped") { has_newer = true; }
    SUBCASE("its key has no newer write") {}
    if (has_newer) queue.put("k", "newer");
    for (const std::string& key : test::numbered("a", 39)) queue.remove(key);
    CHECK(queue.remove_prefix("b"));
    CHECK(queue.lost == (has_newer ? 1 : 0));
    CHECK(queue.find("k") == Kind::removed);
    queue.writes.give_back(taken);
    CHECK(queue.find("k") == Kind::removed);
    CHECK(queue.commit_all() == "[] [b] ");
    CHECK(queue.writes.wait(slot, 0, [] { return true; }) != has_newer);
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("removals that are dropped again and again need no more memory") {
    Queue queue;
    queue.refuse();
    const std::int64_t before = test::bytes_allocated_here();
    const auto remove_many = [&queue](int times) {
      for (int i = 0; i < times; ++i) {
        for (const std::string& key : test::numbered("a", 200)) queue.remove(key);
      }
    };
    remove_many(20);
    const std::int64_t allocated = test::bytes_allocated_here() - before;
    remove_many(80);
    CHECK(test::bytes_allocated_here() - before <= 2 * allocated);
  }

  TEST_CASE("callers that wait for a dropped item return false") {
    Queue queue;
    queue.writes.set_refusing(true);
    std::atomic<int> done{0};
    std::atomic<int> returned{0};
    std::atomic<int> looks{0};
    std::vector<std::thread> threads;
    const auto wait_for = [&](auto item) {
      threads.emplace_back([&, item] {
        done += queue.writes.wait(item, 3'600'000'000, [&] { return ++looks > 0; }) ? 1 : 0;
        ++returned;
      });
    };
    wait_for(queue.remove_prefix("a"));
    wait_for(queue.put("ab").slot);
    wait_for(queue.remove("b").slot);
    while (looks < 3) std::this_thread::yield();
    queue.clock->advance(Duration::microseconds(kMaxWait));
    Lost lost;
    for (const std::string& key : test::numbered("k", 60)) {
      const Lost one = queue.remove(key).lost;
      if (one) lost = one;
    }
    CHECK(lost == 1);
    queue.writes.wake_waiting();
    for (std::thread& thread : threads) thread.join();
    CHECK(done == 0);
    CHECK(returned == 3);
  }
}
