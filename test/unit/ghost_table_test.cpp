#include <doctest/doctest.h>

#include <cstddef>
#include <string>

#include "eviction/ghost_table.hpp"

using ashmemo::eviction::GhostTable;

namespace {

std::string key_of(std::size_t number) { return "Post:" + std::to_string(number) + ":word_count"; }

GhostTable filled(std::size_t capacity, std::size_t keys) {
  GhostTable ghosts;
  ghosts.resize(capacity);
  for (std::size_t i = 0; i < keys; ++i) ghosts.insert(key_of(i));
  return ghosts;
}

std::size_t taken(GhostTable& ghosts, std::size_t from, std::size_t to) {
  std::size_t count = 0;
  for (std::size_t i = from; i < to; ++i) count += ghosts.take(key_of(i)) ? 1U : 0U;
  return count;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a ghost table without capacity remembers nothing") {
    GhostTable ghosts;
    ghosts.insert("a");
    CHECK_FALSE(ghosts.take("a"));
    ghosts.resize(0);
    ghosts.insert("a");
    CHECK_FALSE(ghosts.take("a"));
    CHECK(ghosts.capacity() == 0);
  }

  TEST_CASE("a ghost can be taken only once") {
    GhostTable ghosts = filled(1000, 0);
    ghosts.insert("a");
    CHECK_FALSE(ghosts.take("b"));
    CHECK(ghosts.take("a"));
    CHECK_FALSE(ghosts.take("a"));
  }

  TEST_CASE("a ghost table of one bucket forgets exactly the oldest ghosts") {
    GhostTable ghosts = filled(10, 15);
    CHECK(ghosts.capacity() == 10);
    CHECK(taken(ghosts, 0, 5) == 0);
    CHECK(taken(ghosts, 5, 15) == 10);
  }

  TEST_CASE("a ghost that was taken frees its place for another ghost") {
    GhostTable ghosts = filled(10, 10);
    CHECK(ghosts.take(key_of(4)));
    ghosts.insert(key_of(10));
    CHECK(taken(ghosts, 0, 11) == 10);
  }

  TEST_CASE("a large ghost table remembers about as many of the newest ghosts as it has places") {
    GhostTable ghosts = filled(10'000, 50'000);
    CHECK(ghosts.capacity() >= 10'000);
    CHECK(ghosts.capacity() < 10'700);
    CHECK(taken(ghosts, 45'000, 50'000) > 4'900);
    CHECK(taken(ghosts, 40'000, 45'000) > 2'500);
    CHECK(taken(ghosts, 0, 30'000) < 150);
  }

  TEST_CASE("a ghost table almost never reports a key that was not inserted") {
    GhostTable ghosts = filled(100'000, 100'000);
    CHECK(taken(ghosts, 1'000'000, 1'100'000) < 100);
  }

  TEST_CASE("a ghost table that grows keeps its ghosts") {
    GhostTable ghosts = filled(1000, 500);
    ghosts.resize(5000);
    CHECK(ghosts.capacity() >= 5000);
    CHECK(taken(ghosts, 0, 500) == 500);
  }

  TEST_CASE("a ghost table that shrinks keeps about its newest ghosts") {
    GhostTable ghosts = filled(5000, 4000);
    ghosts.resize(1000);
    CHECK(ghosts.capacity() < 1100);
    CHECK(taken(ghosts, 3500, 4000) > 400);
    CHECK(taken(ghosts, 0, 2000) < 150);
  }
}
