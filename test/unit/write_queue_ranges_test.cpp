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
#include "support/fake_engine.hpp"

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
  /// Refusing for so long that nobody waits.
  void refuse() {
    writes.set_refusing(true);
    clock->advance(Duration::microseconds(kMaxWait));
  }
  Offered put(std::string_view key, std::string_view value = "v") {
    return writes.offer(key, text_write(value));
  }
  Offered remove(std::string_view key) { return writes.offer(key, removal()); }
  RangePtr add(Range::Kind kind, std::string prefix = {}) {
    auto range = std::make_shared<Range>();
    range->kind = kind;
    range->prefix = std::move(prefix);
    lost = writes.add(range);
    return range;
  }
  RangePtr remove_all_of(std::string prefix) {
    return add(Range::Kind::erase_prefix, std::move(prefix));
  }
  Group take() { return writes.take(1'000, 4 * 1024 * 1024); }
  bool is_done(const RangePtr& range) const { return writes.committed_for(range)->done; }
  /// What the groups hold from now on: keys, and commands in brackets.
  std::string commit_all() {
    std::string out;
    while (true) {
      const Group group = take();
      if (group.empty()) return out;
      for (const SlotPtr& slot : group.slots) out += slot->key + ' ';
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
  TEST_CASE("removals that wait leave writes the room that they have") {
    Queue queue;
    for (const std::string& key : test::numbered("k", 100)) CHECK(queue.remove(key).slot);
    REQUIRE(queue.writes.bytes() > kMaxBytes);
    CHECK(queue.put("x").slot);
    CHECK(queue.put("k001").slot);  // in the place of a removal
    int puts = 2;
    while (queue.put(std::to_string(puts)).slot) REQUIRE(++puts < 100);
    CHECK(puts == 8'000 / 402);  // and no more
  }

  TEST_CASE("100,000 removals of one range while the store refuses are one") {
    Queue queue;
    queue.refuse();
    const RangePtr first = queue.remove_all_of("Post:1:");
    queue.remove_all_of("Post:2:");
    const std::size_t before = queue.writes.bytes();
    for (int i = 0; i < 100'000; ++i) {
      queue.remove_all_of("Post:1:");
      REQUIRE_FALSE(queue.lost);
    }
    CHECK(queue.writes.bytes() == before);
    CHECK_FALSE(queue.is_done(first));
    queue.writes.set_refusing(false);
    CHECK(queue.commit_all() == "[Post:2:] [Post:1:] ");
    CHECK(queue.is_done(first));
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("a removal that is joined comes after what was queued in between, and hides it") {
    Queue queue;
    queue.refuse();
    const RangePtr first = queue.remove_all_of("a");
    queue.put("ab");
    queue.put("b");
    CHECK(queue.find("ab") == Kind::put);
    const RangePtr second = queue.remove_all_of("a");
    CHECK(queue.find("ab") == Kind::removed);
    CHECK(queue.find("b") == Kind::put);
    queue.put("ab", "new");
    CHECK(queue.find("ab") == Kind::put);
    CHECK_FALSE(queue.is_done(first));
    CHECK(queue.commit_all() == "ab b [a] ab ");
    CHECK(queue.is_done(first));
    CHECK(queue.is_done(second));
    CHECK(queue.writes.committed_for(first) == queue.writes.committed_for(second));
  }

  TEST_CASE("while the store writes a removal stays in its place, whoever comes after it") {
    Queue queue;
    const RangePtr first = queue.remove_all_of("a");
    queue.remove_all_of("a");  // nothing between: there it joins
    queue.put("ab");
    const RangePtr later = queue.remove_all_of("a");
    CHECK(queue.take().range == first);
    CHECK(queue.commit_all() == "ab [a] ");
    CHECK(queue.is_done(later));
  }

  TEST_CASE("a removal that the worker has taken is not joined") {
    Queue queue;
    queue.refuse();
    const RangePtr first = queue.remove_all_of("a");
    const Group taken = queue.take();
    const RangePtr second = queue.remove_all_of("a");
    const RangePtr third = queue.remove_all_of("a");
    CHECK(queue.writes.committed_for(third) == second);
    queue.writes.give_back(taken);
    CHECK(queue.take().range == first);
    queue.writes.finish(taken);
    CHECK(queue.is_done(first));
    CHECK_FALSE(queue.is_done(second));
    CHECK(queue.find("ab") == Kind::removed);
    CHECK(queue.commit_all() == "[a] ");
    CHECK(queue.find("ab") == Kind::nothing);
  }

  TEST_CASE("a flush that began before a removal was moved waits for it") {
    Queue queue;
    queue.refuse();
    queue.remove_all_of("a");
    const std::uint64_t accepted = queue.writes.last_number();
    queue.put("b");
    queue.remove_all_of("a");
    queue.put("c");
    queue.writes.finish(queue.take());
    CHECK(queue.writes.has_until(accepted));
    queue.writes.finish(queue.take());
    CHECK_FALSE(queue.writes.has_until(accepted));
    CHECK(queue.commit_all() == "c ");
  }

  TEST_CASE("commands that remove nothing join the one that waits, where it stands") {
    for (const auto kind : {Range::Kind::put_calculations, Range::Kind::recount}) {
      Queue queue;
      const RangePtr first = queue.add(kind);
      queue.put("a");
      const RangePtr second = queue.add(kind);
      const Group taken = queue.take();
      CHECK(taken.range == first);
      const RangePtr third = queue.add(kind);
      queue.writes.finish(taken);
      CHECK(queue.is_done(second));
      CHECK_FALSE(queue.is_done(third));
      CHECK(queue.commit_all() == "a [] ");
      CHECK(queue.is_done(third));
      CHECK(queue.writes.bytes() == 0);
    }
  }

  TEST_CASE("too many ranges become one removal of everything") {
    Queue queue;
    queue.refuse();
    queue.put("kept?", "v");
    std::vector<RangePtr> ranges;
    int times = 0;
    for (const std::string& prefix : test::numbered("Post:", 10'000)) {
      ranges.push_back(queue.remove_all_of(prefix));
      if (queue.lost) CHECK(*queue.lost == (times++ == 0 ? 1 : 0));
      REQUIRE(queue.writes.bytes() <= 2 * kMaxBytes);
    }
    CHECK(times > 100);
    CHECK(queue.find("kept?") == Kind::removed);
    for (int i = 0; !queue.lost; ++i) queue.remove_all_of("More:" + std::to_string(i));
    REQUIRE(queue.put("Post:00001", "new").slot);
    queue.writes.set_refusing(false);
    CHECK(queue.commit_all().starts_with("[] [More:"));
    for (const RangePtr& range : ranges) CHECK(queue.is_done(range));
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("too many keys become one removal of everything") {
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
    REQUIRE(queue.put("k0001", "new").slot);
    queue.writes.set_refusing(false);
    CHECK(queue.take().range == calculations);
    const Group all = queue.take();
    REQUIRE(all.range);
    CHECK(all.range->prefix.empty());
    CHECK(queue.find("k0001") == Kind::put);
    queue.writes.finish(all);
    for (const SlotPtr& slot : {put, slots.front()}) {
      CHECK(queue.writes.wait(slot, 0, [] {}));
      CHECK_FALSE(slot->kept);
      CHECK_FALSE(slot->existed);
    }
    CHECK(queue.commit_all().ends_with("k0001 "));
  }

  TEST_CASE("removals become one of everything only once nobody waits for them any more") {
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

  TEST_CASE("what the worker has taken stays when everything else becomes one removal") {
    Queue queue;
    queue.refuse();
    const SlotPtr slot = queue.put("k").slot;
    const Group taken = queue.take();
    queue.put("k", "newer");
    for (const std::string& key : test::numbered("a", 19)) queue.remove(key);
    CHECK(queue.remove_all_of("b"));
    CHECK(queue.lost == 1);
    CHECK(queue.find("k") == Kind::removed);
    queue.writes.give_back(taken);
    CHECK(queue.find("k") == Kind::removed);
    CHECK(queue.commit_all() == "k [] [b] ");
    CHECK(slot->done);
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("whoever waits for what was joined is released when that is done") {
    Queue queue;
    queue.writes.set_refusing(true);
    std::atomic<int> done{0};
    std::atomic<int> looks{0};
    std::vector<std::thread> threads;
    const auto wait_for = [&](auto item) {
      threads.emplace_back(
          [&, item] { done += queue.writes.wait(item, 3'600'000'000, [&] { ++looks; }) ? 1 : 0; });
    };
    wait_for(queue.remove_all_of("a"));
    wait_for(queue.put("ab").slot);
    wait_for(queue.remove_all_of("a"));
    wait_for(queue.remove("b").slot);
    while (looks < 4) std::this_thread::yield();
    queue.clock->advance(Duration::microseconds(kMaxWait));
    Lost lost;
    for (const std::string& key : test::numbered("k", 30)) {
      const Lost one = queue.remove(key).lost;
      if (one) lost = one;
    }
    CHECK(lost == 1);
    CHECK(done == 0);
    queue.writes.set_refusing(false);
    CHECK(queue.commit_all().starts_with("[] "));
    for (std::thread& thread : threads) thread.join();
    CHECK(done == 4);
  }
}
