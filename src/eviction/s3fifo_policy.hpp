#pragma once

#include "eviction/eviction_policy.hpp"
#include "eviction/ghost_table.hpp"

namespace ashmemo::engine {

/// What is read once and never again leaves early (S3-FIFO: Yang et al., SOSP 2023).
///
/// A new entry is on probation, in a queue of a tenth of the cache. Two reads there promote it to
/// the main queue, which works as ClockPolicy does; with fewer it leaves, but its key is remembered
/// for about as long as an entry without reads stays in the main queue. Stored again in that time
/// it goes to the main queue at once. So a scan passes through a tenth of the cache and leaves the
/// rest alone.
class S3FifoPolicy final : public EvictionPolicy {
 public:
  [[nodiscard]] Admission admit(std::string_view key) override;
  [[nodiscard]] std::int64_t next_queue(const QueueSizes& sizes) const override;
  [[nodiscard]] Verdict judge(const store::Candidate& candidate, std::int64_t touches,
                              std::int64_t next_stamp) override;
  void evicted(const store::Candidate& candidate, const QueueSizes& sizes) override;

 private:
  void fit_ghosts(const QueueSizes& sizes);

  GhostTable ghosts_;
};

}  // namespace ashmemo::engine
