// Calls wait for a file that another connection has locked. They wait for exactly max_wait,
// measured by the clock in the options.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

// Much longer than a test takes, so only the manual clock can end a wait.
constexpr auto kMaxWait = 10h;

/// A call on its own thread. Counts how often the call checks whether its wait is over.
class WaitingCall {
 public:
  explicit WaitingCall(const std::function<void()>& call)
      : thread_([this, call] {
          here = this;
          call();
          returned_ = true;
        }) {}
  ~WaitingCall() { thread_.join(); }
  WaitingCall(const WaitingCall&) = delete;
  WaitingCall& operator=(const WaitingCall&) = delete;

  static void at_test_point(std::string_view point) {
    if (here != nullptr && point == "deadline: looks") ++here->checks_;
  }

  /// Waits until the call has made this many checks or has returned. True if it still waits. At the
  /// second check the call has seen the current time.
  [[nodiscard]] bool still_waits(int checks = 2) const {
    const int before = checks_;
    while (!returned_ && checks_ < before + checks) std::this_thread::yield();
    return !returned_;
  }

 private:
  static thread_local WaitingCall* here;

  std::atomic<int> checks_{0};
  std::atomic<bool> returned_{false};
  std::thread thread_;
};

thread_local WaitingCall* WaitingCall::here = nullptr;

/// A cache with a worker thread and a manual clock. Its file contains k0, k1 and k2, and is locked.
struct Locked {
  explicit Locked(Durability durability = Durability::relaxed)
      : f({.durability = durability, .queue_bytes = 64 * KiB}) {
    f.options.hooks.worker = WorkerMode::thread;
    f.options.timing.max_wait = kMaxWait;
    f.fill("k", 3);
    f->flush();
    // The worker thread may still hold the write lock.
    while (f.raw().try_run("BEGIN IMMEDIATE") != 0) std::this_thread::yield();
  }

  void expect_max_wait(const std::function<void()>& call) {
    WaitingCall waiting(call);
    while (f->health().state != HealthState::degraded) std::this_thread::yield();
    CHECK(waiting.still_waits());
    f.clock->advance(kMaxWait - 1us);
    CHECK(waiting.still_waits());
    f.clock->advance(1us);
    expect_end(waiting);
  }
  void expect_no_wait(const std::function<void()>& call) { expect_end(WaitingCall(call)); }

  void expect_end(const WaitingCall& waiting) {
    const bool waits = waiting.still_waits(20);
    CHECK_FALSE(waits);
    if (waits) (void)f.raw().try_run("ROLLBACK");  // ends the call
  }
  void unlock() {
    (void)f.raw().try_run("ROLLBACK");
    f->flush();
  }

  const Watchdog watchdog{"a call that waits for a locked file"};
  const AtTestPoints points{WaitingCall::at_test_point};
  CacheFixture f;
};

struct Call {
  std::string name;
  std::function<void(Cache&)> run;
  int puts = 1;
};

struct Item {
  int id;
};

/// A value. The queue holds only one of this size.
std::string large() { return std::string(60'000, 'x'); }

std::size_t put_three(Cache& cache, const std::string& value) {
  return cache.put_many(
      std::vector<std::pair<std::string, std::string>>{{"a", value}, {"b", value}, {"c", value}});
}

void load_two(Cache& cache) {
  Registry registry(cache);
  auto& items = registry.resource<Item>("Item", &Item::id);
  auto text = items.calculation("text", [](const Item&) { return large(); });
  items.cache_calculation("text", {});
  CHECK(text({{1}, {2}}) == std::vector{large(), large()});
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a call that stores waits for queue space for max_wait in all") {
    const std::vector<Call> calls = {
        {"put", [](Cache& cache) { CHECK_FALSE(cache.put("a", large())); }},
        {"put_many", [](Cache& cache) { CHECK(put_three(cache, large()) == 0); }, 3},
        {"get_or_compute",
         [](Cache& cache) { CHECK(cache.get_or_compute("a", large) == large()); }},
        {"a load", load_two, 2},
    };
    for (const Call& call : calls) {
      INFO(call.name);
      Locked locked;
      CHECK(locked.f->put("large", large()));
      locked.expect_max_wait([&] { call.run(locked.f.cache()); });
      CHECK(locked.f->stats().dropped == call.puts);
      locked.unlock();
      CHECK(locked.f.in_file("large"));
      CHECK(locked.f.rows_in_file() == 4);
    }
  }

  TEST_CASE("after one call found the queue full no call waits for space until the file accepts") {
    const std::string value(10'000, 'x');
    const auto load = [&value](Cache& cache, const std::string& key) {
      CHECK(cache.get_or_compute(key, [&value] { return value; }) == value);
    };
    Locked locked;
    CHECK(locked.f->put("large", large()));
    locked.expect_max_wait([&] { load(locked.f.cache(), "first"); });
    for (const std::string& key : numbered("next", 20)) {
      locked.expect_no_wait([&] { load(locked.f.cache(), key); });
      locked.expect_no_wait([&] { CHECK_FALSE(locked.f->put("put " + key, value)); });
    }
    CHECK(locked.f->stats().dropped == 41);
    locked.unlock();
    CHECK(locked.f.in_file("large"));
    CHECK(locked.f->put("large", large()));
    CHECK(locked.f->put("later", value));  // waits until the worker has written the large one
  }

  TEST_CASE("a result that finds the queue full is kept in memory and not computed again") {
    const std::string value(10'000, 'x');
    Locked locked;
    CHECK(locked.f->put("large", large()));
    locked.expect_max_wait([&] { CHECK_FALSE(locked.f->put("k0", value)); });
    CHECK(locked.f->contains("k0"));
    CHECK(locked.f->get<std::string>("k0") !=
          value);  // a put that was not accepted does not answer
    int computed = 0;
    const auto load = [&] {
      CHECK(locked.f->get_or_compute("a", [&] { return ++computed, value; }) == value);
    };
    for (int i = 0; i < 10; ++i) load();
    CHECK(computed == 1);
    CHECK(locked.f->erase("a") == 0);
    load();
    CHECK(computed == 2);
    locked.unlock();
    CHECK_FALSE(locked.f.in_file("a"));
  }

  TEST_CASE("another caller gets a computed value while its owner waits for queue space") {
    Locked locked;
    CHECK(locked.f->put("large", large()));
    const auto joins = [&] {
      int computed = 0;
      CHECK(locked.f->get_or_compute("a", [&] { return ++computed, std::string(); }) == large());
      CHECK(computed == 0);
    };
    {
      WaitingCall first([&] { CHECK(locked.f->get_or_compute("a", large) == large()); });
      CHECK(first.still_waits());
      locked.expect_no_wait(joins);
      CHECK(first.still_waits());
      locked.f.clock->advance(kMaxWait);
      locked.expect_end(first);
    }
    CHECK(locked.f->stats().dropped == 1);
    locked.unlock();
  }

  TEST_CASE("a removal waits until the file has refused writes for max_wait and stays queued") {
    const std::vector<Call> calls = {
        {"erase", [](Cache& cache) { (void)cache.erase("k1"); }},
        {"erase_many",
         [](Cache& cache) {
           (void)cache.erase_many({"k0", "k1", "k2"});
         }},
        {"erase_prefix", [](Cache& cache) { (void)cache.erase_prefix("k1"); }},
        {"clear", [](Cache& cache) { (void)cache.clear(); }},
    };
    for (const Call& call : calls) {
      INFO(call.name);
      Locked locked;
      locked.expect_max_wait([&] { call.run(locked.f.cache()); });
      CHECK_FALSE(locked.f->contains("k1"));
      CHECK(locked.f.in_file("k1"));
      // The file has refused writes for max_wait already, so the next calls do not wait.
      for (const Call& next : calls) {
        INFO("then " << next.name);
        locked.expect_no_wait([&] { next.run(locked.f.cache()); });
      }
      locked.unlock();
      CHECK(locked.f.rows_in_file() == 0);
      locked.f.close();  // until then the worker thread may still be delivering notices
      CHECK(locked.f.heard.count(NoticeKind::removal_uncommitted) == 1);
    }
  }

  TEST_CASE("a put with commit durability waits for its commit for max_wait and stays queued") {
    const std::vector<Call> calls = {
        {"put", [](Cache& cache) { CHECK_FALSE(cache.put("a", 1)); }},
        {"put_many", [](Cache& cache) { CHECK(put_three(cache, "1") == 0); }, 3},
        {"get_or_compute",
         [](Cache& cache) { CHECK(cache.get_or_compute("a", [] { return 1; }) == 1); }},
    };
    for (const Call& call : calls) {
      INFO(call.name);
      Locked locked(Durability::commit);
      locked.expect_max_wait([&] { call.run(locked.f.cache()); });
      CHECK(locked.f->contains("a"));
      CHECK_FALSE(locked.f.in_file("a"));
      locked.unlock();
      CHECK(locked.f.in_file("a"));
      CHECK(locked.f->stats().dropped == 0);
      CHECK(locked.f.rows_in_file() == 3 + call.puts);
    }
  }
}
