#pragma once

#include "eviction/eviction_policy.hpp"

namespace ashmemo::engine {

/// The reads that still speak for a candidate: 0 to kMaxCounter.
[[nodiscard]] std::int64_t chances_of(const store::Candidate& candidate, std::int64_t touches);

/// One more pass at the end of the main queue, with `chances` left.
[[nodiscard]] Verdict pass_over(const store::Candidate& candidate, std::int64_t touches,
                                std::int64_t next_stamp, std::int64_t chances);

/// Second chances: reads raise a row's counter, at most to kMaxCounter, and each pass over the row
/// lowers it by one. The oldest row whose counter is down to 0 leaves.
class ClockPolicy final : public EvictionPolicy {
 public:
  [[nodiscard]] Verdict judge(const store::Candidate& candidate, std::int64_t touches,
                              std::int64_t next_stamp) override;
};

}  // namespace ashmemo::engine
