#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"
#include "support/rendezvous.hpp"

// The worker with its thread, on clocks that do not advance. Most useful under ThreadSanitizer.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;

namespace {

Options threaded() {
  Options options = FakeEngine::manual();
  options.hooks.worker = WorkerMode::thread;
  options.timing.flush_interval = std::chrono::milliseconds(1);
  return options;
}

constexpr auto kMaxWait = std::chrono::milliseconds(50);

Options with_max_wait() {
  Options options = threaded();
  options.timing.max_wait = kMaxWait;
  return options;
}

/// The duration of the call on the system clock. It is at least as long as any wait in the call.
std::chrono::steady_clock::duration time_of(const std::function<void()>& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::steady_clock::now() - begin;
}

struct Cache : FakeEngine {
  explicit Cache(Options options = threaded()) : FakeEngine(std::move(options)) {
    REQUIRE(open().ok());
    REQUIRE(worker.start().ok());
  }
};

void in_threads(int threads, const std::function<void(int)>& work) {
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) running.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : running) thread.join();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the worker thread commits without a flush") {
    Cache cache;
    for (const std::string& key : test::numbered("k", 50)) CHECK(cache.put(key, "1") == 1);
    CHECK(cache.erase("k50") == 1);
    CHECK_FALSE(cache.file->has("k50"));
    while (!cache.engine.pending.empty()) std::this_thread::yield();
    CHECK(cache.file->keys().size() == 49);
    CHECK(cache.file->state()->totals == cache.file->counted());
  }

  TEST_CASE("a put with commit durability waits for the worker thread") {
    Options options = threaded();
    options.durability = Durability::commit;
    Cache cache(options);
    for (const std::string& key : test::numbered("k", 20)) {
      CHECK(cache.put(key, "1") == 1);
      CHECK(cache.file->has(key));
    }
  }

  TEST_CASE("a removal waits for max_wait of system time if its clock does not advance") {
    Cache cache(with_max_wait());
    CHECK(cache.put("a", "1") == 1);
    REQUIRE(cache.worker.flush().ok());
    cache.faults->fail_always(Call::begin, FailureKind::busy);
    CHECK(time_of([&] { CHECK(cache.erase("a") == 0); }) >= kMaxWait);
    CHECK_FALSE(cache.get("a"));
    CHECK(cache.file->has("a"));
    const auto all = std::make_shared<engine::Range>();
    CHECK(time_of([&] { CHECK_FALSE(engine::run_range(cache.engine, all)); }) >= kMaxWait);
    cache.faults->heal();
    REQUIRE(cache.worker.flush().ok());
    CHECK_FALSE(cache.file->has("a"));
  }

  TEST_CASE(
      "a put into a full queue waits for max_wait of system time if its clock does not advance") {
    Options options = with_max_wait();
    options.queue_bytes = 64 * KiB;
    Cache cache(options);
    cache.faults->fail_always(Call::begin, FailureKind::busy);
    std::size_t taken = 0;
    CHECK(time_of([&] {
            taken = cache.put_all(test::numbered("k", 40), std::string(4'000, 'x'));
          }) >= kMaxWait);
    CHECK(taken < 20);
    CHECK(cache.engine.counters.dropped.get() == 40 - static_cast<std::int64_t>(taken));
  }

  TEST_CASE("a put waits while the worker frees space in the queue") {
    Options options = threaded();
    options.queue_bytes = 64 * KiB;
    options.timing.max_wait = std::chrono::minutes(10);
    Cache cache(options);
    CHECK(cache.put_all(test::numbered("k", 200), std::string(4'000, 'x')) == 200);
    CHECK(cache.engine.counters.dropped.get() == 0);
  }

  TEST_CASE("a removal waits until the file is no longer busy") {
    Options options = threaded();
    options.timing.max_wait = std::chrono::minutes(10);
    Cache cache(options);
    CHECK(cache.put("a", "1") == 1);
    REQUIRE(cache.worker.flush().ok());
    cache.faults->fail(Call::begin, FailureKind::busy, 1, 3);
    CHECK(cache.erase("a") == 1);
    CHECK_FALSE(cache.file->has("a"));
  }

  TEST_CASE("all intervals can be infinite") {
    Options options = threaded();
    options.timing.flush_interval = Duration::max();
    options.timing.maintenance_interval = Duration::max();
    options.timing.touch_interval = Duration::max();
    options.timing.max_wait = Duration::max();
    options.timing.close_wait = Duration::max();
    Cache cache(options);
    CHECK(cache.put("a", "1") == 1);
    CHECK(cache.get("a"));
    CHECK(cache.erase("a") == 1);
    REQUIRE(cache.worker.flush().ok());
    cache.close();
  }

  TEST_CASE("a write that waits for flush_interval does not delay other work") {
    Options options = threaded();
    options.memory_bytes = 0;  // without a tier the thread looks for no changes
    options.timing.flush_interval = Duration::max();
    options.timing.maintenance_interval = Duration::max();
    options.timing.max_wait = std::chrono::minutes(10);
    bool calls = false;
    std::int64_t free_pages = 0;
    SUBCASE("work in several steps") { free_pages = 1'000'000; }
    SUBCASE("work that a caller requests") { calls = true; }
    SUBCASE("work at maintenance_interval") {
      options.timing.maintenance_interval = std::chrono::milliseconds(1);
    }
    FakeEngine* cache = nullptr;
    test::Events events;
    options.hooks.on_removal = [&](const Removal&) {  // runs after the pass of the thread
      events.wait_for("no caller waits");
      cache->put("late", "1");
      if (calls) cache->worker.wake_now();
    };
    FakeEngine fake(options);
    cache = &fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    fake.file->file_bytes = 5 * GiB;
    fake.file->free_pages = free_pages;
    fake.faults->before(Call::put, [&events] { events.happened("late is written"); });
    REQUIRE(fake.worker.start().ok());
    CHECK(fake.erase("a") == 1);
    events.happened("no caller waits");
    events.wait_for("late is written");
    fake.close();
    CHECK(fake.file->has("late"));
  }

  TEST_CASE("close ends the thread, writes accepted entries and wakes waiting callers") {
    for (int round = 0; round < 10; ++round) {
      Options options = threaded();
      options.durability = Durability::commit;
      Cache cache(options);
      std::atomic<int> running{3};
      std::atomic<std::size_t> in_file{0};
      std::thread closer([&] {
        while (running == 3) std::this_thread::yield();
        cache.close();
      });
      in_threads(3, [&](int thread) {
        for (const std::string& key : test::numbered(std::to_string(thread) + ":", 200)) {
          in_file += cache.put(key, "1");
          if (key.ends_with("5")) static_cast<void>(cache.erase("nothing"));
          running = 2;
        }
      });
      closer.join();
      CHECK(cache.file->keys().size() == in_file);
      CHECK(cache.engine.pending.empty());
      CHECK(cache.engine.pending.bytes() == 0);
      CHECK(cache.file->open_stores == 0);
    }
  }

  TEST_CASE("threads that put, read and remove see correct values while the file sometimes fails") {
    constexpr int kThreads = 3;
    constexpr int kEach = 400;
    constexpr int kKeys = 8;
    Options options = threaded();
    options.timing.max_wait = std::chrono::minutes(10);
    options.limits.max_entries = 1'000;
    std::atomic<int> removals{0};
    options.hooks.on_removal = [&removals](const Removal&) { ++removals; };
    Cache cache(options);
    std::vector<std::vector<std::string>> last(kThreads, std::vector<std::string>(kKeys));
    std::atomic<int> wrong{0};
    std::atomic<int> running{kThreads};
    std::thread breaker([&] {
      std::mt19937 random(11);
      const std::array<Call, 5> calls{Call::begin, Call::put, Call::commit, Call::read,
                                      Call::delete_key};
      while (running > 0) {
        cache.faults->fail(calls[random() % calls.size()], FailureKind::busy,
                           1 + static_cast<int>(random() % 9));
        static_cast<void>(cache.worker.flush().ok());
        static_cast<void>(cache.worker.run(0));
      }
    });
    in_threads(kThreads, [&](int thread) {
      std::mt19937 random(static_cast<unsigned>(thread));
      auto& mine = last[static_cast<std::size_t>(thread)];
      for (int i = 0; i < kEach; ++i) {
        const std::size_t k = random() % kKeys;
        const std::string key = std::to_string(thread) + ":" + std::to_string(k);
        if (random() % 4 == 0) {
          static_cast<void>(cache.erase(key));
          mine[k].clear();
        } else {
          mine[k] = std::to_string(i);
          wrong += cache.put(key, mine[k]) == 1 ? 0 : 1;
        }
        // A failed read is a miss. A successful read never returns an old value.
        const auto read = cache.get(key);
        wrong += !read || *read == mine[k] ? 0 : 1;
      }
      --running;
    });
    breaker.join();
    cache.faults->heal();
    REQUIRE(cache.worker.flush().ok());
    CHECK(wrong == 0);
    for (int thread = 0; thread < kThreads; ++thread) {
      for (std::size_t k = 0; k < kKeys; ++k) {
        const std::string key = std::to_string(thread) + ":" + std::to_string(k);
        const std::string& wanted = last[static_cast<std::size_t>(thread)][k];
        CHECK(cache.get(key).value_or("") == wanted);
      }
    }
    CHECK(cache.file->state()->totals == cache.file->counted());
    cache.close();
    const engine::Counters& counters = cache.engine.counters;
    CHECK(removals == counters.erased.get() + counters.replaced.get() + counters.evicted.get() +
                          counters.expired.get());
  }
}
