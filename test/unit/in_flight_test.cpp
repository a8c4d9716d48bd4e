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

using ashmemo::engine::ExecutorSlot;
using ashmemo::engine::InFlightTable;
using ashmemo::engine::RefreshBatch;
using ashmemo::engine::RefreshQueue;
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

/// A table and the keys of refreshes, to which it reports removals.
struct Tables {
  ExecutorSlot executor{nullptr};
  RefreshQueue queue{executor};
  InFlightTable in_flight{&queue};
};

struct Batch : RefreshBatch {
  Batch(Tables& tables, const Keys& wanted, std::uint64_t removals)
      : RefreshBatch(nullptr), taken(tables.in_flight.begin_refresh(*this, wanted, removals)) {}
  Batch(Tables& tables, const Keys& wanted) : Batch(tables, wanted, tables.in_flight.removals()) {}
  void run() override {}

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

  TEST_CASE("the removal filter misses no key among more removals than it has buckets") {
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
    Tables tables;
    const Batch batch(tables, {"a", "", "bc"});
    CHECK(batch.taken == Positions{0, 1, 2});
    REQUIRE(batch.keys().size() == 3);
    CHECK(batch.keys()[0] == "a");
    CHECK(batch.keys()[1].empty());
    CHECK(batch.keys()[2] == "bc");
  }

  TEST_CASE("a refresh leaves out the keys of other refreshes until they end") {
    Tables tables;
    const Batch first(tables, {"a", "b"});
    const Batch second(tables, {"b", "c", "c"});
    const Batch third(tables, {"a", "c", "d", "b"});
    CHECK(second.taken == Positions{1});
    CHECK(third.taken == Positions{2});
    tables.queue.end(first);
    const Batch fourth(tables, {"a", "b", "c", "d"});
    CHECK(fourth.taken == Positions{0, 1});
    tables.queue.end(third);
    tables.queue.end(second);
    const Batch fifth(tables, {"a", "b", "c", "d"});
    CHECK(fifth.taken == Positions{2, 3});
  }

  TEST_CASE("a removal marks exactly its own keys of a refresh") {
    Tables tables;
    const Batch batch(tables, {"Post:1:a", "Post:1:b", "Post:12:a", "x"});
    const auto removed = [&] { return tables.queue.removed_since_begin(batch); };
    for (int i = 0; i < 2'000; ++i) tables.in_flight.removed("other " + std::to_string(i));
    CHECK(removed() == std::vector<bool>{false, false, false, false});
    tables.in_flight.removed("Post:1:b");
    CHECK(removed() == std::vector<bool>{false, true, false, false});
    tables.in_flight.removed_prefix("Post:1:");
    CHECK(removed() == std::vector<bool>{true, true, false, false});
    tables.in_flight.removed_prefix("");
    CHECK(removed() == std::vector<bool>(4, true));
  }

  TEST_CASE("a refresh marks keys that were removed since the look-up") {
    Tables tables;
    const std::uint64_t before = tables.in_flight.removals();
    tables.in_flight.removed("a");
    const Batch batch(tables, {"a", "b"}, before);
    CHECK(tables.queue.removed_since_begin(batch) == std::vector<bool>{true, false});
    const Batch later(tables, {"c"});
    CHECK(tables.queue.removed_since_begin(later) == std::vector<bool>{false});
  }
}
