#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/error.hpp>

#include "submit_fixture.hpp"
#include "support/rendezvous.hpp"

// Removals in the queue: the rows that they count, and when they wait.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;
using test::with_small_queue;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("erase ignores empty lists, unknown keys and duplicates") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put_all({"a", "b", "c"}, "1");
    CHECK(engine::erase(fake.engine, {}) == 0);
    const std::vector<std::string_view> keys{"b", "x", "a", "b", "a"};
    CHECK(engine::erase(fake.engine, keys) == 2);
    CHECK(fake.file->keys() == std::vector<std::string>{"c"});
    CHECK(engine::erase(fake.engine, keys) == 0);
  }

  TEST_CASE("erase of many keys waits so that the queue stays near its limit") {
    FakeEngine fake(with_small_queue());
    REQUIRE(fake.open().ok());
    const auto names = test::numbered("k", 5'000);
    for (const std::string& name : names) fake.put(name, "1");
    REQUIRE(fake.worker.flush().ok());
    std::size_t max_bytes = 0;
    fake.faults->before(Call::commit,
                        [&] { max_bytes = std::max(max_bytes, fake.engine.pending.bytes()); });
    const std::vector<std::string_view> keys(names.begin(), names.end());
    CHECK(engine::erase(fake.engine, keys) == 5'000);
    CHECK(max_bytes > 0);
    CHECK(max_bytes < 256 * KiB);  // the limit, plus one batch of removals
    CHECK(fake.file->keys().empty());
    fake.faults->heal();
  }

  TEST_CASE("erase does not try again for each key after the store refused") {
    FakeEngine fake(with_small_queue());
    REQUIRE(fake.open().ok());
    const auto names = test::numbered("k", 500);
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    const std::vector<std::string_view> keys(names.begin(), names.end());
    CHECK(engine::erase(fake.engine, keys) == 0);
    CHECK(fake.faults->calls(Call::begin) < 20);
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.recorded->count(NoticeKind::removal_uncommitted) == 1);
  }

  TEST_CASE("erase counts a pending or stored entry once") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    CHECK(fake.erase("a") == 1);
    CHECK(fake.erase("a") == 0);
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    fake.put("a", "2");
    CHECK(fake.erase("a") == 1);
    CHECK_FALSE(fake.file->has("a"));
    CHECK_FALSE(fake.get("a"));
  }

  TEST_CASE("erase of an expired entry counts nothing and frees its bytes") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("stored", "1", {kSecond, kSecond, kSecond});
    REQUIRE(fake.worker.flush().ok());
    fake.put("pending", "1", {kSecond, kSecond, kSecond});
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.erase("stored") == 0);
    CHECK(fake.erase("pending") == 0);
    CHECK(fake.file->keys().empty());
    CHECK(fake.engine.bytes == 0);
  }

  TEST_CASE("erase of a result of a retired calculation counts nothing") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "");
    test::FakeRow row;
    row.calculation_id = words->id;
    fake.file->plant("a", row);
    fake.engine.catalog.renew(words);
    CHECK(fake.erase("a") == 0);
    CHECK_FALSE(fake.file->has("a"));
  }

  TEST_CASE("erase of a key whose removal is queued already counts nothing") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    CHECK(fake.erase("a") == 0);  // the removal stays queued
    fake.faults->heal();
    CHECK(fake.erase("a") == 0);
    CHECK_FALSE(fake.file->has("a"));
  }

  TEST_CASE("a range removal removes and counts pending and stored rows") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put_all({"Post:1", "Post:2", "Other:1"}, "1");
    REQUIRE(fake.worker.flush().ok());
    fake.put("Post:3", "1");
    auto range = std::make_shared<engine::Range>();
    range->kind = engine::Range::Kind::erase_prefix;
    range->prefix = "Post:";
    CHECK(engine::run_range(fake.engine, range));
    CHECK(range->removed == 3);
    CHECK(fake.file->keys() == std::vector<std::string>{"Other:1"});
  }

  TEST_CASE("a removal that the store refuses hides its keys and stays queued") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put_all({"Post:1", "Post:2", "a"}, "1");
    REQUIRE(fake.worker.flush().ok());
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    bool one_key = true;
    SUBCASE("removal of one key") {}
    SUBCASE("removal of a range") { one_key = false; }
    if (one_key) {
      CHECK(fake.erase("Post:1") == 0);
    } else {
      auto range = std::make_shared<engine::Range>();
      range->kind = engine::Range::Kind::erase_prefix;
      range->prefix = "Post:";
      CHECK_FALSE(engine::run_range(fake.engine, range));
      CHECK_FALSE(fake.get("Post:2"));
    }
    CHECK_FALSE(fake.get("Post:1"));
    CHECK(fake.get("a") == "1");
    CHECK(fake.file->has("Post:1"));
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(fake.file->has("Post:1"));
    CHECK(fake.file->has("Post:2") == one_key);
    CHECK(fake.recorded->count(NoticeKind::removal_uncommitted) == 1);
  }

  TEST_CASE("a failed recount does not count as an uncommitted removal") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    auto range = std::make_shared<engine::Range>();
    range->kind = engine::Range::Kind::recount;
    CHECK_FALSE(engine::run_range(fake.engine, range));
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.recorded->count(NoticeKind::removal_uncommitted) == 0);
  }

  TEST_CASE("too many waiting removals become one removal of everything while the store refuses") {
    FakeEngine fake(with_small_queue());
    REQUIRE(fake.open().ok());
    fake.put_all({"a", "b"}, "old");
    REQUIRE(fake.worker.flush().ok());
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    fake.put("a", "pending");
    const std::vector<std::string> keys = test::numbered(std::string(900, 'k'), 70);
    CHECK(fake.erase(keys[0]) == 0);
    fake.clock->advance(std::chrono::seconds(1));
    for (const std::string& key : keys) CHECK(fake.erase(key) == 0);
    CHECK(fake.engine.pending.bytes() <= 128 * KiB);
    CHECK_FALSE(fake.get("a"));
    CHECK_FALSE(fake.get("b"));
    CHECK(fake.engine.counters.dropped.get() == 1);
    CHECK(fake.put("a", "new") == 1);
    CHECK(fake.get("a") == "new");
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("a") == "new");
    CHECK(fake.file->keys() == std::vector<std::string>{"a"});
    CHECK(fake.engine.pending.bytes() == 0);
    CHECK(fake.recorded->count(NoticeKind::everything_removed) == 1);
  }

  TEST_CASE("a put whose value a removal ends before the commit counts as kept") {
    Options options = FakeEngine::manual();
    options.durability = Durability::commit;
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    std::function<void()> remove = [&] { CHECK(fake.erase("a") == 1); };
    SUBCASE("of its key") {}
    SUBCASE("of a prefix") {
      remove = [&] { fake.queue_removal("a"); };
    }
    {
      const test::AtTestPoints points([&](std::string_view point) {
        if (point == "change: queued" && remove) std::exchange(remove, nullptr)();
      });
      CHECK(fake.put("a", "1") == 1);
    }
    CHECK_FALSE(fake.get("a"));
    CHECK_FALSE(fake.file->has("a"));
  }

  TEST_CASE("erase of keys and ranges waits for all of them") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put_all({"Post:1", "Post:2", "a", "b"}, "1");
    REQUIRE(fake.worker.flush().ok());
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    fake.queue_removal("Post:");
    CHECK_FALSE(fake.worker.flush().ok());
    fake.faults->heal();
    auto range = std::make_shared<engine::Range>();
    range->kind = engine::Range::Kind::erase_prefix;
    range->prefix = "Post:";
    const std::string_view key = "a";
    CHECK(engine::erase(fake.engine, std::span(&key, 1), std::span(&range, 1)) == 1);
    CHECK(range->done);
    CHECK(range->removed == 0);  // the removal before it removed both
    CHECK(fake.file->keys() == std::vector<std::string>{"b"});
  }
}
