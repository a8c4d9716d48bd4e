#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "engine/access_buffer.hpp"
#include "support/system_calls.hpp"

using namespace ashmemo;
using engine::AccessBuffer;
using Marked = engine::AccessBuffer::Marked;

namespace {

/// Marks a touch. Its stamp is the same as its time.
Marked mark(AccessBuffer& marks, std::int64_t rowid, std::int64_t moment) {
  engine::SequenceClock sequence_clock;
  return marks.mark(rowid, moment, sequence_clock);
}

/// Takes the marks of the first `max_rows` rows after `after`.
std::vector<store::TouchRow> drain(AccessBuffer& marks, std::int64_t after = 0,
                                   std::size_t max_rows = 1'000'000) {
  std::vector<store::TouchRow> taken;
  for (const std::int64_t row : marks.rows(after, max_rows)) {
    if (const auto touch = marks.take(row)) taken.push_back(*touch);
  }
  return taken;
}

std::map<std::int64_t, std::int64_t> counts_of(const std::vector<store::TouchRow>& touches) {
  std::map<std::int64_t, std::int64_t> counts;
  for (const store::TouchRow& touch : touches) counts[touch.rowid] += touch.count;
  return counts;
}

bool is_in_order(const std::vector<store::TouchRow>& touches) {
  return std::is_sorted(touches.begin(), touches.end(),
                        [](const auto& a, const auto& b) { return a.rowid < b.rowid; });
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("later marks of a row are coalesced and the last time is kept") {
    AccessBuffer marks;
    CHECK(marks.empty());
    CHECK(mark(marks, 7, 100) == Marked::fresh);
    CHECK(mark(marks, 7, 200) == Marked::coalesced);
    CHECK(mark(marks, 7, 300) == Marked::coalesced);
    CHECK(mark(marks, 8, 250) == Marked::fresh);
    CHECK_FALSE(marks.empty());

    const std::vector<store::TouchRow> touches = drain(marks);
    REQUIRE(touches.size() == 2);
    CHECK(touches[0].rowid == 7);
    CHECK(touches[0].count == 3);
    CHECK(touches[0].accessed_at == 300);
    CHECK(touches[1].rowid == 8);
    CHECK(touches[1].count == 1);
    CHECK(touches[1].accessed_at == 250);
    CHECK(marks.empty());
    CHECK(drain(marks).empty());
  }

  TEST_CASE("a row that is read very often is not marked for every read") {
    AccessBuffer marks;
    for (int i = 0; i < 64; ++i) mark(marks, 7, 1'000);
    CHECK(mark(marks, 7, 10'999) == Marked::coalesced);
    CHECK(mark(marks, 7, 500) == Marked::coalesced);  // counts although the clock went back
    CHECK(mark(marks, 7, 10'500) == Marked::coalesced);
    CHECK(mark(marks, 7, 20'500) == Marked::coalesced);
    const auto touch = marks.take(7);
    REQUIRE(touch);
    CHECK(touch->count == 64 + 3);
    CHECK(touch->accessed_at == 20'500);
  }

  TEST_CASE("take returns the mark of one row only once") {
    AccessBuffer marks;
    mark(marks, 7, 100);
    mark(marks, 7, 110);
    mark(marks, 8, 120);
    const auto taken = marks.take(7);
    REQUIRE(taken);
    CHECK(taken->rowid == 7);
    CHECK(taken->count == 2);
    CHECK(taken->accessed_at == 110);
    CHECK_FALSE(marks.take(7));
    CHECK_FALSE(marks.take(9));
    CHECK(drain(marks).size() == 1);
    CHECK_FALSE(marks.take(8));
  }

  TEST_CASE("a row can be marked again after its mark was taken") {
    AccessBuffer marks;
    mark(marks, 7, 100);
    CHECK(drain(marks).size() == 1);
    CHECK(mark(marks, 7, 200) == Marked::fresh);
    CHECK(drain(marks).size() == 1);
  }

  TEST_CASE("marks are drained in parts and in the order of their rows") {
    AccessBuffer marks;
    for (const std::int64_t row : {50, 20, 40, 10, 30}) mark(marks, row, row);
    const std::vector<store::TouchRow> first = drain(marks, 0, 2);
    REQUIRE(first.size() == 2);
    CHECK(first[0].rowid == 10);
    CHECK(first[1].rowid == 20);
    mark(marks, 10, 100);
    CHECK(marks.take(40));
    const std::vector<store::TouchRow> second = drain(marks, 20, 2);
    REQUIRE(second.size() == 2);
    CHECK(second[0].rowid == 30);
    CHECK(second[1].rowid == 50);
    CHECK(drain(marks, 50, 2).empty());
    CHECK(drain(marks).size() == 1);
    CHECK(marks.empty());
  }

  TEST_CASE("marks of impossible rowids are dropped") {
    AccessBuffer marks;
    CHECK(mark(marks, 0, 1) == Marked::dropped);
    CHECK(mark(marks, -5, 1) == Marked::dropped);
    CHECK(mark(marks, std::int64_t{1} << 43, 1) == Marked::dropped);
    CHECK(mark(marks, INT64_MAX, 1) == Marked::dropped);
    CHECK_FALSE(marks.take(0));
    CHECK_FALSE(marks.take(INT64_MAX));
    CHECK(marks.empty());
  }

  TEST_CASE("the largest rowid that can be marked is returned unchanged") {
    constexpr std::int64_t kLargest = (std::int64_t{1} << 43) - 1;
    AccessBuffer marks;
    CHECK(mark(marks, kLargest, 5) == Marked::fresh);
    const std::vector<store::TouchRow> touches = drain(marks);
    REQUIRE(touches.size() == 1);
    CHECK(touches[0].rowid == kLargest);
    CHECK(touches[0].count == 1);
  }

  TEST_CASE("a count stops at its maximum and does not change the rowid") {
    constexpr std::int64_t kMax = (1 << 20) - 1;
    constexpr std::int64_t kApart = 10'000;
    AccessBuffer marks;
    for (std::int64_t i = 0; i < kMax + 10; ++i) mark(marks, 7, i * kApart);
    const auto taken = marks.take(7);
    REQUIRE(taken);
    CHECK(taken->rowid == 7);
    CHECK(taken->count == kMax);
  }

  TEST_CASE("a full table reports dropped marks and keeps all others") {
    constexpr std::int64_t kRows = 300'000;
    AccessBuffer marks;
    std::int64_t fresh = 0;
    std::int64_t dropped = 0;
    for (std::int64_t row = 1; row <= kRows; ++row) {
      const Marked how = mark(marks, row, row);
      fresh += how == Marked::fresh ? 1 : 0;
      dropped += how == Marked::dropped ? 1 : 0;
    }
    CHECK(fresh + dropped == kRows);
    CHECK(dropped > 0);
    const std::vector<store::TouchRow> touches = drain(marks);
    CHECK(static_cast<std::int64_t>(touches.size()) == fresh);
    CHECK(is_in_order(touches));
    CHECK(static_cast<std::int64_t>(counts_of(touches).size()) == fresh);
    CHECK(marks.empty());
  }

  TEST_CASE("consecutive rows lose few marks while the table is not full") {
    constexpr std::int64_t kRows = 20'000;
    AccessBuffer marks;
    std::int64_t dropped = 0;
    for (std::int64_t row = 1; row <= kRows; ++row) {
      dropped += mark(marks, row, row) == Marked::dropped ? 1 : 0;
    }
    CHECK(dropped < kRows / 100);
  }

  TEST_CASE("a buffer drops all marks if the system has no memory for it") {
    test::before_os_calls(
        [](const test::OsCall& call) { return call.kind == test::OsCall::Kind::map ? ENOMEM : 0; });
    AccessBuffer marks;
    test::before_os_calls({});
    CHECK(mark(marks, 7, 100) == Marked::dropped);
    CHECK(marks.empty());
    CHECK(marks.rows().empty());
    CHECK_FALSE(marks.take(7));
    marks.clear();
  }

  TEST_CASE("clear removes all marks") {
    AccessBuffer marks;
    for (std::int64_t row = 1; row <= 100; ++row) mark(marks, row, row);
    marks.clear();
    CHECK(marks.empty());
    CHECK(drain(marks).empty());
    CHECK(mark(marks, 5, 1) == Marked::fresh);
  }

  TEST_CASE("no mark is lost or counted twice while threads mark, drain and take") {
    constexpr int kThreads = 3;
    constexpr int kEach = 30'000;
    constexpr std::int64_t kRows = 500;
    AccessBuffer marks;
    std::vector<std::map<std::int64_t, std::int64_t>> made(kThreads);
    std::atomic<int> running{kThreads};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&marks, &running, &mine = made[static_cast<std::size_t>(t)], t] {
        std::mt19937 random(static_cast<unsigned>(t));
        for (int i = 0; i < kEach; ++i) {
          const std::int64_t row = 1 + static_cast<std::int64_t>(random() % kRows);
          // These times are far enough apart that every read is counted.
          const std::int64_t moment = 10'000 * (kThreads * i + t);
          if (mark(marks, row, moment) != Marked::dropped) ++mine[row];
        }
        --running;
      });
    }
    std::map<std::int64_t, std::int64_t> got;
    const auto add = [&got](const store::TouchRow& touch) { got[touch.rowid] += touch.count; };
    std::mt19937 random(99);
    while (running > 0) {
      for (const store::TouchRow& touch : drain(marks)) add(touch);
      if (const auto one = marks.take(1 + static_cast<std::int64_t>(random() % kRows))) add(*one);
    }
    for (std::thread& thread : threads) thread.join();
    for (const store::TouchRow& touch : drain(marks)) add(touch);
    CHECK(marks.empty());

    std::map<std::int64_t, std::int64_t> wanted;
    for (const auto& mine : made) {
      for (const auto& [row, count] : mine) wanted[row] += count;
    }
    CHECK(got == wanted);
  }

  TEST_CASE("a drain that begins after a mark contains it while other threads mark") {
    constexpr int kThreads = 3;
    constexpr int kEach = 400;
    AccessBuffer marks;
    std::mutex mutex;
    std::set<std::int64_t> drained;  // by any thread
    std::atomic<int> missed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const std::int64_t row = 1 + i * kThreads + t;
          if (mark(marks, row, i) == Marked::dropped) continue;
          const std::lock_guard lock(mutex);
          for (const store::TouchRow& touch : drain(marks)) drained.insert(touch.rowid);
          missed += drained.contains(row) ? 0 : 1;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(missed == 0);
  }
}
