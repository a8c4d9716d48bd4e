#include "store/due_sweep.hpp"

#include <algorithm>

namespace ashmemo::store {

DueSweep::Range DueSweep::next(std::int64_t now) const noexcept {
  Position after;
  for (const Known& range : ranges_) {
    if (range.next_due <= now) return {after, range.last};
    after = range.last;
  }
  return {after, kEnd};
}

// The part that was looked at becomes a range of its own; what is left of a known one keeps what
// was known about it.
void DueSweep::seen(const Range& range, const Seen& result) {
  if (result.last <= range.after && !result.whole) return;  // nothing was looked at
  auto at = holding(range.is_tail() ? kEnd : range.last);
  if (range.is_tail()) {
    if (result.last <= range.after) return;
    at = ranges_.insert(at, Known{});
  } else if (!result.whole) {
    at->rows = std::max(at->rows - result.kept, 0);
    at = ranges_.insert(at, Known{});
  }
  at->last = range.is_tail() || !result.whole ? result.last : range.last;
  at->next_due = result.next_due;
  at->rows = result.kept;
  merge_with_previous(at);
}

void DueSweep::merge_with_previous(std::vector<Known>::iterator range) noexcept {
  if (range == ranges_.begin()) return;
  const auto previous = range - 1;
  if (previous->rows + range->rows > kRangeRows) return;
  range->rows += previous->rows;
  range->next_due = std::min(range->next_due, previous->next_due);
  ranges_.erase(previous);
}

void DueSweep::note(const Position& row, std::int64_t due) noexcept {
  const auto range = holding(row);
  if (range == ranges_.end()) return;  // in the tail
  range->next_due = std::min(range->next_due, due);
  ++range->rows;
}

std::vector<DueSweep::Known>::iterator DueSweep::holding(const Position& row) noexcept {
  return std::lower_bound(
      ranges_.begin(), ranges_.end(), row,
      [](const Known& range, const Position& wanted) { return range.last < wanted; });
}

}  // namespace ashmemo::store
