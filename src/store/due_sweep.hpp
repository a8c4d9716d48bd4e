#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/saturate.hpp"

namespace ashmemo::store {

/// Remembers which part of the expiry index need not be looked at again.
///
/// Due rows are found by walking the index on expires_at up to now. A row that is kept beyond its
/// expiry (stale-if-error) stays in that part of the index, and where most rows are kept, each walk
/// from the start would pass over all of them. So what was passed over is remembered as ranges of
/// about kRangeRows rows with the moment at which the first of them becomes due; only ranges that
/// have reached that moment are looked at again. Memory: 32 bytes a range.
class DueSweep {
 public:
  static constexpr int kRangeRows = 1'000;

  /// A place in the index on expires_at: rows of one expires_at follow each other by rowid.
  struct Position {
    std::int64_t expires_at = std::numeric_limits<std::int64_t>::min();
    std::int64_t rowid = std::numeric_limits<std::int64_t>::min();
    friend auto operator<=>(const Position&, const Position&) = default;
  };
  static constexpr Position kEnd{base::kForever, std::numeric_limits<std::int64_t>::max()};

  /// Where to look: behind `after`, not behind `last`.
  struct Range {
    Position after;
    Position last;
    [[nodiscard]] bool is_tail() const noexcept { return last == kEnd; }
  };
  /// The first range that may have due rows; the tail that was never looked at comes last, always.
  [[nodiscard]] Range next(std::int64_t now) const noexcept;

  /// What a look at the range has found.
  struct Seen {
    Position last;                           // the last row that was looked at
    int kept = 0;                            // rows up to there that stay
    std::int64_t next_due = base::kForever;  // the first of these becomes due
    bool whole = false;                      // the range ends there
  };
  void seen(const Range& range, const Seen& result);

  /// A row has got these deadlines.
  void note(const Position& row, std::int64_t due) noexcept;
  /// Nothing is known any more.
  void reset() noexcept { ranges_.clear(); }

 private:
  struct Known {
    Position last;  // it begins behind the last of the one before
    std::int64_t next_due = base::kForever;
    int rows = 0;
  };
  [[nodiscard]] std::vector<Known>::iterator holding(const Position& row) noexcept;
  void merge_with_previous(std::vector<Known>::iterator range) noexcept;

  std::vector<Known> ranges_;  // in order, without gaps, from the start of the index on
};

}  // namespace ashmemo::store
