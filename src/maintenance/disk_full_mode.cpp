#include "maintenance/disk_full_mode.hpp"

#include <algorithm>

namespace ashmemo::maintenance {

namespace {

// Fits into the space that the WAL always has (1 MiB), even if each row changes five pages of its
// own.
constexpr Portion kSmallPortion{32, 128 * KiB};

// The limit is lowered to 15/16 of the present size.
constexpr std::int64_t kFreedShare = 16;
constexpr std::int64_t kMinBytes = MiB;

}  // namespace

void DiskFullMode::begin() {
  is_active_ = true;
  ends_at_ = base::add_saturated(engine_.clock->steady_now(),
                                 engine_.options.timing.maintenance_interval.count());
}

void DiskFullMode::end_if_due() {
  if (!is_active_ || engine_.clock->steady_now() < ends_at_) return;
  is_active_ = false;
  lowered_limit_ = base::kForever;
}

Portion DiskFullMode::portion() const noexcept { return is_active_ ? kSmallPortion : Portion(); }

std::int64_t DiskFullMode::max_bytes() const {
  return std::min(engine_.limits.get().max_bytes, lowered_limit_);
}

void DiskFullMode::lower_limit(std::int64_t bytes) {
  lowered_limit_ = std::min(max_bytes(), std::max(bytes - bytes / kFreedShare, kMinBytes));
}

}  // namespace ashmemo::maintenance
