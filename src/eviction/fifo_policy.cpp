#include "eviction/fifo_policy.hpp"

namespace ashmemo::engine {

Verdict FifoPolicy::judge(const store::Candidate& /*candidate*/, std::int64_t /*touches*/,
                          std::int64_t /*next_stamp*/) {
  return {};
}

}  // namespace ashmemo::engine
