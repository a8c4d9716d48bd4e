#include <doctest/doctest.h>

#include <ashmemo/clock.hpp>
#include <chrono>
#include <limits>

using ashmemo::Duration;
using ashmemo::ManualClock;
using namespace std::chrono_literals;

TEST_SUITE("unit") {
  TEST_CASE("the system clock returns microseconds since 1970") {
    const auto before = std::chrono::system_clock::now().time_since_epoch() / 1us;
    const std::int64_t now = ashmemo::system_clock()->wall_now();
    const auto after = std::chrono::system_clock::now().time_since_epoch() / 1us;
    CHECK(before <= now);
    CHECK(now <= after);
  }

  TEST_CASE("steady_now of the system clock never decreases") {
    const auto clock = ashmemo::system_clock();
    std::int64_t last = clock->steady_now();
    for (int i = 0; i < 10'000; ++i) {
      const std::int64_t now = clock->steady_now();
      REQUIRE(now >= last);
      last = now;
    }
  }

  TEST_CASE("system_clock always returns the same clock") {
    CHECK(ashmemo::system_clock() == ashmemo::system_clock());
  }

  TEST_CASE("a manual clock does not move by itself") {
    ManualClock clock(5);
    CHECK(clock.wall_now() == 5);
    CHECK(clock.wall_now() == 5);
    CHECK(clock.steady_now() == 0);
  }

  TEST_CASE("advance moves both times of a manual clock and set_wall moves only the wall time") {
    ManualClock clock(1'000);
    clock.advance(2ms);
    CHECK(clock.wall_now() == 3'000);
    CHECK(clock.steady_now() == 2'000);
    clock.set_wall(7);
    CHECK(clock.wall_now() == 7);
    CHECK(clock.steady_now() == 2'000);
  }

  TEST_CASE("a manual clock crosses zero, moves back and stops at the largest number") {
    ManualClock clock(-10);
    clock.advance(20us);
    CHECK(clock.wall_now() == 10);
    clock.set_wall(-1);
    CHECK(clock.wall_now() == -1);
    clock.advance(Duration::max());
    clock.advance(Duration::max());
    CHECK(clock.wall_now() == std::numeric_limits<std::int64_t>::max());
    CHECK(clock.steady_now() == std::numeric_limits<std::int64_t>::max());
  }

  TEST_CASE("a negative advance does not move the steady time of a manual clock") {
    ManualClock clock(100);
    clock.advance(50us);
    clock.advance(-30us);
    CHECK(clock.wall_now() == 120);
    CHECK(clock.steady_now() == 50);
  }
}
