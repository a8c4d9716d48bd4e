#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/clock.hpp>

#include "engine/write_queue.hpp"
#include "support/fake_engine.hpp"

using namespace ashmemo;
using namespace ashmemo::engine;
using test::removal;
using test::text_write;

namespace {

constexpr std::int64_t kMaxBytes = 4 * 1024 * 1024;

struct Queue {
  explicit Queue(std::size_t max_bytes = 1 << 20) : writes(max_bytes, clock, in_flight) {}

  SlotPtr put(std::string_view key, std::string_view value = "v") {
    return writes.offer(key, text_write(value)).slot;
  }
  SlotPtr remove(std::string_view key) { return writes.offer(key, removal()).slot; }
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
  Group take(std::size_t max_rows = 1'000) { return writes.take(max_rows, kMaxBytes); }
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
    return "put " + std::string(found.write->value.bytes());
  }

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  InFlightTable in_flight;
  WriteQueue writes;
};

std::vector<std::string> keys_of(const Group& group) {
  std::vector<std::string> keys;
  for (const SlotPtr& slot : group.slots) keys.push_back(slot->key);
  return keys;
}

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
    const SlotPtr first = queue.put("a", "1");
    queue.put("b", "1");
    const Offered second = queue.writes.offer("a", text_write("2"));
    CHECK(second.slot == first);
    REQUIRE(second.replaced);
    CHECK(second.replaced->value.bytes() == "1");
    CHECK(queue.find("a") == "put 2");
    const Group group = queue.take();
    CHECK(keys_of(group) == Keys{"a", "b"});
    CHECK(group.writes[0]->value.bytes() == "2");
  }

  TEST_CASE("a write does not replace a write of its key that is being committed") {
    Queue queue;
    const SlotPtr first = queue.put("a", "1");
    const Group group = queue.take();
    const Offered second = queue.writes.offer("a", text_write("2"));
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
  }

  TEST_CASE("a group that is given back precedes later writes and keeps its order") {
    Queue queue;
    queue.put("a", "1");
    queue.put("b", "1");
    const Group group = queue.take();
    queue.put("a", "2");
    queue.put("c", "1");
    queue.writes.give_back(group);
    CHECK(queue.find("a") == "put 2");
    const Group again = queue.take();
    CHECK(keys_of(again) == Keys{"a", "b", "a", "c"});
    CHECK(again.writes[0]->value.bytes() == "1");
    CHECK(again.writes[2]->value.bytes() == "2");
  }

  TEST_CASE("a write replaces a write of its key that was given back") {
    Queue queue;
    const SlotPtr slot = queue.put("a", "1");
    queue.writes.give_back(queue.take());
    CHECK(queue.put("a", "2") == slot);
    const Group group = queue.take();
    REQUIRE(group.slots.size() == 1);
    CHECK(group.writes[0]->value.bytes() == "2");
    queue.writes.finish(group);
    CHECK(queue.writes.bytes() == 0);
  }

  TEST_CASE("a range command forms its own group and keeps its position in the queue") {
    Queue queue;
    queue.put("a");
    const RangePtr range = queue.remove_all_of("x");
    queue.put("b");
    CHECK(keys_of(queue.take()) == Keys{"a"});
    const Group second = queue.take();
    CHECK(second.slots.empty());
    CHECK(second.range == range);
    CHECK(keys_of(queue.take()) == Keys{"b"});
    CHECK(queue.take().empty());
  }

  TEST_CASE("a write does not replace a write that precedes a range command") {
    for (const auto kind : {Range::Kind::erase_prefix, Range::Kind::erase_all,
                            Range::Kind::put_calculations, Range::Kind::recount}) {
      Queue queue;
      const SlotPtr before = queue.put("a", "1");
      queue.command(kind);
      const SlotPtr after = queue.put("a", "2");
      CHECK(before != after);
      CHECK(queue.find("a") == "put 2");
      CHECK(queue.put("a", "3") == after);
      CHECK(queue.find("a") == "put 3");
    }
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
    CHECK(queue.take().range == range);
    CHECK(keys_of(queue.take()) == Keys{"Post:1"});
  }

  TEST_CASE("take limits the rows and bytes of a group and takes a larger write alone") {
    Queue queue(std::size_t{64} << 20);
    for (const char* key : {"a", "b", "c", "d"}) {
      (void)queue.writes.offer(key, text_write("v", key == std::string("c") ? 5'000 : 400));
    }
    CHECK(keys_of(queue.writes.take(1, 1'000)) == Keys{"a"});
    CHECK(keys_of(queue.writes.take(10, 1'000)) == Keys{"b"});
    CHECK(keys_of(queue.writes.take(10, 1'000)) == Keys{"c"});
    CHECK(keys_of(queue.writes.take(10, 1'000)) == Keys{"d"});
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
    queue.put("b");
    CHECK(queue.writes.has_until(last));
    queue.writes.finish(queue.take());
    CHECK(queue.writes.has_until(last));
    queue.writes.finish(queue.take());
    CHECK_FALSE(queue.writes.has_until(last));
    CHECK(queue.writes.has_until(queue.writes.last_number()));
  }

  TEST_CASE("a write that replaces an older one keeps the number of the older one") {
    Queue queue;
    queue.put("a", "1");
    const std::uint64_t last = queue.writes.last_number();
    queue.put("a", "2");
    CHECK(queue.writes.last_number() == last);
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

  TEST_CASE("the queue is urgent while a caller waits or 1,000 writes are pending") {
    Queue queue(std::size_t{8} << 20);
    CHECK_FALSE(queue.writes.is_urgent());
    {
      const WriteQueue::Waiting waiting(queue.writes);
      CHECK(queue.writes.is_urgent());
    }
    for (const std::string& key : test::numbered("k", 999)) queue.put(key);
    CHECK_FALSE(queue.writes.is_urgent());
    queue.put("one more");
    CHECK(queue.writes.is_urgent());
  }

  TEST_CASE("the queue is urgent when a quarter of its limit is used") {
    Queue queue(8'000);
    queue.put("a");
    CHECK_FALSE(queue.writes.is_urgent());
    queue.put("b", std::string(1'500, 'x'));
    CHECK(queue.writes.is_urgent());
  }
}
