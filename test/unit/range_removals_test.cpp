#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/write_queue.hpp"
#include "support/fake_engine.hpp"

using namespace ashmemo;
using engine::Range;
using engine::RangePtr;
using engine::RangeRemovals;

namespace {

RangePtr removal(std::string prefix, std::uint64_t number) {
  auto range = std::make_shared<Range>();
  range->kind = prefix.empty() ? Range::Kind::erase_all : Range::Kind::erase_prefix;
  range->prefix = std::move(prefix);
  range->number = number;
  return range;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a range removal covers older keys with its prefix") {
    RangeRemovals removals;
    CHECK_FALSE(removals.cover("Post:1", 0));
    removals.add(removal("Post:1:", 5));
    CHECK(removals.cover("Post:1:words", 0));
    CHECK(removals.cover("Post:1:", 4));
    CHECK_FALSE(removals.cover("Post:1:words", 5));
    CHECK_FALSE(removals.cover("Post:1", 0));
    CHECK_FALSE(removals.cover("Post:11:words", 0));
    removals.add(removal("", 7));
    CHECK(removals.cover("Post:1:words", 6));
    CHECK(removals.cover("", 0));
    CHECK_FALSE(removals.cover("Other", 7));
  }

  TEST_CASE("the newest removal of a prefix replaces older ones") {
    RangeRemovals removals;
    const RangePtr older = removal("a", 1);
    const RangePtr newer = removal("a", 2);
    removals.add(older);
    removals.add(newer);
    CHECK(removals.size() == 1);
    removals.remove(*older);
    CHECK(removals.cover("ab", 1));
    removals.remove(*newer);
    CHECK(removals.size() == 0);
    CHECK_FALSE(removals.cover("ab", 0));
  }

  TEST_CASE("RangeRemovals gives the same answers as a plain list") {
    std::mt19937 random(3);
    const auto any_key = [&random] {
      std::string key;
      for (auto length = random() % 6; length > 0; --length) key += random() % 2 != 0 ? 'a' : 'b';
      return key;
    };
    RangeRemovals removals;
    std::vector<RangePtr> list;
    for (std::uint64_t number = 1; number <= 2'000; ++number) {
      if (random() % 3 != 0 || list.empty()) {
        list.push_back(removal(any_key(), number));
        removals.add(list.back());
      } else {  // the oldest removal is finished
        removals.remove(*list.front());
        list.erase(list.begin());
      }
      const std::string key = any_key() + any_key();
      const std::uint64_t older = random() % (number + 1);
      bool covered = false;
      for (const RangePtr& one : list) covered |= one->number > older && one->covers(key);
      CHECK(removals.cover(key, older) == covered);
    }
  }
}
