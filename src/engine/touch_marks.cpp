#include "engine/touch_marks.hpp"

#include <algorithm>

namespace ashmemo::engine {

namespace {

// 64 Ki marks of 16 bytes: one MiB, whatever the cache holds. Four neighbouring places for each row
// keep the loss small while the table is far from full.
constexpr std::size_t kMarks = std::size_t{1} << 16;
constexpr std::size_t kWays = 4;

constexpr int kRowShift = 20;
constexpr std::uint64_t kMostCount = (std::uint64_t{1} << kRowShift) - 1;
constexpr std::int64_t kMostRow = std::int64_t{1} << 43;

std::uint64_t row_of(std::uint64_t word) { return word >> kRowShift; }

// Fibonacci hashing: rowids come in runs, which should not share their four places.
std::size_t home_of(std::int64_t rowid) {
  const std::uint64_t mixed = static_cast<std::uint64_t>(rowid) * 0x9E3779B97F4A7C15u;
  return static_cast<std::size_t>(mixed >> 48) & (kMarks - kWays);
}

store::TouchRow touch_of(std::uint64_t word, std::int64_t stamp) {
  return {static_cast<std::int64_t>(row_of(word)), stamp,
          static_cast<std::int64_t>(word & kMostCount)};
}

}  // namespace

TouchMarks::TouchMarks() : marks_(std::make_unique<Mark[]>(kMarks)) {}

TouchMarks::Marked TouchMarks::mark(std::int64_t rowid, std::int64_t stamp) noexcept {
  if (rowid <= 0 || rowid >= kMostRow) return Marked::dropped;
  const std::uint64_t row = static_cast<std::uint64_t>(rowid);
  Mark* const home = &marks_[home_of(rowid)];
  for (Mark* mark = home; mark != home + kWays; ++mark) {
    std::uint64_t word = mark->word.load(std::memory_order_relaxed);
    while (word == 0 || row_of(word) == row) {
      const std::uint64_t count = std::min(kMostCount, (word & kMostCount) + 1);
      const std::uint64_t marked = row << kRowShift | count;
      const bool was_free = word == 0;
      // Counted first: as long as a mark is there the table is not empty.
      if (was_free) used_.fetch_add(1, std::memory_order_relaxed);
      if (mark->word.compare_exchange_weak(word, marked, std::memory_order_relaxed)) {
        mark->stamp.store(stamp, std::memory_order_relaxed);
        return was_free ? Marked::fresh : Marked::coalesced;
      }
      if (was_free) used_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  return Marked::dropped;
}

std::vector<store::TouchRow> TouchMarks::drain() {
  std::vector<store::TouchRow> out;
  for (std::size_t i = 0; i < kMarks && !empty(); ++i) {
    Mark& mark = marks_[i];
    if (mark.word.load(std::memory_order_relaxed) == 0) continue;
    const std::int64_t stamp = mark.stamp.load(std::memory_order_relaxed);
    const std::uint64_t word = mark.word.exchange(0, std::memory_order_relaxed);
    if (word == 0) continue;
    used_.fetch_sub(1, std::memory_order_relaxed);
    out.push_back(touch_of(word, stamp));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.rowid < b.rowid; });
  return out;
}

std::optional<store::TouchRow> TouchMarks::take(std::int64_t rowid) noexcept {
  if (rowid <= 0 || rowid >= kMostRow || empty()) return std::nullopt;
  Mark* const home = &marks_[home_of(rowid)];
  for (Mark* mark = home; mark != home + kWays; ++mark) {
    std::uint64_t word = mark->word.load(std::memory_order_relaxed);
    while (row_of(word) == static_cast<std::uint64_t>(rowid)) {
      const std::int64_t stamp = mark->stamp.load(std::memory_order_relaxed);
      if (!mark->word.compare_exchange_weak(word, 0, std::memory_order_relaxed)) continue;
      used_.fetch_sub(1, std::memory_order_relaxed);
      return touch_of(word, stamp);
    }
  }
  return std::nullopt;
}

void TouchMarks::clear() noexcept {
  for (std::size_t i = 0; i < kMarks; ++i) {
    if (marks_[i].word.exchange(0, std::memory_order_relaxed) != 0) {
      used_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace ashmemo::engine
