// How long calls wait for a file that another connection has locked: max_wait by the clock that the
// cache was given, to the microsecond.

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

// By the machine's clock none of these tests takes that long.
constexpr auto kMaxWait = 10h;

/// A call on a thread of its own, which looks again and again whether it still has to wait.
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
    if (here != nullptr && point == "deadline: looks") ++here->looks_;
  }

  /// Until it has looked so often, or returned; whether it goes on waiting. It has looked at the
  /// clock as it is now when it has come to its second look.
  [[nodiscard]] bool goes_on(int looks = 2) const {
    const int before = looks_;
    while (!returned_ && looks_ < before + looks) std::this_thread::yield();
    return !returned_;
  }

 private:
  static thread_local WaitingCall* here;

  std::atomic<int> looks_{0};
  std::atomic<bool> returned_{false};
  std::thread thread_;
};

thread_local WaitingCall* WaitingCall::here = nullptr;

/// A cache with a thread, and a clock that stands still. Its file, in which there are k0, k1 and
/// k2, is locked.
struct Locked {
  explicit Locked(Durability durability = Durability::relaxed)
      : f({.durability = durability, .queue_bytes = 64 * KiB}) {
    f.options.hooks.worker = WorkerMode::thread;
    f.options.timing.max_wait = kMaxWait;
    f.fill("k", 3);
    f->flush();
    // The worker's thread may still be at it.
    while (f.raw().try_run("BEGIN IMMEDIATE") != 0) std::this_thread::yield();
  }

  void expect_patience(const std::function<void()>& call) {
    WaitingCall waiting(call);
    while (f->health().state != HealthState::degraded) std::this_thread::yield();
    CHECK(waiting.goes_on());
    f.clock->advance(kMaxWait - 1us);
    CHECK(waiting.goes_on());
    f.clock->advance(1us);
    expect_end(waiting);
  }
  void expect_no_patience(const std::function<void()>& call) { expect_end(WaitingCall(call)); }

  void expect_end(const WaitingCall& waiting) {
    const bool goes_on = waiting.goes_on(20);
    CHECK_FALSE(goes_on);
    if (goes_on) (void)f.raw().try_run("ROLLBACK");  // lets it go
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

/// Two of these do not fit into the queue.
std::string large() { return std::string(60'000, 'x'); }

/// Three values.
std::size_t put_many(Cache& cache, const std::string& value) {
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
  TEST_CASE("64 a call that stores waits for room in the queue for max_wait, once") {
    const std::vector<Call> calls = {
        {"put", [](Cache& cache) { CHECK_FALSE(cache.put("a", large())); }},
        {"put_many", [](Cache& cache) { CHECK(put_many(cache, large()) == 0); }, 3},
        {"get_or_compute",
         [](Cache& cache) { CHECK(cache.get_or_compute("a", large) == large()); }},
        {"a load", load_two, 2},
    };
    for (const Call& call : calls) {
      INFO(call.name);
      Locked locked;
      CHECK(locked.f->put("large", large()));
      locked.expect_patience([&] { call.run(locked.f.cache()); });
      CHECK(locked.f->stats().dropped == call.puts);
      locked.unlock();
      CHECK(locked.f.in_file("large"));
      CHECK(locked.f.rows_in_file() == 4);
    }
  }

  TEST_CASE(
      "64 what is computed reaches other callers while the one who stores it waits for room") {
    Locked locked;
    CHECK(locked.f->put("large", large()));
    const auto joins = [&] {
      int computed = 0;
      CHECK(locked.f->get_or_compute("a", [&] { return ++computed, std::string(); }) == large());
      CHECK(computed == 0);
    };
    {
      WaitingCall first([&] { CHECK(locked.f->get_or_compute("a", large) == large()); });
      CHECK(first.goes_on());
      locked.expect_no_patience(joins);
      CHECK(first.goes_on());
      locked.f.clock->advance(kMaxWait);
      locked.expect_end(first);
    }
    CHECK(locked.f->stats().dropped == 1);
    locked.unlock();
  }

  TEST_CASE("64 a removal waits until the file has refused writes for max_wait, and stays queued") {
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
      locked.expect_patience([&] { call.run(locked.f.cache()); });
      CHECK_FALSE(locked.f->contains("k1"));
      CHECK(locked.f.in_file("k1"));
      // The next ones find a file that has refused for so long already.
      for (const Call& next : calls) {
        INFO("then " << next.name);
        locked.expect_no_patience([&] { next.run(locked.f.cache()); });
      }
      locked.unlock();
      CHECK(locked.f.heard.count(NoticeKind::removal_uncommitted) == 1);
      CHECK(locked.f.rows_in_file() == 0);
    }
  }

  TEST_CASE("64 with commit durability a put waits for its commit for max_wait, and stays queued") {
    const std::vector<Call> calls = {
        {"put", [](Cache& cache) { CHECK_FALSE(cache.put("a", 1)); }},
        {"put_many", [](Cache& cache) { CHECK(put_many(cache, "1") == 0); }, 3},
        {"get_or_compute",
         [](Cache& cache) { CHECK(cache.get_or_compute("a", [] { return 1; }) == 1); }},
    };
    for (const Call& call : calls) {
      INFO(call.name);
      Locked locked(Durability::commit);
      locked.expect_patience([&] { call.run(locked.f.cache()); });
      CHECK(locked.f->contains("a"));
      CHECK_FALSE(locked.f.in_file("a"));
      locked.unlock();
      CHECK(locked.f.in_file("a"));
      CHECK(locked.f->stats().dropped == 0);
      CHECK(locked.f.rows_in_file() == 3 + call.puts);
    }
  }
}
