#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>

#include <ashmemo/options.hpp>

#include "store/rows.hpp"

// Which entry leaves first. A policy sees rows at the head of an eviction queue (oldest inserted_at
// first) and says what becomes of each; it knows no SQL, and the mechanism that walks the queues
// (src/maintenance) knows no policy.
//
// The walk. While a limit is passed: next_queue; the oldest row of that queue; judge. A row that
// may stay is re-inserted and the walk goes on, as long as Reinsertions allows it; else the next
// one leaves unheard, so that deletions have a bounded price. Every row that leaves is told by
// `evicted`.
//
// The row that was written last is skipped while there is any other: where all others were read
// lately it would be its own victim, and a put that evicts itself is none.

namespace ashmemo::engine {

inline constexpr std::int64_t kMainQueue = 0;
using store::kProbationQueue;

/// How many rows a deletion may pass over: at most four for each deleted row in the long run. What
/// one did not use may be used by later ones, up to a bound: runs of rows that were all read are
/// rare, and must not cost what was read most.
class Reinsertions {
 public:
  static constexpr std::int64_t kForEachDeletion = 4;
  static constexpr std::int64_t kMaxSaved = 128;

  explicit Reinsertions(std::int64_t for_each_deletion = kForEachDeletion) noexcept
      : for_each_deletion_(for_each_deletion), left_(for_each_deletion) {}

  [[nodiscard]] bool is_allowed() const noexcept { return left_ > 0; }
  void reinserted() noexcept { --left_; }
  void deleted() noexcept {
    left_ = std::min(left_ + for_each_deletion_, std::max(kMaxSaved, for_each_deletion_));
  }

 private:
  std::int64_t for_each_deletion_;
  std::int64_t left_;
};

/// More reads than this since a row's last place do not count: what was popular once leaves after
/// at most that many passes.
inline constexpr std::int64_t kMaxCounter = store::kMaxEvictionCounter;

/// Where a new entry goes.
struct Admission {
  std::int64_t counter = 0;
  std::int64_t queue = kMainQueue;
};

/// What becomes of a candidate.
struct Verdict {
  bool evict = true;
  store::Placement placement{};  // where it goes, unless evicted
};

/// How full the queues are, as far as a policy must know.
struct QueueSizes {
  std::int64_t entries = 0;            // in all queues
  std::int64_t max_entries = 0;        // the limit; base::kForever: by bytes only
  std::int64_t probation_entries = 0;  // kProbationQueue
  std::int64_t bytes = 0;
  std::int64_t max_bytes = 0;
  std::int64_t probation_bytes = 0;
};

/// One strategy. Called by the worker only. A candidate's accessed_at is the last read's, whether
/// that was written or not. `touches` are the reads that are not yet in its eviction_counter.
///
/// What is not pure here is what a policy with one queue does.
class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  /// A key is stored. For one that is in the file already the answer is not used: an overwrite is a
  /// new insertion in the queue where the row is, with a counter of 0.
  [[nodiscard]] virtual Admission admit(std::string_view key);
  /// Which queue to look at next: one that has rows, if there are any. Where another policy has
  /// left rows on probation these come first.
  [[nodiscard]] virtual std::int64_t next_queue(const QueueSizes& sizes) const;
  [[nodiscard]] virtual Verdict judge(const store::Candidate& candidate, std::int64_t touches,
                                      std::int64_t next_stamp) = 0;
  /// The candidate was deleted for room; `sizes` are those before.
  virtual void evicted(const store::Candidate& candidate, const QueueSizes& sizes);
};

/// Null for Eviction::none.
[[nodiscard]] std::unique_ptr<EvictionPolicy> make_eviction_policy(Eviction eviction);

}  // namespace ashmemo::engine
