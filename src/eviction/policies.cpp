#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/saturate.hpp"
#include "eviction/eviction_policy.hpp"
#include "eviction/ghost_table.hpp"

// The policies. A new policy needs a class here and a case in `make_eviction_policy`. See "Add an
// eviction policy" in .github/CONTRIBUTING.md.

namespace ashmemo::eviction {

Admission EvictionPolicy::admit(std::string_view /*key*/) { return {}; }

std::int64_t EvictionPolicy::next_queue(const QueueSizes& sizes) const {
  return sizes.probation_entries > 0 ? kProbationQueue : kMainQueue;
}

void EvictionPolicy::evicted(const store::Candidate& /*candidate*/, const QueueSizes& /*sizes*/) {}

namespace {

/// How many chances a candidate has left: 0 to kMaxCounter.
std::int64_t chances_of(const store::Candidate& candidate, std::int64_t touches) {
  return std::clamp(base::add_saturated(candidate.eviction_counter, touches), std::int64_t{0},
                    kMaxCounter);
}

/// The candidate stays: it goes to the end of the main queue with `chances` left.
Verdict reinsert(const store::Candidate& candidate, std::int64_t touches, std::int64_t next_stamp,
                 std::int64_t chances) {
  Verdict stays{.evict = false};
  stays.placement.inserted_at = next_stamp;
  stays.placement.accessed_at = candidate.accessed_at;
  stays.placement.touches = touches;
  stays.placement.eviction_counter = chances;
  stays.placement.eviction_queue = kMainQueue;
  return stays;
}

/// Second chances: each read raises the counter of a row, and each time the row is passed over
/// lowers it. A row whose counter is 0 is evicted.
Verdict second_chance(const store::Candidate& candidate, std::int64_t touches,
                      std::int64_t next_stamp) {
  const std::int64_t chances = chances_of(candidate, touches);
  if (chances == 0) return {};
  return reinsert(candidate, touches, next_stamp, chances - 1);
}

/// The use of an entry by an overwrite, which counts as a read.
constexpr store::Overwrite kCountsAsRead{.reads = 1};

/// Evicts the entry that was stored first. Reads and overwrites change nothing.
class FifoPolicy final : public EvictionPolicy {
 public:
  Verdict decide(const store::Candidate& /*candidate*/, std::int64_t /*touches*/,
                 std::int64_t /*next_stamp*/) override {
    return {};
  }
};

/// Evicts the entry that was not used for the longest time.
///
/// A touch does not move a row in the queue, because each touch would then rewrite the queue's
/// index. Instead a candidate that was read since its last placement moves here to the position of
/// its last read. So the first candidate without such a read is the least recently used entry.
class LruPolicy final : public EvictionPolicy {
 public:
  store::Overwrite overwrite() const override { return {.is_access = true}; }

  Verdict decide(const store::Candidate& candidate, std::int64_t touches,
                 std::int64_t /*next_stamp*/) override {
    if (candidate.accessed_at <= candidate.inserted_at) return {};
    Verdict stays{.evict = false};
    stays.placement.inserted_at = candidate.accessed_at;
    stays.placement.accessed_at = candidate.accessed_at;
    stays.placement.touches = touches;
    return stays;
  }
};

/// Evicts the oldest entry that has no second chance left (CLOCK with a counter).
class ClockPolicy final : public EvictionPolicy {
 public:
  store::Overwrite overwrite() const override { return kCountsAsRead; }

  Verdict decide(const store::Candidate& candidate, std::int64_t touches,
                 std::int64_t next_stamp) override {
    return second_chance(candidate, touches, next_stamp);
  }
};

/// Evicts early the entries that are read only once (S3-FIFO: Yang et al., "FIFO queues are all you
/// need for cache eviction", SOSP 2023).
///
/// A new entry is on probation, in a queue of a tenth of the cache. Two reads there promote it to
/// the main queue, which works as ClockPolicy. With fewer reads it is evicted, but a ghost
/// remembers its key for about as long as an entry without reads stays in the main queue. If the
/// key is stored again in that time, it goes to the main queue at once. So a scan replaces only a
/// tenth of the cache.
class S3FifoPolicy final : public EvictionPolicy {
 public:
  Admission admit(std::string_view key) override {
    return {.queue = ghosts_.take(key) ? kMainQueue : kProbationQueue};
  }

  store::Overwrite overwrite() const override { return kCountsAsRead; }

  std::int64_t next_queue(const QueueSizes& sizes) const override {
    if (sizes.probation_entries == sizes.entries) return kProbationQueue;
    // Otherwise an entry larger than the whole share would be evicted as soon as it is stored.
    if (sizes.probation_entries < 2) return kMainQueue;
    return probation_share(sizes) >= kProbationShare ? kProbationQueue : kMainQueue;
  }

  Verdict decide(const store::Candidate& candidate, std::int64_t touches,
                 std::int64_t next_stamp) override {
    if (candidate.eviction_queue != kProbationQueue) {
      return second_chance(candidate, touches, next_stamp);
    }
    if (chances_of(candidate, touches) < kPromotion) return {};
    return reinsert(candidate, touches, next_stamp, 0);
  }

  void evicted(const store::Candidate& candidate, const QueueSizes& sizes) override {
    if (candidate.eviction_queue != kProbationQueue) return;
    resize_ghosts(sizes);
    ghosts_.insert(candidate.key);
  }

 private:
  // The paper's values. They are also the best, or nearly so, in test/bench/hit_ratio.
  static constexpr double kProbationShare = 0.1;
  static constexpr double kGhostShare = 0.9;
  static constexpr std::int64_t kPromotion = 2;                                 // reads
  static constexpr std::int64_t kMaxEntriesWithGhosts = std::int64_t{1} << 24;  // 64 MiB of ghosts

  static double share_of(std::int64_t used, std::int64_t limit) {
    return static_cast<double>(used) / static_cast<double>(std::max<std::int64_t>(limit, 1));
  }

  /// The share of the probation queue, in the unit (bytes or entries) whose limit is closer.
  static double probation_share(const QueueSizes& sizes) {
    const bool by_bytes =
        share_of(sizes.bytes, sizes.max_bytes) > share_of(sizes.entries, sizes.max_entries);
    return by_bytes ? share_of(sizes.probation_bytes, sizes.max_bytes)
                    : share_of(sizes.probation_entries, sizes.max_entries);
  }

  void resize_ghosts(const QueueSizes& sizes) {
    // Clamped, because a damaged file may claim any number of entries.
    const std::int64_t entries = std::clamp<std::int64_t>(
        std::min(sizes.entries, sizes.max_entries), 0, kMaxEntriesWithGhosts);
    const auto wanted = static_cast<double>(entries) * kGhostShare;
    const auto have = static_cast<double>(ghosts_.capacity());
    // With a limit in bytes the number of entries varies. So a change of less than an eighth does
    // not resize.
    if (wanted > have * 1.125 || wanted < have * 0.875) {
      ghosts_.resize(static_cast<std::size_t>(wanted));
    }
  }

  GhostTable ghosts_;
};

}  // namespace

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

}  // namespace ashmemo::eviction
