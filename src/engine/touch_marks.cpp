#include "engine/touch_marks.hpp"

#include <algorithm>

namespace ashmemo::engine {

namespace {

// Four neighbouring places for each row keep the loss small while the table is far from full.
constexpr std::size_t kWays = 4;

constexpr int kRowShift = 20;
constexpr std::uint64_t kMostCount = (std::uint64_t{1} << kRowShift) - 1;
constexpr std::int64_t kMostRow = std::int64_t{1} << 43;

// A row that was read this often since it was last written, and this short a time ago
// (microseconds), is left alone: several threads that read it would take its mark from each other.
constexpr std::uint64_t kHotCount = 64;
constexpr std::int64_t kHotTime = 10'000;

std::uint64_t row_of(std::uint64_t word) { return word >> kRowShift; }

store::TouchRow touch_of(std::uint64_t word, std::int64_t stamp) {
  return {static_cast<std::int64_t>(row_of(word)), stamp,
          static_cast<std::int64_t>(word & kMostCount)};
}

}  // namespace

// Fibonacci hashing: rowids come in runs, which should not share their four places.
std::size_t TouchMarks::home_of(std::int64_t rowid) noexcept {
  const std::uint64_t mixed = static_cast<std::uint64_t>(rowid) * 0x9E3779B97F4A7C15u;
  return static_cast<std::size_t>(mixed >> 48) & (kMarks - kWays);
}

TouchMarks::TouchMarks() : marks_(std::make_unique<Mark[]>(kMarks)) {}

bool TouchMarks::is_hot(const Mark& mark, std::uint64_t word, std::int64_t wall_now) noexcept {
  if ((word & kMostCount) < kHotCount) return false;
  const std::int64_t stamp = mark.stamp.load(std::memory_order_relaxed);
  return wall_now >= stamp && wall_now - stamp < kHotTime;
}

TouchMarks::Marked TouchMarks::mark(std::int64_t rowid, std::int64_t wall_now,
                                    Stamps& stamps) noexcept {
  if (rowid <= 0 || rowid >= kMostRow) return Marked::dropped;
  const std::uint64_t row = static_cast<std::uint64_t>(rowid);
  Mark* const home = &marks_[home_of(rowid)];
  for (Mark* mark = home; mark != home + kWays; ++mark) {
    std::uint64_t word = mark->word.load(std::memory_order_relaxed);
    while (word == 0 || row_of(word) == row) {
      if (is_hot(*mark, word, wall_now)) return Marked::coalesced;
      const std::uint64_t count = std::min(kMostCount, (word & kMostCount) + 1);
      const std::uint64_t marked = row << kRowShift | count;
      const bool was_free = word == 0;
      // Counted first: as long as a mark is there the table is not empty.
      if (was_free) used_.fetch_add(1, std::memory_order_relaxed);
      if (mark->word.compare_exchange_weak(word, marked, std::memory_order_relaxed)) {
        mark->stamp.store(stamps.next(wall_now), std::memory_order_relaxed);
        return was_free ? Marked::fresh : Marked::coalesced;
      }
      if (was_free) used_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  return Marked::dropped;
}

std::vector<store::TouchRow> TouchMarks::drain(std::int64_t after, std::size_t most) {
  std::vector<std::int64_t> rows = rows_behind(after);
  if (rows.size() > most) {
    std::nth_element(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(most), rows.end());
    rows.resize(most);
  }
  std::sort(rows.begin(), rows.end());
  std::vector<store::TouchRow> out;
  out.reserve(rows.size());
  for (const std::int64_t row : rows) {
    if (const auto mark = take(row)) out.push_back(*mark);
  }
  return out;
}

std::vector<std::int64_t> TouchMarks::rows_behind(std::int64_t after) const {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < kMarks && !empty(); ++i) {
    const std::uint64_t word = marks_[i].word.load(std::memory_order_relaxed);
    const auto row = static_cast<std::int64_t>(row_of(word));
    if (word != 0 && row > after) rows.push_back(row);
  }
  return rows;
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
