#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/saturate.hpp"
#include "engine/engine.hpp"
#include "eviction/eviction_policy.hpp"
#include "maintenance/disk_full_mode.hpp"
#include "maintenance/transaction.hpp"

namespace ashmemo::maintenance {

/// Keeps the file within its limits: deletes expired entries first, then the policy's victims.
class Evictor {
 public:
  /// `policy`: null for Eviction::none.
  Evictor(engine::Engine& engine, Transactions& transactions, const DiskFullMode& disk_full,
          eviction::EvictionPolicy* policy)
      : engine_(engine), transactions_(transactions), disk_full_(disk_full), policy_(policy) {}

  /// Whether a limit is exceeded and eviction can help.
  [[nodiscard]] bool has_work(const store::Totals& totals) const;
  /// The amount by which the limits are exceeded.
  struct Excess {
    std::int64_t entries = 0;
    std::int64_t bytes = 0;
    [[nodiscard]] bool is_beyond(const Excess& other) const noexcept {
      return entries > other.entries || bytes > other.bytes;
    }
  };
  [[nodiscard]] Excess excess(const store::Totals& totals) const;
  /// One transaction towards the limits. The rows with the rowids in `spared` are evicted only if
  /// there are no other rows, so that a group does not evict what it wrote. At most an eighth of
  /// all rows is spared: a group that is large for its cache must not evict everything else.
  [[nodiscard]] base::Status evict_some(store::Store& store, std::span<const std::int64_t> spared);

 private:
  /// The part of the transaction's portion that is not used yet.
  struct Remaining {
    explicit Remaining(const Portion& portion) : rows(portion.rows), bytes(portion.bytes) {}

    /// The first row always fits.
    [[nodiscard]] bool fits(std::int64_t byte_size) const {
      return rows > 0 && (!is_used || byte_size <= bytes);
    }
    void use(std::int64_t byte_size) {
      --rows;
      bytes -= std::clamp<std::int64_t>(byte_size, 0, bytes);  // the file may contain any number
      is_used = true;
    }

    int rows;
    std::int64_t bytes;
    bool is_used = false;
  };

  [[nodiscard]] bool is_over(const store::Totals& totals, std::int64_t slack) const;
  base::Status evict_a_portion(store::Writer& writer, Changes& changes);
  base::Status expire_due(store::Writer& writer, Changes& changes, Remaining& remaining,
                          bool* more);
  base::Status evict_one_round(store::Writer& writer, Changes& changes, Remaining& remaining);
  [[nodiscard]] base::Result<std::vector<store::Candidate>> oldest(store::Writer& writer,
                                                                   std::int64_t queue);
  [[nodiscard]] bool is_spared(const store::Candidate& row) const;
  base::Status evict_or_reinsert(store::Writer& writer, store::Candidate& candidate,
                                 Changes& changes, Remaining& remaining);
  base::Status evict(store::Writer& writer, const store::Candidate& candidate, Changes& changes);
  [[nodiscard]] eviction::QueueSizes sizes(const store::Totals& totals) const;
  void announce_default_limit();

  engine::Engine& engine_;
  Transactions& transactions_;
  const DiskFullMode& disk_full_;
  eviction::EvictionPolicy* const policy_;  // null: Eviction::none
  std::vector<std::int64_t> spared_;        // sorted rowids
  eviction::Reinsertions reinsertions_;
  std::int64_t reads_taken_ = 0;      // by this transaction, from the access buffer
  std::int64_t earliest_return_ = 0;  // of the rows that this round re-inserted
  // The totals with which the last eviction found no row. They are too large, which another program
  // can cause. Eviction is not tried again until they change.
  std::optional<store::Totals> stuck_at_;
};

}  // namespace ashmemo::maintenance
