#include <string>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"
#include "support/rendezvous.hpp"

// The memory tier while there is no store.

using namespace ashmemo;
using base::FailureKind;
using test::AtTestPoints;
using test::FakeEngine;

namespace {

/// An engine that could not open its file.
struct WithoutStore : FakeEngine {
  explicit WithoutStore(Options options = manual()) : FakeEngine(std::move(options)) {
    worker.start_without_store({FailureKind::io, 0, "no such folder"});
    REQUIRE_FALSE(engine.store.get());
  }

  /// Advances the clock so that the next pass opens the file.
  void open_store() {
    clock->advance(std::chrono::minutes(1));
    (void)worker.run(0);
    REQUIRE(engine.store.get());
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("without a store a put is refused but the memory tier keeps the value") {
    WithoutStore fake;
    CHECK(fake.put("k", "1") == 0);
    CHECK(fake.get("k") == "1");
    CHECK(fake.put("k", "2") == 0);
    CHECK(fake.get("k") == "2");
    CHECK_FALSE(fake.get("other").has_value());
    CHECK(fake.engine.counters.dropped.get() == 2);
    CHECK(fake.ask({.key = "k"}).in_memory);
    CHECK(fake.engine.access_buffer.empty());  // there is no row to touch
  }

  TEST_CASE("without a store and without a memory tier every read is a miss") {
    Options options = FakeEngine::manual();
    options.memory_bytes = 0;
    WithoutStore fake(options);
    CHECK(fake.put("k", "1") == 0);
    CHECK_FALSE(fake.get("k").has_value());
  }

  TEST_CASE("without a store an invalidated result does not hide the valid one") {
    WithoutStore fake;
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

  TEST_CASE("without a store a value in memory expires and can be erased") {
    WithoutStore fake;
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

  TEST_CASE("without a store a sleeping memory tier answers") {
    WithoutStore fake;
    fake.put("k", "1");
    while (fake.engine.tier_watch.stays_awake(0)) continue;
    CHECK(fake.get("k") == "1");
  }

  TEST_CASE("a value that only memory contained is dropped when the store is back") {
    WithoutStore fake;
    fake.put("k", "1");
    fake.open_store();
    CHECK_FALSE(fake.get("k").has_value());
    CHECK(fake.put("k", "2") == 1);
    CHECK(fake.get("k") == "2");
  }

  TEST_CASE("a put during which the store comes back keeps no value only in memory") {
    WithoutStore fake;
    bool came_back = false;
    {
      const AtTestPoints points([&](std::string_view point) {
        if (point != "memory alone: looked" || came_back) return;
        came_back = true;
        fake.open_store();
      });
      fake.put("k", "1");
    }
    CHECK(came_back);
    CHECK_FALSE(fake.get("k").has_value());
  }

  TEST_CASE("without a store an erase during a put wins") {
    WithoutStore fake;
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

  TEST_CASE("a put that is refused without a store does not hide an accepted put") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    CHECK(fake.put("k", "1") == 1);
    fake.engine.store.set(nullptr);
    CHECK(fake.put("k", "2") == 0);
    CHECK(fake.get("k") == "1");
  }
}
