#include "engine/in_flight.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// Removals that are noticed later, and the keys that background batches refresh.

using ashmemo::engine::InFlightTable;
using ashmemo::engine::RefreshKeys;
using ashmemo::engine::RemovalFilter;

namespace {

/// A short word of two letters. Many words are a prefix of another.
std::string word(std::mt19937& random, std::size_t min_length) {
  std::string out(min_length + random() % 4, 'a');
  for (char& letter : out) letter = random() % 2 == 0 ? 'a' : 'b';
  return out;
}

struct Removed {
  bool is_prefix;
  std::string text;
  [[nodiscard]] bool covers(const std::string& key) const {
    return is_prefix ? key.starts_with(text) : key == text;
  }
};

using Keys = std::vector<std::string_view>;
using Positions = std::vector<std::size_t>;

struct Batch {
  Batch(InFlightTable& table, const Keys& wanted, std::uint64_t removals)
      : taken(table.begin_refresh(keys, wanted, removals)) {}
  Batch(InFlightTable& table, const Keys& wanted) : Batch(table, wanted, table.removals()) {}

  RefreshKeys keys;
  Positions taken;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the removal filter covers removed keys and keys with a removed prefix") {
    RemovalFilter filter;
    CHECK_FALSE(filter.covers("a", 0));
    filter.add_key("a");
    filter.add_prefix("Post:4:");
    CHECK(filter.count() == 2);
    CHECK(filter.covers("a", 0));
    CHECK_FALSE(filter.covers("ab", 0));
    CHECK_FALSE(filter.covers("a", 1));
    CHECK(filter.covers("Post:4:length", 1));
    CHECK_FALSE(filter.covers("Post:42:length", 1));
    CHECK_FALSE(filter.covers("Post:4:length", 2));
    filter.add_prefix("");
    CHECK(filter.covers("anything", 2));
    CHECK_FALSE(filter.covers("anything", 3));
  }

  TEST_CASE("the removal filter misses no removal, and few removals cover no other key") {
    std::mt19937 random(3);
    int covered = 0;
    int too_many = 0;
    for (int round = 0; round < 100; ++round) {
      RemovalFilter filter;
      std::vector<Removed> all;
      for (int i = 0; i < 12; ++i) {
        all.push_back({random() % 3 == 0, word(random, 1)});
        all.back().is_prefix ? filter.add_prefix(all.back().text) : filter.add_key(all.back().text);
      }
      for (std::uint64_t since = 0; since <= all.size(); ++since) {
        for (int i = 0; i < 10; ++i) {
          const std::string key = word(random, 2);
          const bool is_removed =
              std::any_of(all.begin() + static_cast<std::ptrdiff_t>(since), all.end(),
                          [&key](const Removed& one) { return one.covers(key); });
          if (is_removed) CHECK(filter.covers(key, since));
          covered += filter.covers(key, since) ? 1 : 0;
          too_many += filter.covers(key, since) && !is_removed ? 1 : 0;
        }
      }
    }
    CHECK(covered > 1'000);
    CHECK(too_many < covered / 100);
  }

  TEST_CASE("the removal filter misses no key among more removals than it has room for") {
    RemovalFilter filter;
    for (int i = 0; i < 10'000; ++i) filter.add_key(std::to_string(i));
    int missed = 0;
    for (int i = 5'000; i < 10'000; ++i) missed += filter.covers(std::to_string(i), 5'000) ? 0 : 1;
    CHECK(missed == 0);
    CHECK_FALSE(filter.covers("1", 10'000));
  }

  TEST_CASE("the removal filter cuts long prefixes") {
    RemovalFilter filter;
    const std::string begin(RemovalFilter::kMaxPrefix, 'x');
    filter.add_prefix(begin + "one:");
    CHECK(filter.covers(begin + "one:length", 0));
    CHECK(filter.covers(begin + "two:length", 0));
    CHECK_FALSE(filter.covers("xxx", 0));
  }

  TEST_CASE("a refresh takes its keys in their order") {
    InFlightTable table;
    const Batch batch(table, {"a", "", "bc"});
    CHECK(batch.taken == Positions{0, 1, 2});
    REQUIRE(batch.keys.size() == 3);
    CHECK(batch.keys[0] == "a");
    CHECK(batch.keys[1].empty());
    CHECK(batch.keys[2] == "bc");
  }

  TEST_CASE("a refresh leaves out the keys of other refreshes until they end") {
    InFlightTable table;
    const Batch first(table, {"a", "b"});
    const Batch second(table, {"b", "c", "c"});
    const Batch third(table, {"a", "c", "d", "b"});
    CHECK(second.taken == Positions{1});
    CHECK(third.taken == Positions{2});
    table.end_refresh(first.keys);
    const Batch fourth(table, {"a", "b", "c", "d"});
    CHECK(fourth.taken == Positions{0, 1});
    table.end_refresh(third.keys);
    table.end_refresh(second.keys);
    const Batch fifth(table, {"a", "b", "c", "d"});
    CHECK(fifth.taken == Positions{2, 3});
  }

  TEST_CASE("a removal marks exactly its own keys of a refresh") {
    InFlightTable table;
    const Batch batch(table, {"Post:1:a", "Post:1:b", "Post:12:a", "x"});
    for (int i = 0; i < 2'000; ++i) table.removed("other " + std::to_string(i));
    CHECK(table.removed_since_begin(batch.keys) == std::vector<bool>{false, false, false, false});
    table.removed("Post:1:b");
    CHECK(table.removed_since_begin(batch.keys) == std::vector<bool>{false, true, false, false});
    table.removed_prefix("Post:1:");
    CHECK(table.removed_since_begin(batch.keys) == std::vector<bool>{true, true, false, false});
    table.removed_prefix("");
    CHECK(table.removed_since_begin(batch.keys) == std::vector<bool>(4, true));
  }

  TEST_CASE("a refresh leaves out keys that were removed since the look-up") {
    InFlightTable table;
    const std::uint64_t before = table.removals();
    table.removed("a");
    const Batch batch(table, {"a", "b"}, before);
    CHECK(batch.taken == Positions{1});
    const Batch later(table, {"a"});
    CHECK(later.taken == Positions{0});
  }
}
