#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support/allocations.hpp"
#include "support/fake_engine.hpp"

// When hooks are called, which arguments they receive and how they may use the cache.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;

namespace {

using Removals = std::vector<std::pair<std::string, RemovalCause>>;

/// An open engine with a removal hook that may use the engine.
struct Listening {
  explicit Listening(std::function<void(const Removal&)> on_removal,
                     Options options = FakeEngine::manual()) {
    options.hooks.on_removal = std::move(on_removal);
    fake = std::make_unique<FakeEngine>(std::move(options));
    REQUIRE(fake->open().ok());
  }
  FakeEngine* operator->() { return fake.get(); }
  std::unique_ptr<FakeEngine> fake;
};

/// Erases `key` while one allocation fails, the one after `before` others. Returns false if there
/// were fewer allocations.
bool erase_without_memory(FakeEngine& fake, std::string_view key, std::int64_t before) {
  const test::FailingAllocation failing(before);
  try {
    static_cast<void>(fake.erase(key));
  } catch (const std::bad_alloc&) {
  }
  return failing.has_failed();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the removal hook receives keys and causes in order after the commit") {
    Removals reported;
    Options options = FakeEngine::manual();
    options.eviction = Eviction::fifo;
    FakeEngine* cache = nullptr;
    Listening fake(
        [&](const Removal& removal) {
          reported.emplace_back(removal.key, removal.cause);
          CHECK_FALSE(cache->file->has(std::string(removal.key) + " is being removed"));
          if (removal.cause != RemovalCause::replaced) CHECK_FALSE(cache->file->has(removal.key));
        },
        options);
    cache = fake.fake.get();
    fake->put_all({"a", "b", "c"}, "1");
    fake->put("due", "1", {1, 1, 1});
    REQUIRE(fake->worker.flush().ok());
    CHECK(reported.empty());
    fake->put("a", "2");
    REQUIRE(fake->worker.flush().ok());
    CHECK(fake->erase("b") == 1);
    fake->clock->advance(std::chrono::seconds(1));
    static_cast<void>(fake->worker.run(0));
    fake->engine.limits.set({1, unlimited, MiB});
    REQUIRE(fake->worker.flush().ok());
    CHECK(reported == Removals{{"a", RemovalCause::replaced},
                               {"b", RemovalCause::erased},
                               {"due", RemovalCause::expired},
                               {"a", RemovalCause::evicted}});
  }

  TEST_CASE("the removal hook receives each key that a range removal erases") {
    Removals reported;
    Listening fake(
        [&](const Removal& removal) { reported.emplace_back(removal.key, removal.cause); });
    fake->put_all({"a", "b"}, "1");
    REQUIRE(fake->worker.flush().ok());
    fake->queue_removal({});
    REQUIRE(fake->worker.flush().ok());
    CHECK(reported == Removals{{"a", RemovalCause::erased}, {"b", RemovalCause::erased}});
  }

  TEST_CASE("the removal hook receives nothing from a failed transaction") {
    int reported = 0;
    Listening fake([&](const Removal&) { ++reported; });
    fake->put("a", "1");
    REQUIRE(fake->worker.flush().ok());
    fake->put("a", "2");
    fake->faults->fail(Call::commit, FailureKind::io);
    CHECK_FALSE(fake->worker.flush().ok());
    CHECK(reported == 0);
    REQUIRE(fake->worker.flush().ok());
    CHECK(reported == 1);
  }

  TEST_CASE("a hook that throws does no harm and is counted and reported once") {
    int reported = 0;
    Listening fake([&](const Removal&) {
      ++reported;
      throw std::runtime_error("not now");
    });
    fake->put_all({"a", "b", "c"}, "1");
    REQUIRE(fake->worker.flush().ok());
    fake->put_all({"a", "b", "c"}, "2");
    REQUIRE(fake->worker.flush().ok());
    CHECK(reported == 3);
    CHECK(fake->engine.counters.worker_errors.get() == 3);
    CHECK(fake->recorded->count(NoticeKind::listener_failed) == 1);
    CHECK(fake->get("a") == "2");
  }

  TEST_CASE("an error hook that always throws is not called endlessly") {
    Options options = FakeEngine::manual();
    int reported = 0;
    options.hooks.on_error = [&reported](const Notice&) {
      ++reported;
      throw 5;
    };
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    fake.faults->fail(Call::begin, FailureKind::busy);
    CHECK_FALSE(fake.worker.flush().ok());
    REQUIRE(fake.worker.flush().ok());
    CHECK(reported == 3);  // busy, listener_failed, recovered
  }

  TEST_CASE("hooks receive later removals after memory ran out for one") {
    for (const bool hook_throws : {false, true}) {
      CAPTURE(hook_throws);
      bool failed = true;
      for (std::int64_t before = 0; failed; ++before) {
        CAPTURE(before);
        int reported = 0;
        Listening fake([&](const Removal&) {
          ++reported;
          if (hook_throws) throw 5;
        });
        fake->put_all({"a", "b"}, "1");
        REQUIRE(fake->worker.flush().ok());
        failed = erase_without_memory(*fake.fake, "a", before);
        REQUIRE(fake->worker.flush().ok());
        reported = 0;
        CHECK(fake->erase("b") == 1);
        CHECK(reported == 1);
      }
    }
  }

  TEST_CASE("a hook may read and write its cache and never waits") {
    FakeEngine* cache = nullptr;
    bool in_hook = false;
    std::size_t erased = 99;
    std::optional<std::string> read;
    Options options = FakeEngine::manual();
    options.durability = Durability::commit;
    std::size_t taken = 99;
    Listening fake(
        [&](const Removal& removal) {
          if (removal.key != "a") return;
          in_hook = cache->worker.is_in_hook();
          read = cache->get("b");
          taken = cache->put("from the hook", "1");
          erased = cache->erase("b");
        },
        options);
    cache = fake.fake.get();
    fake->put_all({"a", "b"}, "1");
    CHECK(fake->erase("a") == 1);
    CHECK(in_hook);
    CHECK(read == "1");
    CHECK(taken == 0);   // the value is not yet in the file when `put` returns
    CHECK(erased == 1);  // the entry existed for this process
    CHECK_FALSE(fake->worker.is_in_hook());
    CHECK_FALSE(fake->get("b"));
    CHECK(fake->get("from the hook") == "1");
    REQUIRE(fake->worker.flush().ok());
    CHECK(fake->file->keys() == std::vector<std::string>{"from the hook"});
  }

  TEST_CASE("a put inside a hook is dropped when the queue is full") {
    FakeEngine* cache = nullptr;
    std::size_t taken = 0;
    Options options = FakeEngine::manual();
    options.queue_bytes = 64 * KiB;
    Listening fake(
        [&](const Removal& removal) {
          if (removal.key == "a") {
            taken = cache->put_all(test::numbered("k", 40), std::string(4'000, 'x'));
          }
        },
        options);
    cache = fake.fake.get();
    fake->put("a", "1");
    REQUIRE(fake->worker.flush().ok());
    CHECK(fake->erase("a") == 1);
    CHECK(taken > 5);
    CHECK(taken < 20);
    CHECK(fake->engine.counters.dropped.get() == 40 - static_cast<std::int64_t>(taken));
  }

  TEST_CASE("a range removal inside a hook is queued and returns at once") {
    FakeEngine* cache = nullptr;
    bool done = true;
    Listening fake([&](const Removal& removal) {
      if (removal.key != "a") return;
      auto range = std::make_shared<engine::Range>();
      done = engine::run_range(cache->engine, range);
    });
    cache = fake.fake.get();
    fake->put_all({"a", "b"}, "1");
    REQUIRE(fake->worker.flush().ok());
    CHECK(fake->erase("a") == 1);
    CHECK_FALSE(done);
    CHECK_FALSE(fake->get("b"));
    REQUIRE(fake->worker.flush().ok());
    CHECK(fake->file->keys().empty());
  }

  TEST_CASE("removals by a hook are delivered after the queued ones and not inside the hook") {
    FakeEngine* cache = nullptr;
    std::vector<std::string> reported;
    int depth = 0;
    Listening fake([&](const Removal& removal) {
      CHECK(++depth == 1);
      reported.emplace_back(removal.key);
      if (removal.key == "a") CHECK(cache->erase("c") == 1);
      --depth;
    });
    cache = fake.fake.get();
    fake->put_all({"a", "b", "c"}, "1");
    REQUIRE(fake->worker.flush().ok());
    const std::vector<std::string_view> keys{"a", "b"};
    CHECK(engine::erase(fake->engine, keys) == 2);
    REQUIRE(fake->worker.flush().ok());
    CHECK(reported == std::vector<std::string>{"a", "b", "c"});
  }

  TEST_CASE("a hook hands work to another cache without running its maintenance") {
    FakeEngine other;
    REQUIRE(other.open().ok());
    other.put_all({"x", "y", "z"}, "1");
    REQUIRE(other.worker.flush().ok());
    const int begun = other.faults->calls(Call::begin);
    std::size_t erased = 0;
    bool range_done = true;
    Listening fake([&](const Removal&) {
      erased = other.erase("x");
      auto range = std::make_shared<engine::Range>();
      range->kind = engine::Range::Kind::erase_prefix;
      range->prefix = "y";
      range_done = engine::run_range(other.engine, range);
      CHECK(other.put("new", "2") == 1);
    });
    fake->put("a", "1");
    REQUIRE(fake->worker.flush().ok());
    CHECK(fake->erase("a") == 1);
    CHECK(erased == 1);  // the entry existed for this process
    CHECK_FALSE(range_done);
    CHECK(other.faults->calls(Call::begin) == begun);
    CHECK_FALSE(other.get("x"));
    CHECK_FALSE(other.get("y"));
    REQUIRE(other.worker.flush().ok());
    CHECK(other.file->keys() == std::vector<std::string>{"new", "z"});
  }

  TEST_CASE("a hook that opens and closes a cache is still inside a hook") {
    using maintenance::Events;
    bool inside = false;
    bool after = false;
    Listening fake([&](const Removal&) {
      {
        Listening own([&](const Removal&) { inside = Events::is_in_hook(); });
        own->put("x", "1");
        REQUIRE(own->worker.flush().ok());
        CHECK(own->erase("x") == 1);
      }  // calls the hook of `own`
      after = Events::is_in_hook();
    });
    fake->put("a", "1");
    REQUIRE(fake->worker.flush().ok());
    CHECK(fake->erase("a") == 1);
    CHECK(inside);
    CHECK(after);
    CHECK_FALSE(Events::is_in_hook());
  }

  TEST_CASE("removed keys are not collected without a removal hook") {
    FakeEngine fake;
    CHECK_FALSE(maintenance::Events(fake.engine).wants_removals());
    Listening listening([](const Removal&) {});
    CHECK(maintenance::Events(listening->engine).wants_removals());
  }
}
