#include <cstdint>
#include <deque>
#include <random>

#include <doctest/doctest.h>

#include "memory/tier_table.hpp"

// Compares a ring of entries with a queue of their positions.

using ashmemo::memory::SharedWords;
using ashmemo::memory::TierRing;

namespace {

constexpr std::size_t kWordsShift = 32;  // as in an entry's first word

struct Piece {
  std::size_t at = 0;
  std::size_t count = 0;
};

/// A ring of `size` words with 10 other words before and after it.
class Run {
 public:
  Run(std::uint32_t seed, std::size_t size)
      : random_(seed), words_(size + 20), ring_(words_, 10, 10 + size) {}

  void take(std::size_t count) {
    const bool has_space = ring_.has_space(count);
    const auto at = ring_.take(count);
    CHECK(at.has_value() == has_space);
    if (!at) return;
    CHECK(*at >= 10);
    CHECK(*at + count <= 10 + ring_.size());
    for (const Piece& other : model_) {
      CHECK((*at + count <= other.at || other.at + other.count <= *at));
    }
    words_.store(*at, std::uint64_t{count} << kWordsShift);
    for (std::size_t i = 1; i < count; ++i) words_.store(*at + i, random_());
    model_.push_back({*at, count});
  }

  void drop() {
    if (model_.empty()) return;
    CHECK(ring_.oldest() == model_.front().at);
    model_.pop_front();
    ring_.drop_oldest();
  }

  void check() {
    CHECK(ring_.empty() == model_.empty());
    CHECK(ring_.used() <= ring_.size());
    std::size_t used = 0;
    for (const Piece& piece : model_) used += piece.count;
    CHECK(ring_.used() >= used);
    CHECK(ring_.used() <= used + padding());
    if (!model_.empty()) CHECK(ring_.oldest() == model_.front().at);
    for (const std::size_t outside : {std::size_t{9}, 10 + ring_.size()}) {
      CHECK(words_.load(outside) == 0);
    }
  }

  void step(std::size_t max_count) {
    random_() % 5 < 3 ? take(4 + random_() % (max_count - 3)) : drop();
    check();
  }

  void empty() {
    while (!model_.empty()) drop();
    CHECK(ring_.empty());
    CHECK(ring_.used() == 0);
  }

  [[nodiscard]] TierRing& ring() { return ring_; }

 private:
  /// The unused words before the end, if a later entry did not fit there.
  [[nodiscard]] std::size_t padding() const {
    for (std::size_t i = 1; i < model_.size(); ++i) {
      const Piece& before = model_[i - 1];
      if (model_[i].at < before.at) return 10 + ring_.size() - before.at - before.count;
    }
    return 0;
  }

  std::mt19937 random_;
  SharedWords words_;
  TierRing ring_;
  std::deque<Piece> model_;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("entries in a ring keep their order and never overlap") {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
      for (const std::size_t size : {40u, 41u, 300u}) {
        for (const std::size_t max_count : {4u, 9u, 40u}) {
          CAPTURE(seed);
          CAPTURE(size);
          CAPTURE(max_count);
          Run run(seed, size);
          for (int i = 0; i < 400; ++i) run.step(max_count);
          run.empty();
          // The whole ring can be used again.
          CHECK(run.ring().has_space(size));
          run.take(size);
          CHECK(run.ring().used() == size);
          CHECK_FALSE(run.ring().take(4));
        }
      }
    }
  }

  TEST_CASE("a ring can be filled completely and reuses the space of dropped entries") {
    Run run(1, 40);
    for (int i = 0; i < 10; ++i) run.take(4);
    CHECK(run.ring().used() == 40);
    CHECK_FALSE(run.ring().has_space(1));
    for (int i = 0; i < 100; ++i) {
      run.drop();
      CHECK(run.ring().has_space(4));
      CHECK_FALSE(run.ring().has_space(5));
      run.take(4);
      CHECK(run.ring().used() == 40);
      run.check();
    }
  }

  TEST_CASE("a ring skips the words before its end if an entry does not fit there") {
    Run run(1, 40);
    run.take(30);
    CHECK_FALSE(run.ring().has_space(12));
    run.drop();
    run.take(15);
    run.take(15);
    run.drop();
    run.take(12);  // at the beginning; the 10 words before the end count as used
    CHECK(run.ring().used() == 15 + 10 + 12);
    run.drop();
    CHECK(run.ring().used() == 12);
    run.check();
    run.empty();
  }

  TEST_CASE("a cleared ring is empty and has all its space") {
    Run run(1, 40);
    run.take(35);
    run.ring().clear();
    CHECK(run.ring().empty());
    CHECK(run.ring().has_space(40));
  }

  TEST_CASE("a ring refuses an entry larger than itself") {
    Run run(1, 40);
    CHECK_FALSE(run.ring().has_space(41));
    CHECK_FALSE(run.ring().take(41));
    CHECK(run.ring().empty());
  }
}
