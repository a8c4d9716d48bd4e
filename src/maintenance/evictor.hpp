#pragma once

#include "engine/engine.hpp"
#include "engine/eviction_policy.hpp"
#include "maintenance/transaction.hpp"

namespace ashmemo::maintenance {

/// Keeps the file within its limits: removes due entries first, then what the policy gives up.
class Evictor {
 public:
  Evictor(engine::Engine& engine, Transactions& transactions, engine::EvictionPolicy* policy)
      : engine_(engine), transactions_(transactions), policy_(policy) {}

  /// Whether a limit is passed, and something can be done about it.
  [[nodiscard]] bool has_work(const store::Totals& totals) const;
  /// One transaction towards the limits.
  [[nodiscard]] base::Status evict_some(store::Store& store);

 private:
  [[nodiscard]] bool is_over(const store::Totals& totals, std::int64_t slack) const;
  base::Status evict_one_round(store::Writer& writer, Changes& changes);
  base::Status judge(store::Writer& writer, store::Candidate& candidate, Changes& changes);
  base::Status evict(store::Writer& writer, const store::Candidate& candidate, Changes& changes);
  [[nodiscard]] engine::QueueSizes sizes(const store::Totals& totals) const;
  void announce_default_limit();

  engine::Engine& engine_;
  Transactions& transactions_;
  engine::EvictionPolicy* const policy_;  // null: Eviction::none
  int reinserted_in_a_row_ = 0;
  std::int64_t moved_ = 0;  // re-insertions so far
};

}  // namespace ashmemo::maintenance
