#include "eviction/eviction_policy.hpp"

#include "eviction/clock_policy.hpp"
#include "eviction/fifo_policy.hpp"
#include "eviction/lru_policy.hpp"
#include "eviction/s3fifo_policy.hpp"

namespace ashmemo::engine {

Admission EvictionPolicy::admit(std::string_view /*key*/) { return {}; }

std::int64_t EvictionPolicy::next_queue(const QueueSizes& sizes) const {
  return sizes.probation_entries > 0 ? kProbationQueue : kMainQueue;
}

void EvictionPolicy::evicted(const store::Candidate& /*candidate*/, const QueueSizes& /*sizes*/) {}

std::unique_ptr<EvictionPolicy> make_eviction_policy(Eviction eviction) {
  switch (eviction) {
    case Eviction::none:
      return nullptr;
    case Eviction::fifo:
      return std::make_unique<FifoPolicy>();
    case Eviction::lru:
      return std::make_unique<LruPolicy>();
    case Eviction::clock:
      return std::make_unique<ClockPolicy>();
    case Eviction::s3fifo:
      return std::make_unique<S3FifoPolicy>();
  }
  return nullptr;
}

}  // namespace ashmemo::engine
