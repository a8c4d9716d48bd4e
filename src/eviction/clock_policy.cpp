#include "eviction/clock_policy.hpp"

#include <algorithm>

#include "base/saturate.hpp"

namespace ashmemo::engine {

std::int64_t chances_of(const store::Candidate& candidate, std::int64_t touches) {
  return std::clamp(base::add_saturated(candidate.eviction_counter, touches), std::int64_t{0},
                    kMaxCounter);
}

Verdict pass_over(const store::Candidate& candidate, std::int64_t touches, std::int64_t next_stamp,
                  std::int64_t chances) {
  Verdict stays{.evict = false};
  stays.placement.inserted_at = next_stamp;
  stays.placement.accessed_at = candidate.accessed_at;
  stays.placement.touches = touches;
  stays.placement.eviction_counter = chances;
  stays.placement.eviction_queue = kMainQueue;
  return stays;
}

Verdict ClockPolicy::judge(const store::Candidate& candidate, std::int64_t touches,
                           std::int64_t next_stamp) {
  const std::int64_t chances = chances_of(candidate, touches);
  if (chances == 0) return {};
  return pass_over(candidate, touches, next_stamp, chances - 1);
}

}  // namespace ashmemo::engine
