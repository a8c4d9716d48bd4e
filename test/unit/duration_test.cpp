#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <ratio>
#include <string>
#include <vector>

#include <ashmemo/duration.hpp>

#include "duration_fast_math.hpp"

namespace {

using namespace std::chrono_literals;
using ashmemo::Duration;
using ashmemo::detail::add_saturated;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

// A count that is neither of an integer type nor of a floating-point type.
struct OddCount {
  int value = 0;
  explicit operator long double() const { return value; }
};

constexpr std::int64_t count_of(Duration length) { return length.count(); }

static_assert(Duration{}.count() == 0);
static_assert(count_of(30min) == 1'800'000'000);
static_assert(count_of(std::chrono::hours::max()) == kMax);
static_assert(Duration::max().is_forever());
static_assert(Duration(1s) < 2s);
static_assert(2s > Duration(1s));
static_assert(Duration(1s) == 1000ms);
static_assert(Duration::microseconds(-3).count() == -3);

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a duration that is too long saturates at the largest or smallest value") {
    CHECK(count_of(std::chrono::hours::max()) == kMax);
    CHECK(count_of(std::chrono::hours::min()) == kMin);
    CHECK(count_of(std::chrono::milliseconds::max()) == kMax);
    CHECK(count_of(std::chrono::seconds(9'223'372'036'854)) == 9'223'372'036'854'000'000);
    CHECK(count_of(std::chrono::seconds(9'223'372'036'855)) == kMax);
    CHECK(count_of(std::chrono::seconds(-9'223'372'036'855)) == kMin);
    CHECK(count_of(std::chrono::microseconds::max()) == kMax);
    CHECK(count_of(std::chrono::microseconds::min()) == kMin);
    CHECK(count_of(std::chrono::years(300'000)) == kMax);
    CHECK_FALSE(Duration(std::chrono::seconds(9'223'372'036'854)).is_forever());
  }

  TEST_CASE("a duration that counts integers converts exactly and rounds towards zero") {
    CHECK(count_of(std::chrono::microseconds(kMax - 1)) == kMax - 1);
    CHECK(count_of(std::chrono::nanoseconds::max()) == 9'223'372'036'854'775);
    CHECK(count_of(std::chrono::nanoseconds::min()) == -9'223'372'036'854'775);
    CHECK(count_of(1999ns) == 1);
    CHECK(count_of(-1999ns) == -1);
    CHECK(count_of(999ns) == 0);
    CHECK(count_of(std::chrono::duration<std::int8_t, std::ratio<3600>>(127)) == 457'200'000'000);
    CHECK(count_of(std::chrono::duration<int, std::ratio<1, 30>>(90)) == 3'000'000);
    CHECK(count_of(std::chrono::duration<int, std::ratio<1, 3>>(-1)) == -333'333);
  }

  TEST_CASE("a duration with an unsigned count converts exactly or saturates") {
    using Nano = std::chrono::duration<std::uint64_t, std::nano>;
    using Micro = std::chrono::duration<std::uint64_t, std::micro>;
    CHECK(count_of(Nano::max()) == 18'446'744'073'709'551);
    CHECK(count_of(Micro::max()) == kMax);
    CHECK(count_of(Micro(static_cast<std::uint64_t>(kMax))) == kMax);
    CHECK(count_of(std::chrono::duration<std::uint64_t>::max()) == kMax);
  }

  TEST_CASE("a duration that counts floating-point numbers converts or saturates") {
    using Seconds = std::chrono::duration<double>;
    using Limits = std::numeric_limits<double>;
    CHECK(count_of(Seconds(0.5)) == 500'000);
    CHECK(count_of(Seconds(-0.25)) == -250'000);
    CHECK(count_of(std::chrono::duration<float, std::micro>(1.9F)) == 1);
    CHECK(count_of(Seconds(Limits::infinity())) == kMax);
    CHECK(count_of(Seconds(-Limits::infinity())) == kMin);
    CHECK(count_of(Seconds(1e300)) == kMax);
    CHECK(count_of(Seconds(-1e300)) == kMin);
    CHECK(count_of(Seconds(Limits::quiet_NaN())) == 0);
  }

  TEST_CASE("a count that is not a number is zero even if the program uses -ffast-math") {
    using Limits = std::numeric_limits<double>;
    const auto counts_of = [](double number) {
      return ashmemo::test::fast_math_counts_of(std::bit_cast<std::uint64_t>(number));
    };
    using Counts = std::vector<std::int64_t>;
    CHECK(counts_of(Limits::quiet_NaN()) == Counts{0, 0, 0, 0});
    CHECK(counts_of(-Limits::quiet_NaN()) == Counts{0, 0, 0, 0});
    CHECK(counts_of(Limits::infinity()) == Counts(4, kMax));
    CHECK(counts_of(-Limits::infinity()) == Counts(4, kMin));
    CHECK(counts_of(2) == Counts{2'000'000, 120'000'000, 7'200'000'000, 2});
  }

  TEST_CASE("a duration in a very large or very small unit converts or saturates") {
    CHECK(count_of(std::chrono::duration<int, std::exa>(1)) == kMax);
    CHECK(count_of(std::chrono::duration<int, std::exa>(-1)) == kMin);
    CHECK(count_of(std::chrono::duration<int, std::exa>(0)) == 0);
    CHECK(count_of(std::chrono::duration<int, std::atto>(5)) == 0);
    CHECK(count_of(std::chrono::duration<OddCount>(OddCount{2})) == 2'000'000);
  }

  TEST_CASE("add_saturated stops at the largest and smallest value") {
    CHECK(add_saturated(5, 7) == 12);
    CHECK(add_saturated(5, -7) == -2);
    CHECK(add_saturated(1, kMax) == kMax);
    CHECK(add_saturated(kMax, 1) == kMax);
    CHECK(add_saturated(kMax, kMax) == kMax);
    CHECK(add_saturated(kMax, 0) == kMax);
    CHECK(add_saturated(kMin, -1) == kMin);
    CHECK(add_saturated(-1, kMin) == kMin);
    CHECK(add_saturated(kMin, kMin) == kMin);
    CHECK(add_saturated(kMin, kMax) == -1);
    CHECK(add_saturated(kMax, kMin) == -1);
    CHECK(add_saturated(kMax - 1, 1) == kMax);
    CHECK(add_saturated(kMin + 1, -1) == kMin);
  }

  TEST_CASE("to_string prints a duration in units without rounding") {
    CHECK(to_string(Duration(90min)) == "1h 30m");
    CHECK(to_string(Duration(250ms)) == "250ms");
    CHECK(to_string(Duration::max()) == "forever");
    CHECK(to_string(Duration{}) == "0s");
    CHECK(to_string(Duration(std::chrono::days(7))) == "7d");
    CHECK(to_string(Duration(24h + 1h + 1min + 1s + 1ms + 1us)) == "1d 1h 1m 1s 1ms 1us");
    CHECK(to_string(Duration(-2s)) == "-2s");
    CHECK(to_string(Duration::microseconds(kMin)) == "-106751991d 4h 54s 775ms 808us");
    CHECK(to_string(Duration::microseconds(kMax - 1)) == "106751991d 4h 54s 775ms 806us");
  }
}
