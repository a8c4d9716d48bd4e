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

// Which thread calls the hooks when several threads produce events.

using namespace ashmemo;
using test::FakeEngine;

namespace {

constexpr std::size_t kMax = maintenance::Events::kMax;

struct Listening : FakeEngine {
  explicit Listening(std::function<void(const Removal&)> on_removal, Options options = manual())
      : FakeEngine(with(std::move(on_removal), std::move(options))) {
    REQUIRE(open().ok());
    REQUIRE(worker.start().ok());
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

/// Puts another value of the key and waits until the worker thread has committed it.
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
  TEST_CASE("a flush delivers the queued events and the worker thread delivers later ones") {
    constexpr int kTooMany = 50;
    const std::thread::id flusher = std::this_thread::get_id();
    std::atomic<FakeEngine*> cache{nullptr};
    std::atomic<int> by_flusher{0};
    std::atomic<int> reported{0};
    // After the worker thread has ended this thread delivers the rest.
    std::atomic<bool> closing{false};
    Listening fake(
        [&](const Removal&) {
          ++reported;
          if (std::this_thread::get_id() != flusher || closing || ++by_flusher >= kTooMany) return;
          replace(*cache, "k");  // so that another event is always queued
        },
        threaded());
    cache = &fake;
    while (by_flusher == 0) {  // again, if the worker thread was quicker
      CHECK(fake.put("k", "1") == 1);
      REQUIRE(fake.worker.flush().ok());
    }
    CHECK(by_flusher < kTooMany);
    closing = true;
    fake.close();
    CHECK(reported == fake.engine.counters.replaced.get());
  }

  TEST_CASE("without a worker thread a flush returns although other threads add events") {
    constexpr int kTooMany = 50;
    std::atomic<FakeEngine*> cache{nullptr};
    int reported = 0;
    Listening fake([&](const Removal&) {
      if (++reported >= kTooMany || cache == nullptr) return;
      std::thread([&cache] {  // its event stays queued, because another thread delivers
        CHECK(cache.load()->put("k", "another") == 1);
        CHECK(cache.load()->worker.flush().ok());
      })
          .join();
    });
    CHECK(fake.put("k", "1") == 1);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.put("k", "2") == 1);
    cache = &fake;
    REQUIRE(fake.worker.flush().ok());
    CHECK(reported == 2);
    REQUIRE(fake.worker.flush().ok());
    CHECK(reported == 4);
    cache = nullptr;
    fake.close();
    CHECK(reported == fake.engine.counters.replaced.get());
  }

  TEST_CASE(
      "a thread with more events waits while the event queue is full and then delivers the rest") {
    const test::Watchdog watchdog("a slow hook");
    test::Events events;
    const test::AtTestPoints points([&events](std::string_view point) {
      if (point == "events: waits") events.happened("waits");
    });
    std::vector<std::string> reported;
    std::thread::id first;
    std::size_t reported_by_first = 0;
    Listening fake([&](const Removal& removal) {
      if (removal.key == "first") {
        first = std::this_thread::get_id();
        events.happened("in the hook");
        events.wait_for("go on");
      }
      reported_by_first += std::this_thread::get_id() == first ? 1U : 0U;
      reported.emplace_back(removal.key);
    });
    const std::vector<std::string> keys = test::numbered("k", static_cast<int>(kMax));
    fake.put("first", "1");
    fake.put_all(keys, "1");
    REQUIRE(fake.worker.flush().ok());
    std::thread erasing([&fake] { CHECK(fake.erase("first") == 1); });
    events.wait_for("in the hook");
    CHECK(fake.worker.run_pending_now());
    fake.put_all(keys, "2");
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(fake.worker.run_pending_now());
    std::thread waiting([&fake] { CHECK(fake.worker.flush().ok()); });
    events.wait_for("waits");
    CHECK(reported.empty());
    events.happened("go on");
    erasing.join();
    waiting.join();
    CHECK(reported_by_first == 1);
    REQUIRE(reported.size() == kMax + 1);
    CHECK(reported.front() == "first");
    CHECK(std::equal(reported.begin() + 1, reported.end(), keys.begin()));
  }

  TEST_CASE("a removal waits for a slow hook at most max_wait") {
    const test::Watchdog watchdog("a hook that waits for a removal");
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "without a thread"));
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
      std::thread erasing([&fake] {
        fake.put("first", "2");
        (void)fake.worker.flush();
      });
      events.wait_for("in the hook");
      fake.put_all(keys, "2");
      REQUIRE(fake.worker.flush().ok());  // now the event queue is full
      (void)fake.erase("k1");
      CHECK(fake.get("k1") == std::nullopt);
      events.happened("removed");
      erasing.join();
      REQUIRE(fake.worker.flush().ok());
      CHECK_FALSE(fake.file->has("k1"));
      fake.close();
    }
  }
}
