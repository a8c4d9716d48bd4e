#include "store/running_totals.hpp"

#include "base/saturate.hpp"
#include "store/row_columns.hpp"

namespace ashmemo::store {

void RunningTotals::loaded(const Totals& totals) noexcept {
  now_ = written_ = totals;
  is_counted_ = false;
}

void RunningTotals::add(std::int64_t bytes, std::int64_t queue) noexcept {
  count(1, believable_size(bytes), queue);
}

void RunningTotals::remove(std::int64_t bytes, std::int64_t queue) noexcept {
  const std::int64_t less = believable_size(bytes);
  // The file's triggers may have added the size that the row claims.
  is_doubtful_ = is_doubtful_ || bytes != less;
  count(-1, -less, queue);
}

void RunningTotals::count(std::int64_t entries, std::int64_t bytes, std::int64_t queue) noexcept {
  now_.entries = base::add_saturated(now_.entries, entries);
  now_.bytes = base::add_saturated(now_.bytes, bytes);
  if (queue != kProbationQueue) return;
  now_.probation_entries = base::add_saturated(now_.probation_entries, entries);
  now_.probation_bytes = base::add_saturated(now_.probation_bytes, bytes);
}

void RunningTotals::counted() noexcept {
  is_counted_ = true;
  is_doubtful_ = false;
}

void RunningTotals::rolled_back() noexcept {
  now_ = written_;
  is_doubtful_ = false;
  is_counted_ = false;
}

Totals difference(const Totals& a, const Totals& b) noexcept {
  return {base::subtract_saturated(a.entries, b.entries),
          base::subtract_saturated(a.bytes, b.bytes),
          base::subtract_saturated(a.probation_entries, b.probation_entries),
          base::subtract_saturated(a.probation_bytes, b.probation_bytes)};
}

}  // namespace ashmemo::store
