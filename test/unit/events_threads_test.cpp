#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

// Who tells the hooks where several threads bring what is to be told.

using namespace ashmemo;
using test::FakeEngine;

namespace {

constexpr std::size_t kMax = maintenance::Events::kMax;

struct Listening : FakeEngine {
  explicit Listening(std::function<void(const Removal&)> on_removal, Options options = manual())
      : FakeEngine(with(std::move(on_removal), std::move(options))) {
    REQUIRE(open().ok());
    worker.start();
  }

 private:
  static Options with(std::function<void(const Removal&)> on_removal, Options options) {
    options.hooks.on_removal = std::move(on_removal);
    return options;
  }
};

Options threaded() {
  Options options = FakeEngine::manual();
  options.hooks.worker = WorkerMode::thread;
  options.timing.flush_interval = std::chrono::minutes(10);
  return options;
}

/// The worker's thread commits another value of the key.
void replace(FakeEngine& cache, std::string_view key) {
  const std::int64_t before = cache.engine.counters.replaced.get();
  CHECK(cache.put(key, "another") == 1);
  while (cache.engine.counters.replaced.get() == before) {
    cache.worker.wake_now();
    std::this_thread::yield();
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a flush tells what there is when it is done, and leaves the rest to the thread") {
    constexpr int kTooMany = 50;
    const std::thread::id flusher = std::this_thread::get_id();
    std::atomic<FakeEngine*> cache{nullptr};
    std::atomic<int> here{0};
    std::atomic<int> told{0};
    std::atomic<bool> closing{false};  // then the thread is gone, and this one tells what it left
    Listening fake(
        [&](const Removal&) {
          ++told;
          if (std::this_thread::get_id() != flusher || closing || ++here >= kTooMany) return;
          replace(*cache, "k");  // so there is always more
        },
        threaded());
    cache = &fake;
    while (here == 0) {  // or else the thread was quicker
      CHECK(fake.put("k", "1") == 1);
      REQUIRE(fake.worker.flush().ok());
    }
    CHECK(here < kTooMany);
    closing = true;
    fake.close();
    CHECK(told == fake.engine.counters.replaced.get());
  }

  TEST_CASE("who brings more while too much waits to be told waits, and then tells the rest") {
    const test::Watchdog watchdog("hooks that are slow");
    test::Events events;
    const test::AtTestPoints points([&events](std::string_view point) {
      if (point == "events: waits") events.happened("waits");
    });
    std::vector<std::string> told;
    std::thread::id first;
    std::size_t told_by_first = 0;
    Listening fake([&](const Removal& removal) {
      if (removal.key == "first") {
        first = std::this_thread::get_id();
        events.happened("in the hook");
        events.wait_for("go on");
      }
      told_by_first += std::this_thread::get_id() == first ? 1U : 0U;
      told.emplace_back(removal.key);
    });
    const std::vector<std::string> keys = test::numbered("k", static_cast<int>(kMax));
    fake.put("first", "1");
    fake.put_all(keys, "1");
    REQUIRE(fake.worker.flush().ok());
    std::thread telling([&fake] { CHECK(fake.erase("first") == 1); });
    events.wait_for("in the hook");
    CHECK(fake.worker.drain());
    fake.put_all(keys, "2");
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(fake.worker.drain());
    std::thread waiting([&fake] { CHECK(fake.worker.flush().ok()); });
    events.wait_for("waits");
    CHECK(told.empty());
    events.happened("go on");
    telling.join();
    waiting.join();
    CHECK(told_by_first == 1);
    REQUIRE(told.size() == kMax + 1);
    CHECK(told.front() == "first");
    CHECK(std::equal(told.begin() + 1, told.end(), keys.begin()));
  }

  TEST_CASE("a removal waits for a hook no longer than for a store that refuses to write") {
    const test::Watchdog watchdog("a hook that waits for who removes");
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "by hand"));
      test::Events events;
      Options options = thread ? threaded() : FakeEngine::manual();
      options.timing.max_wait = std::chrono::milliseconds(1);
      Listening fake(
          [&](const Removal& removal) {
            if (removal.key != "first") return;
            events.happened("in the hook");
            events.wait_for("removed");
          },
          options);
      const std::vector<std::string> keys = test::numbered("k", static_cast<int>(kMax));
      fake.put("first", "1");
      fake.put_all(keys, "1");
      REQUIRE(fake.worker.flush().ok());
      std::thread telling([&fake] {
        fake.put("first", "2");
        (void)fake.worker.flush();
      });
      events.wait_for("in the hook");
      fake.put_all(keys, "2");
      REQUIRE(fake.worker.flush().ok());  // so that too much waits to be told
      (void)fake.erase("k1");
      CHECK(fake.get("k1") == std::nullopt);
      events.happened("removed");
      telling.join();
      REQUIRE(fake.worker.flush().ok());
      CHECK_FALSE(fake.file->has("k1"));
      fake.close();
    }
  }
}
