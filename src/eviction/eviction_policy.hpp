#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>

#include <ashmemo/options.hpp>

#include "store/rows.hpp"

// The folder `eviction`: which entry is evicted first.
//
// A policy sees the rows at the head of an eviction queue (lowest `inserted_at` first) and decides
// about each one. It knows no SQL. `maintenance/evictor.hpp` walks the queues and knows no policy:
//
//   while a limit is exceeded:
//     ask `next_queue`, read the oldest row of that queue, ask `decide`
//     evict the row and call `evicted`, or reinsert it where the verdict says
//
// `Reinsertions` bounds how many rows may be reinserted; after that the next row is evicted without
// asking, so that a deletion has a bounded cost. The rows of the last group are skipped while
// there are others, but at most an eighth of all rows. Otherwise a put could evict the value that
// it just stored.
//
// Threads: the holder of the maintenance lock.

namespace ashmemo::eviction {

inline constexpr std::int64_t kMainQueue = 0;
using store::kProbationQueue;

/// Bounds the number of reinserted rows: on average at most four for each deleted row. Unused
/// reinsertions are saved for later, up to a limit, because many successive rows may have been
/// read.
class Reinsertions {
 public:
  static constexpr std::int64_t kForEachDeletion = 4;
  static constexpr std::int64_t kMaxSaved = 128;

  explicit Reinsertions(std::int64_t for_each_deletion = kForEachDeletion) noexcept
      : for_each_deletion_(for_each_deletion), remaining_(for_each_deletion) {}

  [[nodiscard]] bool is_allowed() const noexcept { return remaining_ > 0; }
  void reinserted() noexcept { --remaining_; }
  void deleted() noexcept {
    remaining_ = std::min(remaining_ + for_each_deletion_, std::max(kMaxSaved, for_each_deletion_));
  }

 private:
  std::int64_t for_each_deletion_;
  std::int64_t remaining_;
};

/// The maximum of a row's counter of reads. So an entry that was popular once is evicted after at
/// most this many passes.
inline constexpr std::int64_t kMaxCounter = store::kMaxEvictionCounter;

/// Where a new entry goes.
struct Admission {
  std::int64_t counter = 0;
  std::int64_t queue = kMainQueue;
};

/// The decision about a candidate.
struct Verdict {
  bool evict = true;
  store::Placement placement{};  // its new position, unless it is evicted
};

/// How full the queues are.
struct QueueSizes {
  std::int64_t entries = 0;            // in all queues
  std::int64_t max_entries = 0;        // the limit; base::kForever: only bytes are limited
  std::int64_t probation_entries = 0;  // in kProbationQueue
  std::int64_t bytes = 0;
  std::int64_t max_bytes = 0;
  std::int64_t probation_bytes = 0;
};

/// One policy. The default functions suit a policy with one queue.
///
/// A candidate's `accessed_at` includes reads that are not yet written. `touches` is the number of
/// reads that are not yet in its `eviction_counter`.
class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  /// Called for each key that is stored. The answer is ignored if the key is in the file already,
  /// because an overwrite does not move a row between queues.
  [[nodiscard]] virtual Admission admit(std::string_view key);
  /// The effect of a new value for an entry that keeps its place (see store::keeps_place). Such an
  /// overwrite is a use of the entry. By default it changes nothing. Any other overwrite is a new
  /// insertion into the queue of the old row, with a counter of 0.
  [[nodiscard]] virtual store::Overwrite overwrite() const { return {}; }
  /// The queue to look at next: one that has rows, if any has. Rows that another policy left on
  /// probation come first.
  [[nodiscard]] virtual std::int64_t next_queue(const QueueSizes& sizes) const;
  [[nodiscard]] virtual Verdict decide(const store::Candidate& candidate, std::int64_t touches,
                                       std::int64_t next_stamp) = 0;
  /// The candidate was evicted; `sizes` are the sizes before.
  virtual void evicted(const store::Candidate& candidate, const QueueSizes& sizes);
};

/// Null for Eviction::none.
[[nodiscard]] std::unique_ptr<EvictionPolicy> make_eviction_policy(Eviction eviction);

}  // namespace ashmemo::eviction
