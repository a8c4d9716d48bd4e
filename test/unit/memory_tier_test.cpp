#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/allocations.hpp"
#include "tier_fixture.hpp"

// Fills and changes of the memory tier by one thread.

using namespace ashmemo;
using memory::MemoryTier;
using memory::TierChange;
using test::TierFixture;

namespace {

/// Makes random fills and changes. A value that is found must be the one that was filled after the
/// last change of its key.
class Run {
 public:
  Run(std::uint32_t seed, std::int64_t bytes) : random_(seed), fixture_(bytes) {}

  void step() {
    const std::string key = "key " + std::to_string(roll(300));
    const std::uint32_t action = roll(100);
    if (action < 45) {
      fill(key);
    } else if (action < 95) {
      find(key);
    } else if (action < 99) {
      fixture_.change(key);
      filled_.erase(key);
    } else if (roll(10) == 0) {
      fixture_.change_all();
      filled_.clear();
    }
    if (action % 16 == 0) CHECK(fixture_.usage().bytes <= bytes_);
  }

  [[nodiscard]] int hits() const { return hits_; }

 private:
  std::uint32_t roll(std::uint32_t sides) { return static_cast<std::uint32_t>(random_()) % sides; }

  /// Fills like a reader does. A key keeps its text until it is changed.
  void fill(const std::string& key) {
    std::string& text = filled_[key];
    if (text.empty()) text = std::to_string(++texts_) + std::string(size(), '.');
    fixture_.fill(key, text);
  }

  /// Returns mostly small sizes.
  std::size_t size() { return roll(8) == 0 ? roll(20'000) : roll(100); }

  void find(const std::string& key) {
    const auto found = fixture_.get(key);
    if (!found) return;
    ++hits_;
    CHECK(*found == filled_[key]);
  }

  std::mt19937 random_;
  TierFixture fixture_;
  const std::int64_t bytes_ = 256 << 10;
  std::map<std::string, std::string> filled_;  // the texts since the last change of each key
  int texts_ = 0;
  int hits_ = 0;
};

int run(std::uint32_t seed, std::int64_t bytes) {
  CAPTURE(seed);
  Run run(seed, bytes);
  for (int i = 0; i < 5'000; ++i) run.step();
  return run.hits();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a change removes the copy of a large entry although no memory is free") {
    TierFixture fixture;
    const std::string text(10'000, 'x');
    fixture.fill("k", text);
    REQUIRE(fixture.get("k") == text);
    {
      const test::FailingAllocation failing(0);
      fixture.change("k");
    }
    CHECK_FALSE(fixture.get("k").has_value());
  }

  TEST_CASE("the memory tier contains only entries that were filled") {
    TierFixture fixture;
    CHECK_FALSE(fixture.get("a"));
    CHECK(fixture.usage().entries == 0);
    CHECK(fixture.usage().bytes == 0);
    fixture.fill("a", "1");
    CHECK(fixture.get("a") == "1");
    CHECK_FALSE(fixture.get("b"));
    CHECK(fixture.usage().entries == 1);
    CHECK(fixture.usage().bytes > 0);
  }

  TEST_CASE("a change of a key removes its entry and no other") {
    TierFixture fixture;
    fixture.fill("a", "1");
    fixture.fill("b", "2");
    fixture.change("a");
    CHECK_FALSE(fixture.get("a"));
    CHECK(fixture.get("b") == "2");
    CHECK(fixture.usage().entries == 1);
    fixture.fill("a", "3");
    CHECK(fixture.get("a") == "3");
  }

  TEST_CASE("a change of all keys removes everything") {
    TierFixture fixture(64 << 20);  // has many shards
    const auto key = [](int i) { return "key " + std::to_string(i); };
    for (int i = 0; i < 1'000; ++i) fixture.fill(key(i), "1");
    CHECK(fixture.usage().entries == 1'000);
    fixture.change_all();
    CHECK(fixture.usage().entries == 0);
    for (int i = 0; i < 1'000; ++i) CHECK_FALSE(fixture.get(key(i)));
    for (int i = 0; i < 1'000; ++i) fixture.fill(key(i), "2");
    for (int i = 0; i < 1'000; ++i) CHECK(fixture.get(key(i)) == "2");
  }

  TEST_CASE("a change hides the entry from its beginning") {
    TierFixture fixture;
    fixture.fill("a", "1");
    for (const bool all : {false, true}) {
      INFO(all);
      fixture.fill("a", "1");
      all ? fixture.tier->begin_change_of_all() : fixture.tier->begin_change("a");
      CHECK_FALSE(fixture.get("a"));
      fixture.fill("a", "2");
      CHECK_FALSE(fixture.get("a"));
      all ? fixture.tier->end_change_of_all() : fixture.tier->end_change("a");
      CHECK_FALSE(fixture.get("a"));
    }
  }

  TEST_CASE("a fill is ignored if its look-up was before the end of a change") {
    using Meanwhile = std::function<void(TierFixture&)>;
    const auto nothing = [](TierFixture&) {};
    const auto begin = [](TierFixture& f) { f.tier->begin_change("a"); };
    const auto end = [](TierFixture& f) { f.tier->end_change("a"); };
    const auto begin_all = [](TierFixture& f) { f.tier->begin_change_of_all(); };
    const auto end_all = [](TierFixture& f) { f.tier->end_change_of_all(); };
    // The steps before the look-up, between look-up and fill, and after the fill.
    const std::vector<std::vector<Meanwhile>> orders = {
        {nothing, begin, end},
        {begin, end, nothing},
        {begin, nothing, end},
        {nothing, begin_all, end_all},
        {begin_all, end_all, nothing},
        {begin_all, nothing, end_all},
        {nothing, [](TierFixture& f) { f.change("a"); }, nothing},
        {nothing, [](TierFixture& f) { f.change_all(); }, nothing},
    };
    for (std::size_t i = 0; i < orders.size(); ++i) {
      INFO(i);
      TierFixture fixture;
      orders[i][0](fixture);
      const MemoryTier::Look look = fixture.look("a");
      orders[i][1](fixture);
      fixture.tier->fill("a", look, TierFixture::text_row("old"));
      orders[i][2](fixture);
      CHECK_FALSE(fixture.get("a"));
      fixture.fill("a", "new");
      CHECK(fixture.get("a") == "new");
    }
  }

  TEST_CASE("two changes of a key at the same time last until both have ended") {
    TierFixture fixture;
    fixture.tier->begin_change("a");
    fixture.tier->begin_change("a");
    fixture.tier->end_change("a");
    fixture.fill("a", "1");
    CHECK_FALSE(fixture.get("a"));
    fixture.tier->end_change("a");
    fixture.fill("a", "2");
    CHECK(fixture.get("a") == "2");
  }

  TEST_CASE("a TierChange without a tier does nothing") {
    const TierChange one(nullptr, "a");
    const TierChange all(nullptr);
  }

  TEST_CASE("an entry that is filled twice exists once") {
    TierFixture fixture;
    const MemoryTier::Look first = fixture.look("a");
    const MemoryTier::Look second = fixture.look("a");
    fixture.tier->fill("a", first, TierFixture::text_row("1"));
    fixture.tier->fill("a", second, TierFixture::text_row("1"));
    CHECK(fixture.usage().entries == 1);
    fixture.change("a");
    CHECK_FALSE(fixture.get("a"));
  }

  TEST_CASE("an entry that exceeds the fixed buffer of a copy is found whole") {
    TierFixture fixture(8 << 20);
    for (const std::size_t size : {2'000u, 2'040u, 2'048u, 2'100u, 50'000u}) {
      INFO(size);
      const std::string key = "of " + std::to_string(size);
      const std::string text = std::string(size - 1, 'x') + "y";
      fixture.fill(key, text);
      CHECK(fixture.get(key) == text);
    }
  }

  TEST_CASE("the memory tier behaves like a simple model") {
    int hits = 0;
    for (std::uint32_t seed = 1; seed <= 10; ++seed) hits += run(seed, 256 << 10);
    hits += run(std::random_device{}(), 256 << 10);
    for (std::uint32_t seed = 1; seed <= 5; ++seed) hits += run(seed, 64 << 10);
    CHECK(hits > 1'000);
  }
}
