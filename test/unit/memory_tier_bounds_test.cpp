#include <algorithm>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "tier_fixture.hpp"

// How much the memory tier keeps and which entries it keeps.

using namespace ashmemo;
using memory::MemoryTier;
using test::TierFixture;

namespace {

std::string key_of(std::int64_t number) { return "key " + std::to_string(number); }

/// Fills each of `count` keys once.
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
  TEST_CASE("the memory tier uses nearly all of its bytes and never more") {
    for (const std::int64_t size : {16, 100, 1'000, 4'096, 20'000, 65'536}) {
      for (const std::int64_t bytes : {256 << 10, 4 << 20, 9 << 20}) {
        // Skips combinations with too many entries for a quick test.
        if (size * 32 > bytes || bytes / size > 20'000) continue;
        CAPTURE(size);
        CAPTURE(bytes);
        TierFixture fixture(bytes);
        const std::string text(static_cast<std::size_t>(size), 'x');
        const std::int64_t count = 10 * bytes / (size + 64);
        std::int64_t highest = 0;
        for (std::int64_t i = 0; i < count; ++i) {
          fixture.fill(key_of(i), text);
          if (i % 16 == 0) highest = std::max(highest, fixture.usage().bytes);
        }
        CHECK(highest <= bytes);
        CHECK(fixture.usage().bytes > bytes * 7 / 10);
      }
    }
  }

  TEST_CASE("the memory tier never exceeds its bytes with entries of all lengths") {
    constexpr std::int64_t kBytes = 512 << 10;
    TierFixture fixture(kBytes);
    std::int64_t highest = 0;
    for (std::int64_t i = 0; i < 30'000; ++i) {
      const std::int64_t key = i * 7919 % 4'001;
      const auto size = static_cast<std::size_t>(i * i % (i % 11 == 0 ? 20'000 : 400));
      if (!fixture.get(key_of(key))) fixture.fill(key_of(key), std::string(size, 'x'));
      if (i % 5 == 0) fixture.change(key_of(key / 2));
      highest = std::max(highest, fixture.usage().bytes);
    }
    CHECK(highest <= kBytes);
    CHECK(highest > kBytes * 7 / 10);
  }

  TEST_CASE("the memory tier keeps entries that were read once while they fit") {
    TierFixture fixture(8 << 20);
    const std::string text(1'000, 'x');
    fill_many(fixture, 0, 5'000, text);
    CHECK(count_found(fixture, 0, 5'000) > 4'900);
  }

  TEST_CASE("entries that are read repeatedly survive many entries that are read once") {
    TierFixture fixture(1 << 20);
    const std::string text(500, 'x');
    constexpr std::int64_t kHot = 500;  // about a quarter of the capacity
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

  TEST_CASE("popular entries survive a scan of many keys") {
    TierFixture fixture(1 << 20);
    const std::string text(500, 'x');
    fill_many(fixture, 1'000'000, 10'000, text);  // now the tier is full
    for (int round = 0; round < 4; ++round) {
      for (std::int64_t hot = 0; hot < 300; ++hot) {
        if (!fixture.get(key_of(hot))) fixture.fill(key_of(hot), text);
      }
    }
    CHECK(count_found(fixture, 0, 300) == 300);
    fill_many(fixture, 2'000'000, 20'000, text);
    CHECK(count_found(fixture, 0, 300) > 280);
  }

  TEST_CASE("numbers that are read repeatedly survive although the index is full") {
    TierFixture fixture(1 << 20);
    const auto fill = [&fixture](std::int64_t number) {
      store::EntryView row;
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

  TEST_CASE("the memory tier does not keep an entry that would evict too many others") {
    TierFixture fixture(1 << 20);
    fixture.fill("small", "1");
    fixture.fill("large", std::string(100'000, 'x'));
    fixture.fill("larger than all", std::string(2 << 20, 'x'));
    CHECK_FALSE(fixture.get("large"));
    CHECK_FALSE(fixture.get("larger than all"));
    CHECK(fixture.get("small") == "1");
    CHECK(fixture.usage().entries == 1);
  }

  TEST_CASE("the smallest memory tier works and a smaller one is refused") {
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

  TEST_CASE("a memory tier that was emptied can be filled again") {
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
