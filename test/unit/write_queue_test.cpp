#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/clock.hpp>

#include "engine/write_queue.hpp"
#include "support/allocations.hpp"
#include "support/fake_engine.hpp"
#include "unit/write_queue_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::engine;
using test::keys_of;
using test::removal;
using test::text_write;

namespace {

constexpr std::int64_t kMaxBytes = 4 * 1024 * 1024;

struct Queue {
  explicit Queue(std::size_t max_bytes = 1 << 20) : writes(max_bytes, clock, in_flight) {}

  bool put(std::string_view key, std::string_view value = "v") {
    return writes.offer(text_write(key, value), Waited::no).accepted;
  }
  SlotPtr put_waited(std::string_view key, std::string_view value = "v") {
    return writes.offer(text_write(key, value), Waited::yes).slot;
  }
  SlotPtr remove(std::string_view key) { return writes.offer(removal(key), Waited::yes).slot; }
  RangePtr remove_all_of(std::string_view prefix) {
    auto range = std::make_shared<Range>();
    range->kind = Range::Kind::erase_prefix;
    range->prefix = prefix;
    writes.add(range);
    return range;
  }
  RangePtr command(Range::Kind kind) {
    auto range = std::make_shared<Range>();
    range->kind = kind;
    writes.add(range);
    return range;
  }
  Group take(std::size_t max_rows = 1'000, std::int64_t max_bytes = kMaxBytes) {
    return test::take_by_key(writes, max_rows, max_bytes);
  }
  /// Returns "put X", "removed" or "nothing".
  std::string find(std::string_view key) const {
    const Pending found = writes.find(key);
    switch (found.kind) {
      case Pending::Kind::nothing:
        return "nothing";
      case Pending::Kind::removed:
        return "removed";
      case Pending::Kind::put:
        break;
    }
    return "put " + std::string(found.write->value().bytes());
  }

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  InFlightTable in_flight;
  WriteQueue writes;
};

using Keys = std::vector<std::string>;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("find returns an accepted write until its group is finished") {
    Queue queue;
    CHECK(queue.find("a") == "nothing");
    queue.put("a", "1");
    CHECK(queue.find("a") == "put 1");
    const Group group = queue.take();
    CHECK(queue.find("a") == "put 1");
    queue.writes.finish(group);
    CHECK(queue.find("a") == "nothing");
    CHECK(queue.writes.empty());
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("a pending removal hides its key until it is finished") {
    Queue queue;
    queue.remove("a");
    CHECK(queue.find("a") == "removed");
    queue.writes.finish(queue.take());
    CHECK(queue.find("a") == "nothing");
  }

  TEST_CASE("a write replaces an older write of its key that is not taken") {
    Queue queue;
    const SlotPtr first = queue.put_waited("a", "1");
    queue.put("b", "1");
    const Offered second = queue.writes.offer(text_write("a", "2"), Waited::no);
    CHECK(second.slot == first);
    REQUIRE(second.replaced);
    CHECK(second.replaced->value().bytes() == "1");
    CHECK(queue.find("a") == "put 2");
    const Group group = queue.take();
    CHECK(keys_of(group) == Keys{"a", "b"});
    CHECK(group.items[0].write->value().bytes() == "2");
    queue.writes.finish(group);
    CHECK(first->done);
  }

  TEST_CASE("a write does not replace a write of its key that is being committed") {
    Queue queue;
    const SlotPtr first = queue.put_waited("a", "1");
    const Group group = queue.take();
    const Offered second = queue.writes.offer(text_write("a", "2"), Waited::yes);
    CHECK(second.slot != first);
    CHECK_FALSE(second.replaced);
    CHECK(queue.find("a") == "put 2");
    queue.writes.finish(group);
    CHECK(first->done);
    CHECK_FALSE(second.slot->done);
    CHECK(queue.find("a") == "put 2");
    queue.writes.finish(queue.take());
    CHECK(second.slot->done);
    CHECK(queue.find("a") == "nothing");
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("a group that is given back is taken again before the writes of the next sweep") {
    Queue queue;
    queue.put("b", "1");
    queue.put("c", "1");
    queue.writes.give_back(queue.take());
    queue.put("a", "1");
    CHECK(keys_of(queue.take()) == Keys{"b", "c"});
  }

  TEST_CASE("a newer write takes the place of a write that is given back") {
    Queue queue;
    const SlotPtr first = queue.put_waited("a", "1");
    queue.put("b", "1");
    const Group group = queue.take();
    bool waited = false;
    SUBCASE("a caller waits for the newer write") { waited = true; }
    SUBCASE("no caller waits for the newer write") {}
    const SlotPtr second =
        queue.writes.offer(text_write("a", "2"), waited ? Waited::yes : Waited::no).slot;
    queue.writes.give_back(group);
    CHECK(queue.find("a") == "put 2");
    const Group again = queue.take();
    CHECK(keys_of(again) == Keys{"a", "b"});
    CHECK(again.items[0].write->value().bytes() == "2");
    queue.writes.finish(again);
    CHECK(queue.writes.wait(first, 0, [] { return true; }));
    CHECK((!waited || second->done));
    CHECK(queue.writes.empty());
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("a write replaces a write of its key that was given back") {
    Queue queue;
    const SlotPtr slot = queue.put_waited("a", "1");
    queue.writes.give_back(queue.take());
    CHECK(queue.put_waited("a", "2") == slot);
    const Group group = queue.take();
    REQUIRE(group.items.size() == 1);
    CHECK(group.items[0].write->value().bytes() == "2");
    queue.writes.finish(group);
    CHECK(queue.writes.bytes() == 0);
  }

  // ---- sweeps

  TEST_CASE("a sweep has everything that is queued and later keys join the next one") {
    Queue queue;
    for (const char* key : {"b", "d", "c"}) queue.put(key);
    queue.writes.finish(queue.take(1));
    queue.put("a");
    queue.put("d", "new");
    const Group rest = queue.take();
    CHECK(keys_of(rest) == Keys{"c", "d"});
    CHECK(rest.items[1].write->value().bytes() == "new");
    queue.writes.finish(rest);
    CHECK(keys_of(queue.take()) == Keys{"a"});
  }

  TEST_CASE("a key that is written during its commit joins the next sweep") {
    Queue queue;
    for (const char* key : {"a", "b", "c"}) queue.put(key);
    for (int i = 0; i < 3; ++i) {
      const Group group = queue.take(1);
      queue.put("a", "new");
      queue.writes.finish(group);
    }
    CHECK(keys_of(queue.take()) == Keys{"a"});
  }

  TEST_CASE(
      "a key that is written, removed and written again is written once with its last value") {
    Queue queue;
    queue.put("a", "1");
    queue.put("b", "1");
    queue.writes.finish(queue.take(1));
    const SlotPtr removed = queue.remove("b");
    CHECK(queue.put("b", "2"));
    const Group group = queue.take();
    REQUIRE(keys_of(group) == Keys{"b"});
    CHECK(group.items[0].write->value().bytes() == "2");
    queue.writes.finish(group);
    CHECK(removed->done);
    CHECK(queue.take().empty());
  }

  TEST_CASE("a sweep can be arranged again after a part of it was committed") {
    Queue queue;
    for (const char* key : {"a", "b", "c", "d"}) queue.put(key);
    queue.writes.finish(queue.take(1));
    CHECK(queue.writes.begin_sweep().empty());
    const std::vector<WritePtr> rest = queue.writes.begin_sweep(true);
    std::vector<std::uint32_t> backwards;
    for (const char* key : {"d", "c", "b"}) {
      for (std::uint32_t i = 0; i < rest.size(); ++i) {
        if (rest[i] && rest[i]->key() == key) backwards.push_back(i);
      }
    }
    queue.writes.arrange(backwards);
    CHECK(keys_of(queue.take()) == Keys{"d", "c", "b"});
  }

  // ---- waited writes

  TEST_CASE("writes for which callers wait precede the sweep and take half of a group") {
    Queue queue;
    for (const char* key : {"a", "b", "c", "d"}) queue.put(key);
    for (const char* key : {"z", "y", "x"}) queue.put_waited(key);
    queue.writes.finish(queue.take(1));  // a half of one row is one row here, and no row next
    CHECK(keys_of(queue.take(1)) == Keys{"a"});
    CHECK(keys_of(queue.take(4)) == Keys{"y", "x", "b", "c"});
    CHECK(keys_of(queue.take(4)) == Keys{"d"});
  }

  TEST_CASE("writes for which callers wait fill a group when no others are queued") {
    Queue queue;
    for (const char* key : {"d", "c", "b", "a"}) queue.put_waited(key);
    CHECK(queue.take().items.size() == 4);
  }

  TEST_CASE("a write for which a caller waits does not wait for the end of the sweep") {
    Queue queue;
    for (const std::string& key : test::numbered("k", 100)) queue.put(key);
    queue.writes.finish(queue.take(10));
    const SlotPtr removed = queue.remove("k100");
    const SlotPtr put = queue.put_waited("new");
    queue.writes.finish(queue.take(10));
    CHECK(removed->done);
    CHECK(put->done);
  }

  TEST_CASE("a stream of writes for which callers wait does not stop the sweep") {
    Queue queue;
    for (const std::string& key : test::numbered("k", 100)) queue.put(key);
    int groups = 0;
    for (int next = 0; queue.find("k100") != "nothing" || queue.find("k001") != "nothing";) {
      REQUIRE(++groups <= 21);
      for (int i = 0; i < 20; ++i) queue.put_waited("w" + std::to_string(next++));
      queue.writes.finish(queue.take(10));
    }
  }

  TEST_CASE("waited writes cannot starve a write that needs a group of its own") {
    Queue queue;
    CHECK(queue.writes.offer(text_write("large", "v", 10'000), Waited::no).accepted);
    int groups = 0;
    for (int next = 0; queue.find("large") != "nothing";) {
      REQUIRE(++groups <= 3);
      for (int i = 0; i < 20; ++i) queue.remove("w" + std::to_string(next++));
      queue.writes.finish(queue.take(10, 1'000));
    }
  }

  // ---- ranges

  TEST_CASE("what failed is taken again before anything else") {
    Queue queue;
    queue.put("a");
    const Group writes = queue.take();
    const RangePtr range = queue.remove_all_of("x");
    queue.writes.give_back(writes);
    for (int i = 0; i < 3; ++i) {
      const Group again = queue.take();
      CHECK(keys_of(again) == Keys{"a"});
      queue.writes.give_back(again);
    }
    queue.writes.finish(queue.take());
    queue.put("b");
    for (int i = 0; i < 3; ++i) {
      const Group again = queue.take();
      CHECK(again.range == range);
      queue.writes.give_back(again);
    }
    queue.writes.finish(queue.take());
    CHECK(keys_of(queue.take()) == Keys{"b"});
  }

  TEST_CASE("a held write does not hold the writes that are queued later") {
    Queue queue;
    const RangePtr range = queue.remove_all_of("x");
    queue.put("x1");
    queue.put("a");
    const std::uint64_t last = queue.writes.last_number();
    for (const char* key : {"a", "b", "c"}) {
      queue.put(key);
      const Group step = queue.take();
      REQUIRE(step.range == range);
      queue.writes.give_back(step, false);
      const Group writes = queue.take();
      CHECK(keys_of(writes) == Keys{key});
      queue.writes.finish(writes);
      CHECK(queue.writes.has_until(last));  // the held write
    }
    queue.writes.finish(queue.take());
    CHECK(keys_of(queue.take()) == Keys{"x1"});
  }

  TEST_CASE("a range removal is taken next as a group of its own") {
    Queue queue;
    queue.put("a");
    const RangePtr range = queue.remove_all_of("x");
    queue.put("b");
    const Group first = queue.take();
    CHECK(first.items.empty());
    CHECK(first.range == range);
    queue.writes.finish(first);
    CHECK(keys_of(queue.take()) == Keys{"a", "b"});
    CHECK(queue.take().empty());
  }

  TEST_CASE("other writes go on between the steps of a range removal") {
    Queue queue;
    const RangePtr range = queue.remove_all_of("x");
    for (const char* key : {"a", "b", "x1"}) queue.put(key);
    for (const char* key : {"a", "b"}) {
      const Group step = queue.take(1);
      CHECK(step.range == range);
      queue.writes.give_back(step, false);
      const Group writes = queue.take(1);
      CHECK(keys_of(writes) == Keys{key});
      queue.writes.finish(writes);
    }
    const Group step = queue.take();
    queue.writes.finish(step);
    CHECK(range->done);
    CHECK(keys_of(queue.take()) == Keys{"x1"});  // it was held until now
  }

  TEST_CASE("a sweep of held writes does not hold the writes that are queued later") {
    Queue queue;
    const RangePtr range = queue.remove_all_of("x");
    queue.put("x1");
    for (int i = 0; i < 2; ++i) {
      const Group step = queue.take();
      REQUIRE(step.range == range);
      queue.writes.give_back(step, false);
    }
    queue.put("b");
    CHECK(keys_of(queue.take()) == Keys{"b"});
  }

  TEST_CASE("has_until does not wait for a newer write that another removal holds") {
    Queue queue;
    const RangePtr first = queue.remove_all_of("x");
    queue.put("x1");
    queue.put("a");
    const std::uint64_t last = queue.writes.last_number();
    queue.writes.give_back(queue.take(), false);
    CHECK(keys_of(queue.take()) == Keys{"a"});
    const RangePtr second = queue.remove_all_of("y");
    queue.put("y1");
    const Group step = queue.take();
    REQUIRE(step.range == first);
    queue.writes.finish(step);
    queue.writes.finish(queue.take());
    CHECK(queue.find("x1") == "nothing");
    CHECK(queue.find("y1") == "put v");
    CHECK_FALSE(queue.writes.has_until(last));
    CHECK(queue.writes.has_until(queue.writes.last_number()));
  }

  TEST_CASE("groups that fail again and again need no more memory") {
    Queue queue;
    queue.put("current");
    CHECK_FALSE(queue.writes.begin_sweep().empty());
    for (const std::string& key : test::numbered("k", 900)) queue.remove(key);
    const auto fail = [&queue](int times) {
      for (int i = 0; i < times; ++i) queue.writes.give_back(queue.take());
    };
    fail(10);
    const std::int64_t before = test::bytes_allocated_here();
    fail(100);
    CHECK(test::bytes_allocated_here() == before);
    queue.writes.finish(queue.take());
    CHECK(queue.writes.empty());
  }

  TEST_CASE("a range removal drops the older writes that it covers and ends their waits") {
    Queue queue;
    const SlotPtr put = queue.put_waited("x1");
    const SlotPtr removed = queue.remove("x2");
    queue.put("x3");
    queue.put("y");
    const RangePtr range = queue.remove_all_of("x");
    const Group group = queue.take();
    CHECK(group.range == range);
    CHECK_FALSE(put->done);
    queue.writes.finish(group);
    CHECK(queue.writes.wait(put, 0, [] { return true; }));
    CHECK(queue.writes.wait(removed, 0, [] { return true; }));
    CHECK(put->kept);  // it was removed later
    CHECK(keys_of(queue.take()) == Keys{"y"});
    CHECK(queue.take().empty());
  }

  TEST_CASE("a write that is given back is dropped when a newer range removal covers it") {
    Queue queue;
    const SlotPtr put = queue.put_waited("x1");
    const Group group = queue.take();
    const RangePtr range = queue.remove_all_of("x");
    SUBCASE("a newer write of the key exists") { queue.put("x1", "newer"); }
    SUBCASE("no newer write exists") {}
    const std::string newest = queue.find("x1");
    queue.writes.give_back(group);
    CHECK(queue.find("x1") == newest);
    const Group step = queue.take();
    REQUIRE(step.range == range);
    queue.writes.finish(step);
    CHECK(queue.find("x1") == (newest == "removed" ? "nothing" : newest));
    while (!queue.writes.empty()) queue.writes.finish(queue.take());
    CHECK(queue.writes.wait(put, 0, [] { return true; }));
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("a write after a range removal is not hidden by the write that it replaces") {
    Queue queue;
    queue.put("x1", "1");
    const RangePtr range = queue.remove_all_of("x");
    const Offered second = queue.writes.offer(text_write("x1", "2"), Waited::no);
    CHECK(second.accepted);
    CHECK_FALSE(second.replaced);  // the removal has ended it
    CHECK(queue.find("x1") == "put 2");
    queue.writes.finish(queue.take());
    CHECK(range->done);
    CHECK(queue.find("x1") == "put 2");
    CHECK(keys_of(queue.take()) == Keys{"x1"});
  }

  TEST_CASE("a range removal hides earlier writes and not later ones") {
    Queue queue;
    queue.put("Post:1", "old");
    queue.remove_all_of("Post:");
    CHECK(queue.find("Post:1") == "removed");
    CHECK(queue.find("Post:2") == "removed");  // even if the file contains it
    CHECK(queue.find("Other:1") == "nothing");
    queue.put("Post:1", "new");
    CHECK(queue.find("Post:1") == "put new");
    CHECK(queue.find("Post:2") == "removed");
  }

  TEST_CASE("a range removal hides its keys until it is finished, even if it is given back") {
    Queue queue;
    queue.remove_all_of("Post:");
    for (int step = 0; step < 3; ++step) {
      const Group group = queue.take();
      REQUIRE(group.range);
      CHECK(queue.find("Post:1") == "removed");
      queue.writes.give_back(group);
      CHECK(queue.find("Post:1") == "removed");
    }
    const Group group = queue.take();
    queue.writes.finish(group);
    CHECK(group.range->done);
    CHECK(queue.find("Post:1") == "nothing");
    CHECK(queue.writes.empty());
  }

  TEST_CASE("a command that removes nothing hides no key") {
    Queue queue;
    queue.command(Range::Kind::put_calculations);
    queue.command(Range::Kind::recount);
    CHECK(queue.find("a") == "nothing");
    queue.command(Range::Kind::erase_all);
    CHECK(queue.find("a") == "removed");
  }

  TEST_CASE("a range command that is given back precedes later writes") {
    Queue queue;
    const RangePtr range = queue.remove_all_of("Post:");
    const Group group = queue.take();
    queue.put("Post:1");
    queue.writes.give_back(group);
    const Group again = queue.take();
    CHECK(again.range == range);
    queue.writes.finish(again);
    CHECK(keys_of(queue.take()) == Keys{"Post:1"});
  }

  TEST_CASE("take limits the rows and bytes of a group and takes a larger write alone") {
    Queue queue(std::size_t{64} << 20);
    for (const char* key : {"a", "b", "c", "d"}) {
      const std::int64_t byte_size = key == std::string("c") ? 5'000 : 400;
      (void)queue.writes.offer(text_write(key, "v", byte_size), Waited::no);
    }
    CHECK(keys_of(queue.take(1, 1'000)) == Keys{"a"});
    CHECK(keys_of(queue.take(10, 1'000)) == Keys{"b"});
    CHECK(keys_of(queue.take(10, 1'000)) == Keys{"c"});
    CHECK(keys_of(queue.take(10, 1'000)) == Keys{"d"});
  }

  TEST_CASE("the queue refuses puts above its limit and accepts all removals") {
    Queue queue(2'000);
    CHECK(queue.put("a", std::string(500, 'x')));
    CHECK(queue.put("b", std::string(500, 'x')));
    CHECK_FALSE(queue.put("c", std::string(500, 'x')));
    CHECK(queue.find("c") == "nothing");
    CHECK(queue.remove("c"));
    CHECK(queue.find("c") == "removed");
    CHECK(queue.find("a").starts_with("put"));
    queue.writes.finish(queue.take());
    CHECK(queue.put("c", std::string(500, 'x')));
  }

  TEST_CASE("taken writes count towards the limit until they are finished") {
    Queue queue(2'000);
    CHECK(queue.put("a", std::string(1'500, 'x')));
    const Group group = queue.take();
    CHECK_FALSE(queue.put("b", std::string(500, 'x')));
    queue.writes.finish(group);
    CHECK(queue.put("b", std::string(500, 'x')));
  }

  TEST_CASE("a full queue accepts a write that replaces one of the same size") {
    Queue queue(2'000);
    CHECK(queue.put("a", std::string(1'500, 'x')));
    CHECK(queue.put("a", std::string(1'500, 'y')));
    CHECK(queue.find("a") == "put " + std::string(1'500, 'y'));
  }

  TEST_CASE("only an empty queue accepts a write larger than the limit") {
    Queue queue(2'000);
    queue.put("a");
    CHECK_FALSE(queue.put("b", std::string(5'000, 'x')));
    queue.writes.finish(queue.take());
    CHECK(queue.put("b", std::string(5'000, 'x')));
    CHECK_FALSE(queue.put("c"));
    CHECK(queue.put("b", std::string(6'000, 'x')));  // replaces the write of the same key
  }

  TEST_CASE("find_many reports the pending writes of many keys") {
    Queue queue;
    queue.put("a", "1");
    queue.remove("c");
    queue.remove_all_of("Post:");
    const std::vector<store::Lookup> keys{{"Post:9", 40}, {"a", 10}, {"b", 20}, {"c", 30}};
    std::vector<std::pair<std::size_t, Pending::Kind>> found;
    queue.writes.find_many(keys, [&found](std::size_t index, const Pending& pending) {
      found.emplace_back(index, pending.kind);
    });
    using Kind = Pending::Kind;
    const std::vector<std::pair<std::size_t, Kind>> wanted{
        {40, Kind::removed}, {10, Kind::put}, {30, Kind::removed}};
    CHECK(found == wanted);
  }

  TEST_CASE("with_prefix returns pending entries in the order of their keys") {
    Queue queue;
    queue.put("p:2", "2");
    queue.remove("p:3");
    queue.put("q:1", "1");
    queue.put("p:1", "1");
    queue.remove_all_of("p:1");
    const auto found = queue.writes.with_prefix("p:");
    REQUIRE(found.size() == 3);
    CHECK(found[0].first == "p:1");
    CHECK(found[0].second.kind == Pending::Kind::removed);
    CHECK(found[1].first == "p:2");
    CHECK(found[1].second.kind == Pending::Kind::put);
    CHECK(found[2].first == "p:3");
    CHECK(found[2].second.kind == Pending::Kind::removed);
  }

  TEST_CASE("has_until ignores items after the given number") {
    Queue queue;
    CHECK_FALSE(queue.writes.has_until(queue.writes.last_number()));
    queue.put("a");
    queue.remove_all_of("x");
    const std::uint64_t last = queue.writes.last_number();
    CHECK(queue.writes.has_until(last));
    queue.writes.finish(queue.take());
    CHECK(queue.writes.has_until(last));
    const Group group = queue.take();
    queue.put("b");
    queue.put("a", "newer");
    queue.writes.finish(group);
    CHECK_FALSE(queue.writes.has_until(last));
    CHECK(queue.writes.has_until(queue.writes.last_number()));
  }

  TEST_CASE("has_until is true until a write that replaced an older one is committed") {
    Queue queue;
    queue.put("a", "1");
    const std::uint64_t last = queue.writes.last_number();
    SUBCASE("it replaced a queued one") { queue.put("a", "2"); }
    SUBCASE("it replaced one that was given back") {
      const Group group = queue.take();
      queue.put("a", "2");
      queue.writes.give_back(group);
    }
    CHECK(queue.writes.has_until(last));
    queue.writes.finish(queue.take());
    CHECK_FALSE(queue.writes.has_until(last));
  }

  TEST_CASE("an item of the queue costs at most 200 bytes beside its key and value") {
    Queue queue(std::size_t{64} << 20);
    const std::vector<std::string> keys = test::numbered("k", 10'000);
    const std::string value(100, 'v');
    const std::int64_t before = test::bytes_allocated_here();
    for (const std::string& key : keys) queue.put(key, value);
    CHECK_FALSE(queue.writes.begin_sweep().empty());
    const std::int64_t bytes = test::bytes_allocated_here() - before;
    const auto items = static_cast<std::int64_t>(keys.size());
    CHECK(bytes / items <= 200 + 100 + 6);
    CHECK(queue.writes.bytes() == keys.size() * (kItemOverhead + 106));
  }

  TEST_CASE("drop_all returns the number of puts and closes the queue") {
    Queue queue;
    queue.put("a");
    queue.put("b");
    queue.remove("c");
    queue.remove_all_of("x");
    CHECK(queue.writes.drop_all() == 2);
    CHECK(queue.writes.empty());
    CHECK(queue.writes.bytes() == 0);
    CHECK(queue.find("a") == "nothing");
    CHECK_FALSE(queue.put("d"));
    CHECK_FALSE(queue.remove("d"));
    CHECK_FALSE(queue.remove_all_of("y")->done);
    CHECK(queue.take().empty());
    CHECK(queue.writes.drop_all() == 0);
  }

  TEST_CASE("the queue is urgent while a caller waits or half of its limit is used") {
    Queue queue(8'000);
    CHECK_FALSE(queue.writes.is_urgent());
    {
      const WriteQueue::Waiting waiting(queue.writes);
      CHECK(queue.writes.is_urgent());
    }
    queue.put("a", std::string(3'500, 'x'));
    CHECK_FALSE(queue.writes.is_urgent());
    queue.put("b", std::string(300, 'x'));
    CHECK(queue.writes.is_urgent());
  }

  TEST_CASE("the queue is urgent while a full group of a sweep is left") {
    Queue queue(std::size_t{8} << 20);
    for (const std::string& key : test::numbered("k", 2'500)) queue.put(key);
    CHECK_FALSE(queue.writes.is_urgent());
    for (const bool urgent : {true, false, false}) {
      queue.writes.finish(queue.take());
      CHECK(queue.writes.is_urgent() == urgent);
    }
    CHECK(queue.writes.empty());
  }

  TEST_CASE("the queue is not urgent after a removal has dropped a full group of a sweep") {
    Queue queue(std::size_t{8} << 20);
    for (const std::string& key : test::numbered("k", 2'500)) queue.put(key);
    queue.command(Range::Kind::erase_all);
    queue.writes.finish(queue.take());
    CHECK(queue.writes.empty());
    CHECK_FALSE(queue.writes.is_urgent());
  }

  TEST_CASE("no caller waits for space until a group has left the queue") {
    Queue queue;
    queue.remove_all_of("x");
    queue.put("xa");
    queue.writes.set_refusing(true);
    queue.writes.set_stuck(INT64_MAX);
    const Group step = queue.take();
    queue.writes.set_refusing(false);  // a step of the removal was committed
    queue.writes.give_back(step, false);
    CHECK(queue.writes.is_stuck());
    queue.writes.finish(queue.take());
    CHECK_FALSE(queue.writes.is_stuck());
  }
}
