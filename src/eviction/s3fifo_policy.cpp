#include "eviction/s3fifo_policy.hpp"

#include <algorithm>

#include "eviction/clock_policy.hpp"

namespace ashmemo::engine {
namespace {

// The paper's, and the best or near it on the traces of the hit-ratio benchmark.
constexpr double kProbationShare = 0.1;
constexpr double kGhostShare = 0.9;
constexpr std::int64_t kMaxEntriesWithGhosts = std::int64_t{1} << 24;  // 64 MiB of ghosts
constexpr std::int64_t kPromotion = 2;

// How full the cache is in the unit whose limit is nearer.
struct Fullness {
  double probation = 0;
  double limit = 0;
};

double share_of(std::int64_t used, std::int64_t limit) {
  return static_cast<double>(used) / static_cast<double>(std::max<std::int64_t>(limit, 1));
}

bool bytes_press_harder(const QueueSizes& sizes) {
  return share_of(sizes.bytes, sizes.max_bytes) > share_of(sizes.entries, sizes.max_entries);
}

}  // namespace

Admission S3FifoPolicy::admit(std::string_view key) {
  return {.queue = ghosts_.take(key) ? kMainQueue : kProbationQueue};
}

std::int64_t S3FifoPolicy::next_queue(const QueueSizes& sizes) const {
  if (sizes.probation_entries == sizes.entries) return kProbationQueue;
  // An entry larger than the whole share would otherwise leave as soon as it has come.
  if (sizes.probation_entries < 2) return kMainQueue;
  const double share = bytes_press_harder(sizes)
                           ? share_of(sizes.probation_bytes, sizes.max_bytes)
                           : share_of(sizes.probation_entries, sizes.max_entries);
  return share >= kProbationShare ? kProbationQueue : kMainQueue;
}

Verdict S3FifoPolicy::judge(const store::Candidate& candidate, std::int64_t touches,
                            std::int64_t next_stamp) {
  const std::int64_t chances = chances_of(candidate, touches);
  if (candidate.eviction_queue == kProbationQueue) {
    if (chances < kPromotion) return {};
    return pass_over(candidate, touches, next_stamp, 0);
  }
  if (chances == 0) return {};
  return pass_over(candidate, touches, next_stamp, chances - 1);
}

void S3FifoPolicy::evicted(const store::Candidate& candidate, const QueueSizes& sizes) {
  if (candidate.eviction_queue != kProbationQueue) return;
  fit_ghosts(sizes);
  ghosts_.insert(candidate.key);
}

void S3FifoPolicy::fit_ghosts(const QueueSizes& sizes) {
  // The file may claim any number of entries.
  const std::int64_t entries = std::clamp<std::int64_t>(std::min(sizes.entries, sizes.max_entries),
                                                        0, kMaxEntriesWithGhosts);
  const auto most = static_cast<double>(entries) * kGhostShare;
  const auto have = static_cast<double>(ghosts_.capacity());
  // Where bytes are the limit the number of entries moves: an eighth off is near enough.
  if (most > have * 1.125 || most < have * 0.875) ghosts_.resize(static_cast<std::size_t>(most));
}

}  // namespace ashmemo::engine
