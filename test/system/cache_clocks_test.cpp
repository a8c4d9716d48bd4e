#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

#include "support/cache_fixture.hpp"

// The wall clock jumps, stands still, or is near its ends.

using namespace ashmemo;
using test::CacheFixture;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kHour = 3'600 * kSecond;
constexpr std::int64_t kYear = 8'766 * kHour;
constexpr std::int64_t kStart = 1'700'000'000 * kSecond;
// The moment after it means never.
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
  TEST_CASE("an entry is live from when it was stored until its end, wherever the clock jumps") {
    for (const bool in_file : {false, true}) {
      for (const std::int64_t moment : kMoments) {
        INFO(in_file << ' ' << moment);
        CacheFixture f;
        f.clock->set_wall(kStart);
        CHECK(f->put("hour", 1, {.ttl = 1h}));
        CHECK(f->put("ever", 1));
        if (in_file) f->flush();
        f.clock->set_wall(moment);
        CHECK(f->get<int>("hour").has_value() == (moment >= kStart && moment < kStart + kHour));
        CHECK(f->get<int>("ever").has_value() == (moment >= kStart));
        // A jump and back heals itself, unless what was over has been deleted meanwhile.
        f.clock->set_wall(kStart + kHour / 2);
        CHECK(f->get<int>("hour").has_value());
        CHECK(f->get<int>("ever").has_value());
        f.clock->set_wall(kStart);
      }
    }
  }

  TEST_CASE("what is stored at any moment is read at that moment, and its ttl holds from there") {
    for (const std::int64_t moment : kMoments) {
      INFO(moment);
      CacheFixture f;
      f.clock->set_wall(moment);
      CHECK(f->put("hour", 1, {.ttl = 1h}));
      CHECK(f->put("ever", 1));
      f->flush();
      CHECK(f->get<int>("hour") == 1);
      CHECK(f->get<int>("ever") == 1);
      if (moment > kLast - kHour) continue;  // there is no later
      f.clock->set_wall(moment + kHour - 1);
      CHECK(f->get<int>("hour") == 1);
      f.clock->set_wall(moment + kHour);
      CHECK_FALSE(f->get<int>("hour").has_value());
      CHECK(f->get<int>("ever") == 1);
    }
  }

  TEST_CASE("nothing outlives its ttl by more than the clock was set back") {
    for (const std::int64_t back : {kSecond, kHour / 2, kHour, 10 * kYear}) {
      INFO(back);
      CacheFixture f;
      f.clock->set_wall(kStart);
      CHECK(f->put("k", 1, {.ttl = 1h}));
      std::int64_t passed = kHour / 2;  // really
      f.clock->advance(30min);
      f.clock->set_wall(kStart + kHour / 2 - back);
      const std::int64_t step = (kHour + back) / 64 + 1;
      while (f.clock->wall_now() < kStart + kHour) {
        f.clock->advance(std::chrono::microseconds(step));
        passed += step;
      }
      CHECK_FALSE(f->get<int>("k").has_value());
      CHECK(passed <= kHour + back + step);
    }
  }

  TEST_CASE("the eviction queue has the order of the puts, whatever the clock does") {
    CacheFixture f({.eviction = Eviction::fifo});
    std::string expected;
    int number = 0;
    for (const std::int64_t moment : kMoments) {
      for (const int again : {1, 2}) {  // the clock stands still
        const std::string key = "k" + std::to_string(++number) + '.' + std::to_string(again);
        f.clock->set_wall(number % 4 == 1 ? kLast : kStart + 10 * kYear - moment);
        CHECK(f->put(key, 1));
        f->flush();
        expected += (expected.empty() ? "" : " ") + key;
      }
    }
    CHECK(queue(f) == expected);
    f->set_limits({.max_entries = 1});
    f->flush();
    CHECK(f.keys() == expected.substr(expected.rfind(' ') + 1));
  }

  TEST_CASE("a clock at its last moment leaves a cache that works, also when it is set right") {
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

  TEST_CASE("intervals run on the steady clock: the worker works while the wall clock stands") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f.clock->set_wall(0);
    f.clock->advance(2min);
    (void)f->run_maintenance();
    CHECK(f.in_file("k"));
  }
}
