#include <cstdint>
#include <limits>

#include <doctest/doctest.h>

#include "engine/freshness.hpp"

using namespace ashmemo;
using engine::deadlines_from;
using engine::freshness_of;
using engine::Lifetimes;

namespace {

constexpr std::int64_t kNow = 1'000'000;
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();

Freshness after(const engine::Deadlines& entry, std::int64_t microseconds) {
  return freshness_of(entry, entry.computed_at + microseconds);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("an entry is fresh until just before its expiry and gone at its expiry") {
    const auto entry = deadlines_from(kNow, {100, 100, 100});
    CHECK(after(entry, 0) == Freshness::fresh);
    CHECK(after(entry, 99) == Freshness::fresh);
    CHECK(after(entry, 100) == Freshness::gone);
    CHECK(after(entry, 101) == Freshness::gone);
  }

  TEST_CASE("each deadline of an entry begins the next state") {
    const auto entry = deadlines_from(kNow, {100, 200, 300});
    CHECK(after(entry, 99) == Freshness::fresh);
    CHECK(after(entry, 100) == Freshness::stale);
    CHECK(after(entry, 199) == Freshness::stale);
    CHECK(after(entry, 200) == Freshness::kept);
    CHECK(after(entry, 299) == Freshness::kept);
    CHECK(after(entry, 300) == Freshness::gone);
  }

  TEST_CASE("only fresh and stale entries can answer") {
    CHECK(engine::is_live(Freshness::fresh));
    CHECK(engine::is_live(Freshness::stale));
    CHECK_FALSE(engine::is_live(Freshness::kept));
    CHECK_FALSE(engine::is_live(Freshness::gone));
  }

  TEST_CASE("the store and the engine agree about which entries answer") {
    for (const Lifetimes& lifetimes :
         {Lifetimes{}, Lifetimes{100, 100, 100}, Lifetimes{100, 200, 300}, Lifetimes{300, 200, 100},
          engine::kNoLifetimes}) {
      const auto entry = deadlines_from(kNow, lifetimes);
      for (const std::int64_t later : {-1, 0, 99, 100, 199, 200, 299, 300}) {
        CAPTURE(later);
        const bool answers = engine::is_live(freshness_of(entry, kNow + later));
        CHECK(store::is_live(entry, kNow + later) == answers);
      }
    }
  }

  TEST_CASE("an entry without lifetimes stays fresh forever") {
    const auto entry = deadlines_from(kNow, {});
    CHECK(entry.expires_at == base::kForever);
    CHECK(freshness_of(entry, kLast - 1) == Freshness::fresh);
  }

  TEST_CASE("a very long ttl becomes the largest time and never a time in the past") {
    const auto entry = deadlines_from(kNow, {kLast - 5, kLast - 5, kLast - 5});
    CHECK(entry.expires_at == kLast);
    CHECK(after(entry, 1'000'000'000) == Freshness::fresh);
  }

  TEST_CASE("an entry from the future is gone until the clock has reached its time") {
    const auto entry = deadlines_from(kNow, {100, 200, 300});
    CHECK(freshness_of(entry, kNow - 1) == Freshness::gone);
    CHECK(freshness_of(entry, kNow) == Freshness::fresh);
    CHECK(freshness_of(deadlines_from(kNow, {}), kNow - 1) == Freshness::gone);
  }

  TEST_CASE("lifetimes have the same length before 1970 and across it") {
    for (const std::int64_t now : {std::int64_t{-1'000}, std::int64_t{-50}, std::int64_t{0}}) {
      CAPTURE(now);
      const auto entry = deadlines_from(now, {100, 100, 100});
      CHECK(freshness_of(entry, now - 1) == Freshness::gone);
      CHECK(freshness_of(entry, now + 99) == Freshness::fresh);
      CHECK(freshness_of(entry, now + 100) == Freshness::gone);
      CHECK(deadlines_from(now, {}).expires_at == base::kForever);
      CHECK(deadlines_from(now, {}).keep_until == base::kForever);
    }
  }

  TEST_CASE("a shortened policy applies to entries that were stored before") {
    const auto stored = deadlines_from(kNow, {100, 200, 300});
    const auto shorter = engine::shortened(stored, {50, 60, 70});
    CHECK(after(shorter, 49) == Freshness::fresh);
    CHECK(after(shorter, 59) == Freshness::stale);
    CHECK(after(shorter, 69) == Freshness::kept);
    CHECK(after(shorter, 70) == Freshness::gone);
  }

  TEST_CASE("a lengthened policy does not change entries that were stored before") {
    const auto stored = deadlines_from(kNow, {100, 200, 300});
    const auto longer = engine::shortened(stored, {1'000, 2'000, 3'000});
    CHECK(longer.fresh_until == stored.fresh_until);
    CHECK(longer.expires_at == stored.expires_at);
    CHECK(longer.keep_until == stored.keep_until);
    const auto unbounded = engine::shortened(stored, {});
    CHECK(unbounded.expires_at == stored.expires_at);
  }

  TEST_CASE("an entry without a ttl gets the ttl of a later policy") {
    const auto bounded = engine::shortened(deadlines_from(kNow, {}), {10, 20, 30});
    CHECK(after(bounded, 9) == Freshness::fresh);
    CHECK(after(bounded, 10) == Freshness::stale);
    CHECK(after(bounded, 30) == Freshness::gone);
  }

  TEST_CASE("deadlines in the wrong order never make an expired entry answer") {
    const engine::Deadlines entry{kNow, kNow + 500, kNow + 100, kNow + 50};
    CHECK(after(entry, 99) == Freshness::fresh);
    CHECK(after(entry, 100) == Freshness::gone);
  }
}
