#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/policies.hpp"

// The wall clock jumps, stops, or is near its first or last moment.

using namespace ashmemo;
using test::CacheFixture;
using test::kPolicies;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kHour = 3'600 * kSecond;
constexpr std::int64_t kYear = 8'766 * kHour;
constexpr std::int64_t kStart = 1'700'000'000 * kSecond;
// The last moment: the next value means never.
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max() - 1;

constexpr std::array kMoments{std::int64_t{0},
                              kStart - 10 * kYear,
                              kStart - kHour,
                              kStart - 1,
                              kStart,
                              kStart + 1,
                              kStart + kHour - 1,
                              kStart + kHour,
                              kStart + 10 * kYear,
                              kLast - kHour - kSecond,
                              kLast - kHour,
                              kLast - 1,
                              kLast};

std::string joined(const std::vector<std::string>& keys) {
  std::string all;
  for (const std::string& key : keys) all += (all.empty() ? "" : " ") + key;
  return all;
}

/// The keys in the order of the eviction queue.
std::string queue(CacheFixture& f) {
  f->flush();
  const std::string keys = f.raw().rows(
      "SELECT group_concat(cache_key, ' ') FROM"
      " (SELECT cache_key FROM cache_entries ORDER BY inserted_at, accessed_at)");
  f.close_raw();
  return keys;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("an entry stored at any moment is found then, and its ttl begins then") {
    for (const std::int64_t moment : kMoments) {
      INFO(moment);
      CacheFixture f;
      f.clock->set_wall(moment);
      CHECK(f->put("hour", 1, {.ttl = 1h}));
      CHECK(f->put("ever", 1));
      f->flush();
      CHECK(f->get<int>("hour") == 1);
      CHECK(f->get<int>("ever") == 1);
      if (moment > kLast - kHour) continue;  // later moments do not exist
      f.clock->set_wall(moment + kHour - 1);
      CHECK(f->get<int>("hour") == 1);
      f.clock->set_wall(moment + kHour);
      CHECK_FALSE(f->get<int>("hour").has_value());
      CHECK(f->get<int>("ever") == 1);
    }
  }

  TEST_CASE("an entry outlives its ttl at most by the time that the clock was set back") {
    for (const std::int64_t back : {kSecond, kHour / 2, kHour, 10 * kYear}) {
      INFO(back);
      CacheFixture f;
      f.clock->set_wall(kStart);
      CHECK(f->put("k", 1, {.ttl = 1h}));
      std::int64_t passed = kHour / 2;  // time that really passed
      f.clock->advance(30min);
      f.clock->set_wall(kStart + kHour / 2 - back);
      const std::int64_t step = (kHour + back) / 64 + 1;
      std::int64_t last_seen = 0;
      while (passed < 2 * (kHour + back)) {
        f.clock->advance(std::chrono::microseconds(step));
        passed += step;
        if (f->get<int>("k").has_value()) last_seen = passed;
      }
      CHECK(last_seen < kHour + back);
      // Larger steps may jump over the whole lifetime.
      if (step < kHour) CHECK(last_seen >= kHour + back - step);
    }
  }

  TEST_CASE("the eviction queue has the order of the puts when the clock jumps") {
    constexpr std::array kWay{
        kStart,          kStart + 10 * kYear, kStart - 10 * kYear, kStart + kHour,
        std::int64_t{0}, kStart + 20 * kYear, kStart - 1,          kLast,
        kStart,          kLast - 1,           kStart + kHour};
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f({.eviction = eviction});
      std::vector<std::string> keys;
      for (const std::int64_t moment : kWay) {
        f.clock->set_wall(moment);
        for (int again = 0; again < 2; ++again) {  // the same moment twice
          keys.push_back("k" + std::to_string(100 + keys.size()));
          CHECK(f->put(keys.back(), 1));
        }
        if (keys.size() % 4 == 0) f.reopen();
      }
      CHECK(queue(f) == joined(keys));
      f.clock->set_wall(kLast);
      f->set_limits({.max_entries = 3});
      f->flush();
      CHECK(f.keys() == joined({keys.end() - 3, keys.end()}));
    }
  }

  TEST_CASE("entries that were read remain, in the order of the reads, when the clock jumps") {
    for (const Eviction eviction : kPolicies) {
      for (const bool reopened : {false, true}) {
        INFO(to_string(eviction) << std::string(reopened ? " reopened" : ""));
        CacheFixture f({.eviction = eviction});
        f.clock->set_wall(kStart);
        for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) CHECK(f->put(key, 1));
        f->flush();
        const auto read = [&](const std::string& key, std::int64_t moment) {
          f.clock->set_wall(moment);
          for (int times = 0; times < 2; ++times) CHECK(f->get<int>(key) == 1);
          if (reopened) f.reopen();
        };
        read("c", kStart + 10 * kYear);
        read("a", kStart + 1);
        read("f", kStart + 20 * kYear);
        f.clock->set_wall(kStart + 5 * kYear);
        f->set_limits({.max_entries = 4});
        f->flush();
        CHECK(f.keys() == (eviction == Eviction::fifo ? "e f g h" : "a c f h"));
        if (eviction != Eviction::lru) continue;
        for (const char* key : {"n", "o"}) {
          CHECK(f->put(key, 1));
          f->flush();
          f.clock->set_wall(kStart + 1);
        }
        f.clock->set_wall(kLast);
        CHECK(f.keys() == "a f n o");
      }
    }
  }

  TEST_CASE("a cache works when the clock is at its last moment and after it is corrected") {
    CacheFixture f({.eviction = Eviction::lru});
    f.clock->set_wall(kLast);
    for (const std::string& key : test::numbered("k", 20)) CHECK(f->put(key, 1, {.ttl = 1h}));
    f->flush();
    CHECK(f->get<int>("k7") == 1);
    f.clock->set_wall(kStart);
    CHECK_FALSE(f->get<int>("k7").has_value());
    CHECK(f->put("k7", 2, {.ttl = 1h}));
    f->flush();
    CHECK(f->get<int>("k7") == 2);
    f->set_limits({.max_entries = 5});
    f->flush();
    CHECK(f->stats().entries <= 5);
    f.reopen();
    CHECK(f->put("new", 3));
    f->flush();
    CHECK(f->get<int>("new") == 3);
  }
}
