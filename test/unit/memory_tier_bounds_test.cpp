#include <algorithm>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "tier_fixture.hpp"

// How much the tier keeps, and what.

using namespace ashmemo;
using memory::MemoryTier;
using test::TierFixture;

namespace {

std::string key_of(std::int64_t number) { return "key " + std::to_string(number); }

/// Each key once.
void fill_many(TierFixture& fixture, std::int64_t from, std::int64_t count,
               const std::string& text) {
  for (std::int64_t i = from; i < from + count; ++i) fixture.fill(key_of(i), text);
}

std::int64_t count_found(TierFixture& fixture, std::int64_t from, std::int64_t count) {
  std::int64_t found = 0;
  for (std::int64_t i = from; i < from + count; ++i) found += fixture.get(key_of(i)) ? 1 : 0;
  return found;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("36 the tier never takes more than it was given, and nearly all of that") {
    for (const std::int64_t size : {16, 100, 1'000, 4'096, 20'000, 65'536}) {
      for (const std::int64_t bytes : {256 << 10, 4 << 20, 9 << 20}) {
        // Not more entries than can be filled in a moment.
        if (size * 32 > bytes || bytes / size > 20'000) continue;
        CAPTURE(size);
        CAPTURE(bytes);
        TierFixture fixture(bytes);
        const std::string text(static_cast<std::size_t>(size), 'x');
        const std::int64_t count = 10 * bytes / (size + 64);
        std::int64_t most = 0;
        for (std::int64_t i = 0; i < count; ++i) {
          fixture.fill(key_of(i), text);
          if (i % 16 == 0) most = std::max(most, fixture.usage().bytes);
        }
        CHECK(most <= bytes);
        CHECK(fixture.usage().bytes > bytes * 7 / 10);
      }
    }
  }

  TEST_CASE("36 the bound holds while entries of all lengths come, are read and leave") {
    constexpr std::int64_t kBytes = 512 << 10;
    TierFixture fixture(kBytes);
    std::int64_t most = 0;
    for (std::int64_t i = 0; i < 30'000; ++i) {
      const std::int64_t key = i * 7919 % 4'001;
      const auto size = static_cast<std::size_t>(i * i % (i % 11 == 0 ? 20'000 : 400));
      if (!fixture.get(key_of(key))) fixture.fill(key_of(key), std::string(size, 'x'));
      if (i % 5 == 0) fixture.change(key_of(key / 2));
      most = std::max(most, fixture.usage().bytes);
    }
    CHECK(most <= kBytes);
    CHECK(most > kBytes * 7 / 10);
  }

  TEST_CASE("what fits is kept, though it was read only once") {
    TierFixture fixture(8 << 20);
    const std::string text(1'000, 'x');
    fill_many(fixture, 0, 5'000, text);
    CHECK(count_found(fixture, 0, 5'000) > 4'900);
  }

  TEST_CASE("what is read again and again survives many others that are read once") {
    TierFixture fixture(1 << 20);
    const std::string text(500, 'x');
    constexpr std::int64_t kHot = 500;  // about a quarter of what fits
    for (int round = 0; round < 3; ++round) {
      fill_many(fixture, 0, kHot, text);
      CHECK(count_found(fixture, 0, kHot) > 0);
    }
    std::int64_t hits = 0;
    std::int64_t next = 1'000'000;
    for (int round = 0; round < 20; ++round) {
      for (std::int64_t hot = 0; hot < kHot; ++hot) {
        if (fixture.get(key_of(hot))) {
          ++hits;
        } else {
          fixture.fill(key_of(hot), text);
        }
        fill_many(fixture, next, 4, text);
        next += 4;
      }
    }
    CHECK(hits > 20 * kHot * 9 / 10);
  }

  TEST_CASE("many others that are read once in a row leave what is popular") {
    TierFixture fixture(1 << 20);
    const std::string text(500, 'x');
    fill_many(fixture, 1'000'000, 10'000, text);  // full
    for (int round = 0; round < 4; ++round) {
      for (std::int64_t hot = 0; hot < 300; ++hot) {
        if (!fixture.get(key_of(hot))) fixture.fill(key_of(hot), text);
      }
    }
    CHECK(count_found(fixture, 0, 300) == 300);
    fill_many(fixture, 2'000'000, 20'000, text);
    CHECK(count_found(fixture, 0, 300) > 280);
  }

  TEST_CASE("so do numbers, of which there are more than places in the index") {
    TierFixture fixture(1 << 20);
    const auto fill = [&fixture](std::int64_t number) {
      store::RowView row;
      row.value = ValueView::integer(number);
      const std::string key = std::to_string(number);
      fixture.tier->fill(key, fixture.look(key), row);
    };
    constexpr std::int64_t kHot = 2'000;
    for (int round = 0; round < 3; ++round) {
      for (std::int64_t hot = 0; hot < kHot; ++hot) fill(hot);
    }
    std::int64_t hits = 0;
    std::int64_t next = 1'000'000;
    for (int round = 0; round < 12; ++round) {
      for (std::int64_t hot = 0; hot < kHot; ++hot) {
        fixture.get(std::to_string(hot)) ? static_cast<void>(++hits) : fill(hot);
        for (int i = 0; i < 4; ++i) fill(next++);
      }
    }
    CHECK(hits > 12 * kHot * 9 / 10);
  }

  TEST_CASE("an entry that would push out too much is not kept, and harms nobody") {
    TierFixture fixture(1 << 20);
    fixture.fill("small", "1");
    fixture.fill("large", std::string(100'000, 'x'));
    fixture.fill("larger than all", std::string(2 << 20, 'x'));
    CHECK_FALSE(fixture.get("large"));
    CHECK_FALSE(fixture.get("larger than all"));
    CHECK(fixture.get("small") == "1");
    CHECK(fixture.usage().entries == 1);
  }

  TEST_CASE("the smallest tier works, and there is none that is smaller") {
    CHECK_FALSE(memory::make_memory_tier(MemoryTier::kMinBytes - 1));
    CHECK_FALSE(memory::make_memory_tier(0));
    CHECK_FALSE(memory::make_memory_tier(-1));
    TierFixture fixture(MemoryTier::kMinBytes);
    REQUIRE(fixture.tier);
    fill_many(fixture, 0, 5'000, "text");
    CHECK(count_found(fixture, 0, 5'000) > 300);
    CHECK(fixture.usage().bytes <= MemoryTier::kMinBytes);
    fixture.change_all();
    CHECK(fixture.usage().entries == 0);
  }

  TEST_CASE("a tier that was emptied is filled as a new one") {
    TierFixture fixture(1 << 20);
    const std::string text(300, 'x');
    for (int round = 0; round < 5; ++round) {
      fill_many(fixture, round * 10'000, 10'000, text);
      CHECK(fixture.usage().bytes > (1 << 20) * 7 / 10);
      CHECK(fixture.usage().bytes <= 1 << 20);
      fixture.change_all();
      CHECK(fixture.usage().entries == 0);
    }
  }
}
