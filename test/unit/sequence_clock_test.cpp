#include <algorithm>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "engine/time.hpp"

using ashmemo::engine::SequenceClock;

TEST_SUITE("unit") {
  TEST_CASE("next returns the wall clock when it has advanced") {
    SequenceClock sequence_clock;
    CHECK(sequence_clock.next(1'000) == 1'000);
    CHECK(sequence_clock.next(2'000) == 2'000);
  }

  TEST_CASE("stamps increase while the clock does not advance") {
    SequenceClock sequence_clock;
    CHECK(sequence_clock.next(1'000) == 1'000);
    CHECK(sequence_clock.next(1'000) == 1'001);
    CHECK(sequence_clock.next(10) == 1'002);
    CHECK(sequence_clock.next(-5) == 1'003);
    CHECK(sequence_clock.next(1'003) == 1'004);
    CHECK(sequence_clock.next(5'000) == 5'000);
  }

  TEST_CASE("stamps increase for a clock before 1970") {
    SequenceClock sequence_clock;
    const std::int64_t first = sequence_clock.next(-1'000);
    CHECK(sequence_clock.next(-1'000) > first);
  }

  TEST_CASE("stamps are larger than the last stamp in the file") {
    SequenceClock sequence_clock;
    sequence_clock.raise(9'000);
    CHECK(sequence_clock.next(1'000) == 9'001);
    sequence_clock.raise(10);
    CHECK(sequence_clock.next(1'000) == 9'002);
  }

  TEST_CASE("stamps increase after a file or a clock contained the maximum integer") {
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    SequenceClock sequence_clock;
    sequence_clock.raise(kMax);
    CHECK(sequence_clock.next(1'000) == 1'000);
    const std::int64_t at_the_end = sequence_clock.next(kMax);
    CHECK(sequence_clock.next(kMax) == at_the_end + 1);
    CHECK(sequence_clock.next(1'000) == at_the_end + 2);
  }

  TEST_CASE("no two threads get the same stamp") {
    constexpr int kThreads = 4;
    constexpr int kEach = 5'000;
    SequenceClock sequence_clock;
    std::vector<std::vector<std::int64_t>> got(kThreads);
    std::vector<std::thread> threads;
    for (auto& mine : got) {
      threads.emplace_back([&sequence_clock, &mine] {
        for (int i = 0; i < kEach; ++i) mine.push_back(sequence_clock.next(i % 7));
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<std::int64_t> all;
    for (const auto& mine : got) {
      CHECK(std::is_sorted(mine.begin(), mine.end()));
      all.insert(all.end(), mine.begin(), mine.end());
    }
    std::sort(all.begin(), all.end());
    CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
    CHECK(all.size() == kThreads * kEach);
  }
}
