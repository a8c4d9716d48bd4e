#include "eviction/lru_policy.hpp"

namespace ashmemo::engine {

Verdict LruPolicy::judge(const store::Candidate& candidate, std::int64_t touches,
                         std::int64_t /*next_stamp*/) {
  if (candidate.accessed_at <= candidate.inserted_at) return {};
  Verdict stays{.evict = false};
  stays.placement.inserted_at = candidate.accessed_at;
  stays.placement.accessed_at = candidate.accessed_at;
  stays.placement.touches = touches;
  return stays;
}

}  // namespace ashmemo::engine
