#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/saturate.hpp"
#include "engine/engine.hpp"
#include "eviction/eviction_policy.hpp"
#include "maintenance/transaction.hpp"

namespace ashmemo::maintenance {

/// Keeps the file within its limits: removes due entries first, then what the policy gives up.
class Evictor {
 public:
  Evictor(engine::Engine& engine, Transactions& transactions, eviction::EvictionPolicy* policy)
      : engine_(engine), transactions_(transactions), policy_(policy) {}

  /// Whether a limit is passed, and something can be done about it.
  [[nodiscard]] bool has_work(const store::Totals& totals) const;
  /// By how much the limits are passed.
  struct Excess {
    std::int64_t entries = 0;
    std::int64_t bytes = 0;
    [[nodiscard]] bool is_beyond(const Excess& other) const noexcept {
      return entries > other.entries || bytes > other.bytes;
    }
  };
  [[nodiscard]] Excess excess(const store::Totals& totals) const;
  /// One transaction towards the limits. The row with the stamp `newest` leaves last of all: a put
  /// that evicts itself is none.
  [[nodiscard]] base::Status evict_some(store::Store& store, std::int64_t newest);

  /// The disk is full: until it is relaxed the limit is somewhat less than what there is now, so
  /// that new entries find room in what old ones leave. False: nothing may leave for that.
  bool squeeze(const store::Totals& totals);
  void relax() noexcept { squeezed_to_ = base::kForever; }

 private:
  /// What may still be done in the transaction that is under way.
  struct Room {
    explicit Room(const Portion& portion) : rows(portion.rows), bytes(portion.bytes) {}

    [[nodiscard]] bool has(std::int64_t byte_size) const {
      return rows > 0 && (!is_used || byte_size <= bytes);
    }
    void use(std::int64_t byte_size) {
      --rows;
      bytes -= std::clamp<std::int64_t>(byte_size, 0, bytes);  // the file may claim anything
      is_used = true;
    }

    int rows;
    std::int64_t bytes;
    bool is_used = false;
  };

  [[nodiscard]] bool is_over(const store::Totals& totals, std::int64_t slack) const;
  base::Status evict_a_portion(store::Writer& writer, Changes& changes);
  base::Status remove_due(store::Writer& writer, Changes& changes, Room& room, bool* more);
  base::Status evict_one_round(store::Writer& writer, Changes& changes, Room& room);
  [[nodiscard]] base::Result<std::vector<store::Candidate>> oldest(store::Writer& writer,
                                                                   std::int64_t queue);
  base::Status judge(store::Writer& writer, store::Candidate& candidate, Changes& changes,
                     Room& room);
  base::Status evict(store::Writer& writer, const store::Candidate& candidate, Changes& changes);
  [[nodiscard]] eviction::QueueSizes sizes(const store::Totals& totals) const;
  [[nodiscard]] std::int64_t max_bytes() const;
  void announce_default_limit();

  engine::Engine& engine_;
  Transactions& transactions_;
  eviction::EvictionPolicy* const policy_;  // null: Eviction::none
  std::int64_t newest_ = 0;
  std::int64_t squeezed_to_ = base::kForever;  // bytes
  eviction::Reinsertions reinsertions_;
  std::int64_t reads_taken_ = 0;      // with the marks that this transaction has taken
  std::int64_t earliest_return_ = 0;  // of the rows that were re-inserted in this round
  // With these totals nothing was found to evict: they are wrong, as another program may make them.
  std::optional<store::Totals> stuck_at_;
};

}  // namespace ashmemo::maintenance
