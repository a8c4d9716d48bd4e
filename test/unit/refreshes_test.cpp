#include "engine/refreshes.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

// Which keys a background refresh accepts.

using namespace ashmemo;
using engine::Refreshes;
using engine::RefreshKeys;

namespace {

using Keys = std::vector<std::string_view>;
using Places = std::vector<std::size_t>;

struct Batch {
  RefreshKeys keys;
  Places taken;

  Batch(Refreshes& refreshes, const Keys& wanted) : taken(refreshes.begin(keys, wanted)) {}
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a refresh accepts all its keys when no other refresh runs") {
    Refreshes refreshes;
    const Batch batch(refreshes, {"a", "", "bc"});
    CHECK(batch.taken == Places{0, 1, 2});
    REQUIRE(batch.keys.size() == 3);
    CHECK(batch.keys[0] == "a");
    CHECK(batch.keys[1].empty());
    CHECK(batch.keys[2] == "bc");
  }

  TEST_CASE("a refresh skips the keys of earlier refreshes until these end") {
    Refreshes refreshes;
    const Batch first(refreshes, {"a", "b"});
    const Batch second(refreshes, {"b", "c"});
    const Batch third(refreshes, {"a", "c", "d", "b"});
    CHECK(second.taken == Places{1});
    CHECK(third.taken == Places{2});
    refreshes.end(first.keys);
    const Batch fourth(refreshes, {"a", "b", "c", "d"});
    CHECK(fourth.taken == Places{0, 1});
    refreshes.end(third.keys);
    refreshes.end(second.keys);
    const Batch fifth(refreshes, {"a", "b", "c", "d"});
    CHECK(fifth.taken == Places{2, 3});
  }

  TEST_CASE("a refresh that skips all its keys does not block these keys") {
    Refreshes refreshes;
    const Batch first(refreshes, {"a"});
    const Batch nothing(refreshes, {"a"});
    CHECK(nothing.taken.empty());
    CHECK(nothing.keys.size() == 0);
    refreshes.end(first.keys);
    const Batch again(refreshes, {"a"});
    CHECK(again.taken == Places{0});
  }

  TEST_CASE("a key that occurs twice in a refresh is released when the refresh ends") {
    Refreshes refreshes;
    const Batch twice(refreshes, {"a", "a"});
    CHECK(twice.keys.size() == 2);  // the load computes the key once
    const Batch other(refreshes, {"a", "b"});
    CHECK(other.taken == Places{1});
    refreshes.end(twice.keys);
    refreshes.end(other.keys);
    const Batch again(refreshes, {"a", "b"});
    CHECK(again.taken == Places{0, 1});
  }
}
