#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/saturate.hpp"
#include "eviction/eviction_policy.hpp"
#include "store/rows.hpp"

namespace ashmemo::test {

/// A cache without values and file. It has rows and eviction queues in memory and applies a policy
/// to them exactly as the worker does to the rows of the file.
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

  /// An entry to store. `expires_at` is on the simulator's own clock, which begins at 0.
  struct Entry {
    std::int64_t bytes = 1;
    std::int64_t expires_at = base::kForever;
    std::int64_t calculation_id = 0;  // a new version of a calculation has a new id
  };

  PolicySimulator(eviction::EvictionPolicy& policy, Limits limits,
                  eviction::Reinsertions reinsertions = eviction::Reinsertions())
      : policy_(&policy), limits_(limits), reinsertions_(reinsertions) {}

  /// Reads the key, and puts it on a miss. Returns true on a hit.
  bool request(std::string_view key, const Entry& entry);
  bool request(std::string_view key, std::int64_t bytes = 1) {
    return request(key, Entry{.bytes = bytes});
  }
  /// Marks the key as read. Returns false on a miss: the key has no row, its row is expired, or it
  /// belongs to another calculation.
  bool get(std::string_view key, std::int64_t calculation_id = 0);
  /// Inserts or overwrites the key. Then removes expired rows and evicts until the limits hold, if
  /// a limit is exceeded.
  void put(std::string_view key, const Entry& entry);
  void put(std::string_view key, std::int64_t bytes = 1) { put(key, Entry{.bytes = bytes}); }

  void set_now(std::int64_t now) { now_ = now; }
  void set_limits(Limits limits);
  /// Continues with another policy on the existing rows.
  void set_policy(eviction::EvictionPolicy& policy) { policy_ = &policy; }

  /// Whether the key has a row, which may be expired.
  [[nodiscard]] bool contains(std::string_view key) const;
  /// The keys of all rows, in their order.
  [[nodiscard]] std::vector<std::string> keys() const;
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] double hit_ratio() const;
  [[nodiscard]] const eviction::QueueSizes& sizes() const { return sizes_; }

 private:
  struct Row {
    store::Candidate stored;
    std::int64_t accessed_at = 0;  // includes touches that are not yet written
    std::int64_t touches = 0;
    std::int64_t expires_at = base::kForever;
    std::int64_t calculation_id = 0;
  };
  using Place = std::pair<std::int64_t, std::int64_t>;  // inserted_at, rowid

  [[nodiscard]] bool is_over_limit() const;
  void overwrite(Row& row);
  void evict_excess();
  void remove_expired();
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
  std::int64_t now_ = 0;
  std::int64_t last_stamp_ = 0;
  std::int64_t last_rowid_ = 0;
  std::int64_t newest_rowid_ = 0;  // of the last put
  std::unordered_map<std::string, std::int64_t> rowids_;
  std::unordered_map<std::int64_t, Row> rows_;
  std::set<Place> queues_[2];
};

}  // namespace ashmemo::test
