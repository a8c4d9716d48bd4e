#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/saturate.hpp"
#include "eviction/eviction_policy.hpp"
#include "store/rows.hpp"

namespace ashmemo::test {

/// A cache without values, file and time. It has rows and eviction queues in memory and applies a
/// policy to them exactly as the worker does to the rows of the file.
class PolicySimulator {
 public:
  struct Limits {
    std::int64_t max_entries = base::kForever;
    std::int64_t max_bytes = base::kForever;
  };
  struct Counts {
    std::int64_t requests = 0;
    std::int64_t hits = 0;
    std::int64_t requested_bytes = 0;
    std::int64_t hit_bytes = 0;
    std::int64_t evictions = 0;
    std::int64_t reinsertions = 0;
    std::int64_t max_reinsertions = 0;  // for one evicted row
  };

  PolicySimulator(eviction::EvictionPolicy& policy, Limits limits,
                  eviction::Reinsertions reinsertions = eviction::Reinsertions())
      : policy_(&policy), limits_(limits), reinsertions_(reinsertions) {}

  /// Reads the key, and puts it on a miss. Returns true on a hit.
  bool request(std::string_view key, std::int64_t bytes = 1);
  /// Marks the key as read. Returns false on a miss.
  bool get(std::string_view key);
  /// Inserts or overwrites the key, then evicts until the limits hold.
  void put(std::string_view key, std::int64_t bytes = 1);

  void set_limits(Limits limits);
  /// Continues with another policy on the existing rows.
  void set_policy(eviction::EvictionPolicy& policy) { policy_ = &policy; }

  [[nodiscard]] bool contains(std::string_view key) const;
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] double hit_ratio() const;
  [[nodiscard]] const eviction::QueueSizes& sizes() const { return sizes_; }

 private:
  struct Row {
    store::Candidate stored;
    std::int64_t accessed_at = 0;  // includes touches that are not yet written
    std::int64_t touches = 0;
  };
  using Place = std::pair<std::int64_t, std::int64_t>;  // inserted_at, rowid

  [[nodiscard]] bool is_over_limit() const;
  void evict_excess();
  void evict_one();
  [[nodiscard]] Row& oldest_row();
  void reinsert(Row& row, const store::Placement& to);
  void erase(Row& row);
  void add_to_queue(Row& row);
  void remove_from_queue(const Row& row);

  eviction::EvictionPolicy* policy_;
  Limits limits_;
  eviction::Reinsertions reinsertions_;
  Counts counts_;
  eviction::QueueSizes sizes_;
  std::int64_t last_stamp_ = 0;
  std::int64_t last_rowid_ = 0;
  std::int64_t newest_rowid_ = 0;  // of the last put
  std::unordered_map<std::string, std::int64_t> rowids_;
  std::unordered_map<std::int64_t, Row> rows_;
  std::set<Place> queues_[2];
};

}  // namespace ashmemo::test
