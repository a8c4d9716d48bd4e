#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "memory/tier_table.hpp"

// Compares the index of a memory tier shard with a map.

using ashmemo::memory::TierIndex;

namespace {

/// Runs random operations on an index and on a map from positions to entries.
class Run {
 public:
  Run(std::uint32_t seed, std::size_t places, std::uint64_t homes)
      : random_(seed), index_(places), homes_(homes) {}

  void step() {
    const std::uint32_t operation = roll(100);
    if (operation < 60 && !index_.is_full()) {
      index_.grow();
      insert();
    } else if (operation < 90) {
      remove();
    } else if (operation < 99) {
      look();
    } else if (roll(20) == 0) {
      index_.clear();
      model_.clear();
    }
    CHECK(index_.used() == model_.size());
  }

  void check_all() {
    for (const auto& [position, entry] : model_) CHECK(is_there(entry.hash, position));
  }

 private:
  struct Entry {
    std::uint64_t hash = 0;
    unsigned reads = 0;
  };

  std::uint32_t roll(std::uint32_t sides) { return static_cast<std::uint32_t>(random_()) % sides; }

  /// If `homes_` is not 0, few hashes exist and their homes are at the end of the index. Then
  /// entries are pushed to other places, also around the end.
  std::uint64_t any_hash() {
    return homes_ == 0 ? std::uint64_t{random_()} << 32 | random_()
                       : ~std::uint64_t{0} - (std::uint64_t{roll(1'000)} % homes_ << 34);
  }

  bool is_there(std::uint64_t hash, std::size_t position) {
    Entry& entry = model_[position];
    if (entry.reads < TierIndex::kMaxReads) ++entry.reads;
    return index_.look(hash, [position](std::size_t found) { return found == position; });
  }

  void insert() {
    const Entry entry{any_hash(), roll(TierIndex::kMaxReads + 1)};
    const std::size_t position = next_position_++;
    index_.insert(entry.hash, position, entry.reads);
    model_[position] = entry;
  }

  void remove() {
    if (model_.empty()) return;
    const auto removed = any_entry();
    CHECK(index_.remove(removed->second.hash, removed->first) == removed->second.reads);
    const std::size_t gone = removed->first;
    CHECK_FALSE(
        index_.look(removed->second.hash, [gone](std::size_t found) { return found == gone; }));
    model_.erase(removed);
  }

  void look() {
    if (model_.empty()) return;
    const auto one = any_entry();
    CHECK(is_there(one->second.hash, one->first));
    CHECK_FALSE(index_.look(any_hash(), [](std::size_t) { return false; }));
  }

  std::map<std::size_t, Entry>::iterator any_entry() {
    auto one = model_.lower_bound(next_position_ == 0 ? 0 : random_() % next_position_);
    return one == model_.end() ? model_.begin() : one;
  }

  std::mt19937 random_;
  TierIndex index_;
  const std::uint64_t homes_;  // 0 for all homes
  std::size_t next_position_ = 0;
  std::map<std::size_t, Entry> model_;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the tier index behaves like a map at any fill level") {
    for (std::uint32_t seed = 1; seed <= 8; ++seed) {
      for (const std::size_t places : {5u, 64u, 150u, 1'000u}) {
        for (const std::uint64_t homes : {0u, 1u, 3u, 500u}) {
          CAPTURE(seed);
          CAPTURE(places);
          CAPTURE(homes);
          Run run(seed, places, homes);
          for (int i = 0; i < 600; ++i) run.step();
          run.check_all();
        }
      }
    }
  }

  TEST_CASE("the tier index counts at most three reads") {
    TierIndex index(10);
    index.insert(1, 5, 0);
    for (int i = 0; i < 10; ++i) CHECK(index.look(1, [](std::size_t) { return true; }));
    CHECK(index.remove(1, 5) == 3);
    index.insert(1, 5, 0);
    CHECK_FALSE(index.look(1, [](std::size_t) { return false; }));  // no read
    CHECK(index.remove(1, 5) == 0);
  }

  TEST_CASE("is_full returns true when four fifths of the places are used") {
    TierIndex index(10);
    CHECK(index.places() == 10);
    for (std::size_t i = 0; i < 8; ++i) {
      CHECK_FALSE(index.is_full());
      index.insert(i << 50, i, 0);
    }
    CHECK(index.is_full());
    index.clear();
    CHECK(index.used() == 0);
    CHECK_FALSE(index.is_full());
  }

  TEST_CASE("the tier index starts small, doubles when it is half full and keeps its entries") {
    TierIndex index(1'000);
    CHECK(index.places() == 64);
    std::mt19937_64 random(1);
    std::vector<std::uint64_t> hashes;
    while (!index.is_full()) {
      index.grow();
      CHECK((index.used() < index.places() / 2 || index.places() == 1'000));
      hashes.push_back(random());
      index.insert(hashes.back(), hashes.size(), hashes.size() % 4);
    }
    CHECK(index.places() == 1'000);
    CHECK(hashes.size() == 800);
    for (std::size_t i = hashes.size(); i > 0; --i) CHECK(index.remove(hashes[i - 1], i) == i % 4);
    CHECK(index.used() == 0);
  }
}
