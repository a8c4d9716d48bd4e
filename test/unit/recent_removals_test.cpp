#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "engine/in_flight.hpp"

using ashmemo::engine::RecentRemovals;

namespace {

/// A short word of the letters a and b. Many of these words are prefixes of others.
std::string word(std::mt19937& random, std::size_t min_size) {
  std::string out(min_size + random() % 4, 'a');
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

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("recent removals cover removed keys and keys with removed prefixes") {
    RecentRemovals removals;
    const auto covers = [&removals](std::uint64_t since, std::string_view key) {
      return RecentRemovals::Since(removals, since).covers(key);
    };
    CHECK_FALSE(covers(0, "a"));
    removals.add_key("a");
    removals.add_prefix("Post:4:");
    CHECK(removals.last() == 2);
    CHECK(covers(0, "a"));
    CHECK_FALSE(covers(0, "ab"));
    CHECK_FALSE(covers(1, "a"));
    CHECK(covers(1, "Post:4:length"));
    CHECK_FALSE(covers(1, "Post:42:length"));
    CHECK_FALSE(covers(2, "Post:4:length"));
    removals.add_prefix("");
    CHECK(covers(2, "anything"));
  }

  TEST_CASE("recent removals give the same answers as a list of all removals") {
    std::mt19937 random(3);
    for (int round = 0; round < 100; ++round) {
      RecentRemovals removals;
      std::vector<Removed> all;
      for (int i = 0; i < 12; ++i) {
        all.push_back({random() % 3 == 0, word(random, 1)});
        all.back().is_prefix ? removals.add_prefix(all.back().text)
                             : removals.add_key(all.back().text);
      }
      for (std::uint64_t since = 0; since <= all.size(); ++since) {
        const RecentRemovals::Since removed(removals, since);
        for (int i = 0; i < 10; ++i) {
          const std::string key = word(random, 2);
          const bool expected =
              std::any_of(all.begin() + static_cast<std::ptrdiff_t>(since), all.end(),
                          [&key](const Removed& one) { return one.covers(key); });
          CHECK(removed.covers(key) == expected);
        }
      }
    }
  }

  TEST_CASE("a query from before the remembered removals reports every key as removed") {
    RecentRemovals removals;
    for (std::size_t i = 0; i <= RecentRemovals::kMax; ++i) removals.add_key(std::to_string(i));
    CHECK(RecentRemovals::Since(removals, 0).covers("x"));
    const RecentRemovals::Since since_first(removals, 1);
    CHECK_FALSE(since_first.covers("x"));
    CHECK_FALSE(since_first.covers("0"));
    CHECK(since_first.covers("1"));
    CHECK(since_first.covers(std::to_string(RecentRemovals::kMax)));
  }

  TEST_CASE("only the beginning of a long prefix is remembered") {
    RecentRemovals removals;
    const std::string begin(RecentRemovals::kMaxPrefix, 'x');
    removals.add_prefix(begin + "one:");
    const RecentRemovals::Since since(removals, 0);
    CHECK(since.covers(begin + "one:length"));
    CHECK(since.covers(begin + "two:length"));
    CHECK_FALSE(since.covers("xxx"));
  }
}
