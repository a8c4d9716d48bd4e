#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/saturate.hpp"
#include "engine/engine.hpp"
#include "eviction/eviction_policy.hpp"
#include "maintenance/background_work.hpp"
#include "maintenance/transaction.hpp"
#include "maintenance/upkeep.hpp"

namespace ashmemo::maintenance {

/// How long the commit of a group may take.
struct CommitTime {
  WaitsForReads waits = WaitsForReads::at_length;
  std::int64_t until = base::kForever;  // steady clock
  bool is_last_try = false;             // on a full disk: drops a large entry that finds no space
};

/// Writes the pending items to the file, one group at a time.
class Committer {
 public:
  /// `policy`: null for Eviction::none.
  Committer(engine::Engine& engine, Transactions& transactions, Upkeep& upkeep, Sweeper& sweeper,
            eviction::EvictionPolicy* policy)
      : engine_(engine),
        transactions_(transactions),
        upkeep_(upkeep),
        sweeper_(sweeper),
        policy_(policy) {}

  /// Commits the next group. A group that cannot be committed stays pending, in its place. A single
  /// value that can never be stored is dropped and counted. A lack of memory usually ends, so the
  /// value is tried 50 times first. The group also stays pending if the
  /// transactions that must precede its own find no space in the write-ahead log, or no time.
  [[nodiscard]] base::Status commit_next(store::Store& store, const CommitTime& time);
  /// The rowids of the rows that the last group wrote.
  [[nodiscard]] std::span<const std::int64_t> written() const noexcept { return written_; }

 private:
  void arrange_sweep(store::Store& store);
  [[nodiscard]] std::vector<std::uint32_t> file_order(store::Writer& writer,
                                                      std::span<const engine::WritePtr> writes);
  [[nodiscard]] Portion next_portion(const store::Totals& totals);
  base::Status run_with_calculations(store::Store& store, const Transactions::Body& body);

  base::Status commit_writes(store::Store& store, engine::Group& group, const CommitTime& time,
                             bool* finished);
  [[nodiscard]] base::Result<bool> make_capacity(store::Store& store, const engine::Group& group,
                                                 const CommitTime& time);
  base::Status try_writes(store::Store& store, engine::Group& group);
  base::Status write(store::Writer& writer, engine::Group::Item& item, Changes& changes);
  base::Status put(store::Writer& writer, engine::Group::Item& item, Changes& changes);
  [[nodiscard]] std::int64_t next_stamp(const engine::Write& write);
  base::Status erase_older(store::Writer& writer, const engine::Write& write, Changes& changes);
  [[nodiscard]] bool was_live(const store::DeletedRow& row, std::int64_t now) const;
  base::Status refuse(store::Writer& writer, const engine::Write& write, Changes& changes);
  [[nodiscard]] bool is_over_limit(const store::Totals& totals) const;
  base::Status drop(store::Store& store, const engine::Write& write, const base::Failure& failure);

  void count_dropped(store::Writer& writer, const engine::Group& group);
  base::Status commit_range(store::Store& store, engine::Range& range, bool* finished);
  base::Status step_range(store::Writer& writer, engine::Range& range, Changes& changes,
                          bool* finished);
  base::Status erase_some(store::Writer& writer, std::string_view prefix, Changes& changes,
                          bool* finished);
  base::Status erase_all(store::Writer& writer, Changes& changes, bool* finished);

  engine::Engine& engine_;
  Transactions& transactions_;
  Upkeep& upkeep_;
  Sweeper& sweeper_;
  eviction::EvictionPolicy* const policy_;  // null: Eviction::none
  int singly_ = 0;  // the number of next writes that are committed alone, to find a bad one
  int tries_without_memory_ = 0;             // of single puts, since one worked
  std::weak_ptr<store::Store> sweep_store_;  // the sweep was arranged for this one
  std::vector<std::int64_t> written_;        // rowids
};

}  // namespace ashmemo::maintenance
