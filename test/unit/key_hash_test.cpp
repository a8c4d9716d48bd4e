#include "base/key_hash.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "engine/in_flight.hpp"
#include "memory/memory_tier.hpp"

using namespace ashmemo;

namespace {

constexpr std::size_t kKeys = 10'000;
// The maximum number of keys that one look-up may compare. With random keys it is one on average.
constexpr std::ptrdiff_t kMaxTogether = 10;

// The hash of strings in libstdc++ is MurmurHash64A with a constant seed.
constexpr std::uint64_t kFactor = 0xc6a4a7935bd1e995;
constexpr std::uint64_t kStart = 0xc70f6907 ^ (16 * kFactor);

constexpr std::uint64_t inverse_of(std::uint64_t odd) {
  std::uint64_t inverse = odd;
  for (int i = 0; i < 6; ++i) inverse *= 2 - odd * inverse;
  return inverse;
}

constexpr std::uint64_t mixed(std::uint64_t bits) { return bits ^ bits >> 47; }  // its own inverse

constexpr std::uint64_t after(std::uint64_t state, std::uint64_t block) {
  return (state ^ mixed(block * kFactor) * kFactor) * kFactor;
}

/// The block that turns one state into another.
constexpr std::uint64_t block_between(std::uint64_t from, std::uint64_t to) {
  constexpr std::uint64_t inverse = inverse_of(kFactor);
  return mixed((to * inverse ^ from) * inverse) * inverse;
}

/// Different keys of 16 bytes. std::hash gives all of them the same hash.
std::vector<std::string> keys_of_one_hash() {
  std::mt19937_64 random(1);
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kKeys; ++i) {
    const std::uint64_t first = random();
    const std::uint64_t blocks[] = {first, block_between(after(kStart, first), 1)};
    keys.emplace_back(sizeof(blocks), '\0');
    std::memcpy(keys.back().data(), blocks, sizeof(blocks));
  }
  return keys;
}

/// The size of the largest group of hashes that share one of `places` places. The upper bits of a
/// hash choose its place.
std::ptrdiff_t most_in_one_place(const std::vector<std::uint64_t>& hashes, std::size_t places) {
  std::vector<std::ptrdiff_t> in_place(places);
  for (const std::uint64_t hash : hashes) ++in_place[(hash >> 32) * places >> 32];
  return *std::max_element(in_place.begin(), in_place.end());
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("keys of one standard hash have different places in a table of keys") {
    const std::vector<std::string> keys = keys_of_one_hash();
#ifdef __GLIBCXX__
    REQUIRE(std::hash<std::string_view>()(keys[0]) == std::hash<std::string_view>()(keys[1]));
#endif
    base::KeyMap<int> table;
    for (const std::string& key : keys) table.emplace(key, 0);
    REQUIRE(table.size() == kKeys);
    std::size_t largest = 0;
    for (std::size_t i = 0; i < table.bucket_count(); ++i) {
      largest = std::max(largest, table.bucket_size(i));
    }
    CHECK(largest <= kMaxTogether);
  }

  TEST_CASE("keys of one standard hash have different places in the memory tier") {
    memory::MemoryTier tier(memory::MemoryTier::kMinBytes);
    std::vector<std::uint64_t> hashes;
    for (const std::string& key : keys_of_one_hash()) {
      memory::MemoryTier::Look look;
      memory::TierCopy copy;
      store::EntryView row;
      REQUIRE_FALSE(tier.find(key, look, copy, row));
      hashes.push_back(look.hash);
    }
    CHECK(most_in_one_place(hashes, 2 * kKeys) <= kMaxTogether);
  }

  TEST_CASE("a removal of a key does not cover a key with the same standard hash") {
    const std::vector<std::string> keys = keys_of_one_hash();
    engine::RemovalFilter filter;
    filter.add_key(keys[0]);
    CHECK(filter.covers(keys[0], 0));
    CHECK_FALSE(filter.covers(keys[1], 0));
  }
}
