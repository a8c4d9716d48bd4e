#include "engine/access_buffer.hpp"

#include <algorithm>
#include <initializer_list>

namespace ashmemo::engine {

namespace {

constexpr int kRowShift = 20;
constexpr std::uint64_t kMaxCount = (std::uint64_t{1} << kRowShift) - 1;
constexpr std::int64_t kMaxRow = std::int64_t{1} << 43;

// A hot row was read this often since it was last written, and its last mark is at most this old
// (microseconds). Its mark does not change, because threads would take the cache line from each
// other.
constexpr std::uint64_t kHotCount = 64;
constexpr std::int64_t kHotTime = 10'000;

std::uint64_t row_of(std::uint64_t word) { return word >> kRowShift; }

store::TouchRow touch_of(std::uint64_t word, std::int64_t stamp) {
  return {static_cast<std::int64_t>(row_of(word)), stamp,
          static_cast<std::int64_t>(word & kMaxCount)};
}

}  // namespace

/// Calls `visit` for each place where the row's mark may be, until it returns true.
///
/// Rows that were written together are often read together. So the row shares its first four places
/// with its neighbours; four more places, chosen by Fibonacci hashing, are its own.
template <class Visit>
bool AccessBuffer::visit_places(std::int64_t rowid, Visit visit) noexcept {
  const auto row = static_cast<std::uint64_t>(rowid);
  for (const std::uint64_t number : {row / kWays, ~row}) {
    const std::uint64_t mixed = number * 0x9E3779B97F4A7C15u;
    Line& line = lines_[static_cast<std::size_t>(mixed >> (64 - kLineBits))];
    for (std::size_t way = 0; way < kWays; ++way) {
      if (visit(line.marks[(row + way) % kWays])) return true;
    }
  }
  return false;
}

AccessBuffer::AccessBuffer()
    : memory_(kLines * sizeof(Line)), lines_(static_cast<Line*>(memory_.get())) {}

bool AccessBuffer::is_hot(Mark& mark, std::uint64_t word, std::int64_t wall_now) noexcept {
  if ((word & kMaxCount) < kHotCount) return false;
  const std::int64_t stamp = mark.stamp().load(std::memory_order_relaxed);
  return wall_now >= stamp && wall_now - stamp < kHotTime;
}

AccessBuffer::Marked AccessBuffer::mark(std::int64_t rowid, std::int64_t wall_now,
                                        SequenceClock& sequence_clock) noexcept {
  if (rowid <= 0 || rowid >= kMaxRow) return Marked::dropped;
  Marked marked = Marked::dropped;
  visit_places(rowid, [&](Mark& mark) {
    marked = mark_at(mark, static_cast<std::uint64_t>(rowid), wall_now, sequence_clock);
    return marked != Marked::dropped;
  });
  return marked;
}

/// Returns `dropped` if the mark belongs to another row.
AccessBuffer::Marked AccessBuffer::mark_at(Mark& mark, std::uint64_t row, std::int64_t wall_now,
                                           SequenceClock& sequence_clock) noexcept {
  std::uint64_t word = mark.word().load(std::memory_order_relaxed);
  while (word == 0 || row_of(word) == row) {
    if (is_hot(mark, word, wall_now)) return Marked::coalesced;
    const std::uint64_t count = std::min(kMaxCount, (word & kMaxCount) + 1);
    const bool was_free = word == 0;
    // Count first, so that the table never looks empty while it has a mark.
    if (was_free) used_.fetch_add(1, std::memory_order_relaxed);
    if (mark.word().compare_exchange_weak(word, row << kRowShift | count,
                                          std::memory_order_relaxed)) {
      mark.stamp().store(sequence_clock.next(wall_now), std::memory_order_relaxed);
      return was_free ? Marked::fresh : Marked::coalesced;
    }
    if (was_free) used_.fetch_sub(1, std::memory_order_relaxed);
  }
  return Marked::dropped;
}

std::vector<std::int64_t> AccessBuffer::rows(std::int64_t after, std::size_t limit) const {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < kLines && !empty(); ++i) {
    for (Mark& mark : lines_[i].marks) {
      const std::uint64_t word = mark.word().load(std::memory_order_relaxed);
      const auto row = static_cast<std::int64_t>(row_of(word));
      if (word != 0 && row > after) rows.push_back(row);
    }
  }
  if (rows.size() > limit) {
    std::nth_element(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(limit), rows.end());
    rows.resize(limit);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::optional<store::TouchRow> AccessBuffer::take(std::int64_t rowid) noexcept {
  if (rowid <= 0 || rowid >= kMaxRow || empty()) return std::nullopt;
  std::optional<store::TouchRow> taken;
  visit_places(rowid, [&](Mark& mark) {
    std::uint64_t word = mark.word().load(std::memory_order_relaxed);
    while (row_of(word) == static_cast<std::uint64_t>(rowid)) {
      const std::int64_t stamp = mark.stamp().load(std::memory_order_relaxed);
      if (!mark.word().compare_exchange_weak(word, 0, std::memory_order_relaxed)) continue;
      used_.fetch_sub(1, std::memory_order_relaxed);
      taken = touch_of(word, stamp);
      return true;
    }
    return false;
  });
  return taken;
}

void AccessBuffer::clear() noexcept {
  if (empty()) return;
  for (std::size_t i = 0; i < kLines; ++i) {
    for (Mark& mark : lines_[i].marks) {
      if (mark.word().exchange(0, std::memory_order_relaxed) != 0) {
        used_.fetch_sub(1, std::memory_order_relaxed);
      }
    }
  }
}

}  // namespace ashmemo::engine
