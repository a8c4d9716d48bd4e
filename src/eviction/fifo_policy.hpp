#pragma once

#include "eviction/eviction_policy.hpp"

namespace ashmemo::engine {

/// The entry stored first leaves first; reads change nothing.
class FifoPolicy final : public EvictionPolicy {
 public:
  [[nodiscard]] Verdict judge(const store::Candidate& candidate, std::int64_t touches,
                              std::int64_t next_stamp) override;
};

}  // namespace ashmemo::engine
