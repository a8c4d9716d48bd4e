#pragma once

#include "eviction/eviction_policy.hpp"

namespace ashmemo::engine {

/// The entry not read for longest leaves first.
///
/// A row that was read since it got its place is put where its last read belongs, which a touch
/// does not do by itself: the queue's index would be rewritten by every touch. So the first row met
/// without a read since then is older than every read and every place behind it: exactly the one
/// that least recently used means.
class LruPolicy final : public EvictionPolicy {
 public:
  [[nodiscard]] Verdict judge(const store::Candidate& candidate, std::int64_t touches,
                              std::int64_t next_stamp) override;
};

}  // namespace ashmemo::engine
