#include "store/rowid_hints.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/store_fixture.hpp"

using namespace ashmemo;
using store::RowidHints;
using test::numbered_key;

namespace {

constexpr std::int64_t kSlots = RowidHints::kMinBytes / 8;

/// How many of the keys 0 ... count - 1 have the hint `rowid == number + 1`.
int count_right(const RowidHints& hints, int count) {
  int right = 0;
  for (int i = 0; i < count; ++i) right += hints.find(numbered_key(i)) == i + 1 ? 1 : 0;
  return right;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a table of hints returns the last rowid of a key") {
    RowidHints hints(RowidHints::kMinBytes);
    CHECK_FALSE(hints.find("key"));
    hints.fill("key", 7);
    CHECK(hints.find("key") == 7);
    CHECK_FALSE(hints.find("other"));
    hints.fill("key", 9);
    CHECK(hints.find("key") == 9);
    hints.forget("key", 9);
    CHECK_FALSE(hints.find("key"));
  }

  TEST_CASE("forget removes a hint only if it has that rowid") {
    RowidHints hints(RowidHints::kMinBytes);
    hints.fill("key", 7);
    for (const std::int64_t other : {std::int64_t{0}, std::int64_t{-7}, std::int64_t{8},
                                     (std::int64_t{1} << 40) + 7, std::int64_t{1} << 62}) {
      hints.forget("key", other);
      CHECK(hints.find("key") == 7);
    }
    hints.forget("other", 7);
    CHECK(hints.find("key") == 7);
  }

  TEST_CASE("rowids outside of 1 to 2^40 - 1 are not remembered") {
    RowidHints hints(RowidHints::kMinBytes);
    hints.fill("key", RowidHints::kMaxRowid);
    CHECK(hints.find("key") == (std::int64_t{1} << 40) - 1);
    for (const std::int64_t rowid : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40,
                                     std::int64_t{1} << 62, INT64_MAX, INT64_MIN}) {
      hints.fill("other", rowid);
      CHECK_FALSE(hints.find("other"));
    }
    CHECK(hints.find("key") == RowidHints::kMaxRowid);
  }

  TEST_CASE("a table remembers nothing if it has 0 bytes or the system has no memory for it") {
    for (const std::int64_t bytes : {std::int64_t{0}, std::int64_t{1} << 62}) {
      CAPTURE(bytes);
      RowidHints hints(bytes);
      hints.fill("key", 7);
      CHECK_FALSE(hints.find("key"));
      hints.forget("key", 7);
    }
  }

  // A set that is full loses a hint for each new one, so the newest key is always remembered.
  TEST_CASE("a full table of hints uses all its slots and remembers each new key") {
    RowidHints hints(RowidHints::kMinBytes);
    constexpr int kKeys = 10 * static_cast<int>(kSlots);
    for (int i = 0; i < kKeys; ++i) {
      hints.fill(numbered_key(i), i + 1);
      REQUIRE(hints.find(numbered_key(i)) == i + 1);
    }
    const int right = count_right(hints, kKeys);
    CHECK(right <= kSlots);
    CHECK(right > kSlots * 99 / 100);
  }

  // Old keys fill the table first. Then readers fill the same keys again and again, a third of what
  // the table has space for. In nearly every set all of them have a slot.
  TEST_CASE("keys that are used displace keys that are not used") {
    RowidHints hints(RowidHints::kMinBytes);
    constexpr int kUsed = static_cast<int>(kSlots) / 3;
    for (int i = 0; i < 10 * kSlots; ++i) hints.fill("old" + std::to_string(i), i + 1);
    for (int round = 0; round < 50; ++round) {
      for (int i = 0; i < kUsed; ++i) {
        if (!hints.find(numbered_key(i))) hints.fill(numbered_key(i), i + 1);
      }
    }
    CHECK(count_right(hints, kUsed) > kUsed * 97 / 100);
  }

  // Also meant for ThreadSanitizer. Each key has rowids of its own.
  TEST_CASE("threads that share hints find only rowids that were filled for the key") {
    RowidHints hints(RowidHints::kMinBytes);
    constexpr int kKeys = 50;
    constexpr int kRowids = 1'000;
    std::atomic<int> wrong{0};
    std::atomic<int> found{0};
    std::vector<std::thread> threads;
    for (unsigned seed = 0; seed < 4; ++seed) {
      threads.emplace_back([&, seed] {
        std::mt19937 random(seed);
        for (int n = 0; n < 20'000; ++n) {
          const int key = static_cast<int>(random() % kKeys);
          const std::int64_t rowid = key * kRowids + 1 + static_cast<int>(random() % kRowids);
          switch (random() % 3) {
            case 0:
              hints.forget(numbered_key(key), rowid);
              break;
            case 1:
              hints.fill(numbered_key(key), rowid);
              break;
            default:
              if (const auto hint = hints.find(numbered_key(key))) {
                ++found;
                if ((*hint - 1) / kRowids != key) ++wrong;
              }
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(found > 0);
  }
}
