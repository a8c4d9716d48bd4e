#include <string>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"
#include "support/rendezvous.hpp"

// While there is no store the memory tier is all there is.

using namespace ashmemo;
using base::FailureKind;
using test::AtTestPoints;
using test::FakeEngine;

namespace {

/// An engine that found no place for its file.
struct Homeless : FakeEngine {
  explicit Homeless(Options options = manual()) : FakeEngine(std::move(options)) {
    worker.start_without_store({FailureKind::io, 0, "no such folder"});
    REQUIRE_FALSE(engine.store.get());
  }

  /// There is a place again.
  void find_home() {
    clock->advance(std::chrono::minutes(1));
    (void)worker.run(0);
    REQUIRE(engine.store.get());
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("66 without a store what is put is not taken, but memory has it") {
    Homeless fake;
    CHECK(fake.put("k", "1") == 0);
    CHECK(fake.get("k") == "1");
    CHECK(fake.put("k", "2") == 0);
    CHECK(fake.get("k") == "2");
    CHECK_FALSE(fake.get("other").has_value());
    CHECK(fake.engine.counters.dropped.get() == 2);
    CHECK(fake.ask({.key = "k"}).in_memory);
    CHECK(fake.engine.access_buffer.empty());  // there is no row to touch
  }

  TEST_CASE("without a store and without a memory tier every read misses") {
    Options options = FakeEngine::manual();
    options.memory_bytes = 0;
    Homeless fake(options);
    CHECK(fake.put("k", "1") == 0);
    CHECK_FALSE(fake.get("k").has_value());
  }

  TEST_CASE("48 without a store an invalidated result does not hide the valid one") {
    Homeless fake;
    const auto words = fake.engine.catalog.add("Post", "words", 1, "");
    const auto put = [&fake](std::int64_t calculation_id, const std::string& text) {
      std::vector<engine::NewEntry> entries(1);
      entries[0].key = "Post:1:words";
      entries[0].value = Value::text(text);
      entries[0].calculation_id = calculation_id;
      (void)engine::put(fake.engine, entries);
    };
    const std::int64_t before = words->id;
    (void)fake.engine.catalog.renew(words);
    put(words->id, "valid");
    put(before, "late");
    CHECK(fake.get("Post:1:words") == "valid");
  }

  TEST_CASE("what memory alone has expires and can be erased") {
    Homeless fake;
    fake.put("short", "1", {.fresh = 1'000'000, .serve = 1'000'000, .keep = 1'000'000});
    fake.put("k", "1");
    CHECK(fake.get("short") == "1");
    fake.clock->advance(std::chrono::seconds(1));
    CHECK_FALSE(fake.get("short").has_value());
    (void)fake.erase("k");
    CHECK_FALSE(fake.get("k").has_value());
    fake.put("k", "2");
    CHECK(fake.get("k") == "2");
    (void)fake.queue_removal("");
    CHECK_FALSE(fake.get("k").has_value());
  }

  TEST_CASE("a tier that sleeps answers while there is no store") {
    Homeless fake;
    fake.put("k", "1");
    while (fake.engine.tier_watch.stays_awake(0)) continue;
    CHECK(fake.get("k") == "1");
  }

  TEST_CASE("what memory alone had is forgotten when the store is back") {
    Homeless fake;
    fake.put("k", "1");
    fake.find_home();
    CHECK_FALSE(fake.get("k").has_value());
    CHECK(fake.put("k", "2") == 1);
    CHECK(fake.get("k") == "2");
  }

  TEST_CASE("a store that comes back during a put leaves nothing in memory that it does not have") {
    Homeless fake;
    bool came_back = false;
    {
      const AtTestPoints points([&](std::string_view point) {
        if (point != "memory alone: looked" || came_back) return;
        came_back = true;
        fake.find_home();
      });
      fake.put("k", "1");
    }
    CHECK(came_back);
    CHECK_FALSE(fake.get("k").has_value());
  }

  TEST_CASE("an erase during a put into memory alone wins") {
    Homeless fake;
    {
      bool erased = false;
      const AtTestPoints points([&](std::string_view point) {
        if (point != "memory alone: looked" || std::exchange(erased, true)) return;
        (void)fake.erase("k");
      });
      fake.put("k", "1");
    }
    CHECK_FALSE(fake.get("k").has_value());
  }

  TEST_CASE("a write that was accepted before the store went is not hidden by one that was not") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    CHECK(fake.put("k", "1") == 1);
    fake.engine.store.set(nullptr);
    CHECK(fake.put("k", "2") == 0);
    CHECK(fake.get("k") == "1");
  }
}
