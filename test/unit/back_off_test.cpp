#include <cstdint>

#include <doctest/doctest.h>

#include "engine/time.hpp"

using ashmemo::engine::BackOff;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("BackOff doubles its pause up to one minute") {
    BackOff back_off;
    std::int64_t now = 7;
    CHECK(back_off.is_over(now));
    for (const std::int64_t seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
      back_off.failed(now, now + 1);
      ++now;
      CHECK_FALSE(back_off.is_over(now + seconds * kSecond - 1));
      CHECK(back_off.is_over(now + seconds * kSecond));
      now += seconds * kSecond;
    }
  }

  TEST_CASE("BackOff ignores a failure of work that began before the previous failure") {
    BackOff back_off;
    back_off.failed(0, 100);
    for (const std::int64_t began : {0, 50, 100}) back_off.failed(began, 200);
    CHECK_FALSE(back_off.is_over(100 + kSecond - 1));
    CHECK(back_off.is_over(100 + kSecond));
    back_off.failed(101, 200);
    CHECK_FALSE(back_off.is_over(200 + 2 * kSecond - 1));
    CHECK(back_off.is_over(200 + 2 * kSecond));
  }
}
