#pragma once

#include <functional>

#include "engine/engine.hpp"
#include "eviction/eviction_policy.hpp"
#include "maintenance/sweeper.hpp"
#include "maintenance/transaction.hpp"

namespace ashmemo::maintenance {

/// Moves what is pending into the file, a group at a time.
class Committer {
 public:
  Committer(engine::Engine& engine, Transactions& transactions, eviction::EvictionPolicy* policy,
            Sweeper& sweeper)
      : engine_(engine), transactions_(transactions), policy_(policy), sweeper_(sweeper) {}

  /// Whether the log has room for another transaction, and there is time for it; time is not asked
  /// for where `is_last`: after what makes room for a group comes the group, in the same pass.
  using FindWalSpace = std::function<base::Result<bool>(bool is_last)>;
  /// Commits the next group. A group that cannot be committed stays pending, in its place; a single
  /// value that can never be stored is dropped and counted. `find_wal_space` is asked after each
  /// transaction that must precede the group's own: without room the group stays pending, too.
  [[nodiscard]] base::Status commit_next(store::Store& store, const FindWalSpace& find_wal_space);
  /// Of all puts so far.
  [[nodiscard]] std::int64_t newest_stamp() const noexcept { return newest_stamp_; }

 private:
  /// What a transaction found out about one slot, told to its waiters after the commit.
  struct Fate {
    bool existed = false;
    bool kept = false;
  };

  [[nodiscard]] Portion next_portion(const store::Totals& totals);
  /// A transaction that first tells the file of calculations that it does not know: no entry comes
  /// before the row of its calculation, whose id could else be given out again after a crash.
  base::Status run_with_calculations(store::Store& store, const Transactions::Body& body);
  base::Status commit_writes(store::Store& store, const engine::Group& group,
                             const FindWalSpace& find_wal_space, bool* finished);
  [[nodiscard]] base::Result<bool> make_wal_space(store::Store& store, const engine::Group& group,
                                                  const FindWalSpace& find_wal_space);
  base::Status try_writes(store::Store& store, const engine::Group& group);
  base::Status write(store::Writer& writer, const engine::Slot& slot, const engine::Write& write,
                     Changes& changes, Fate& fate);
  base::Status put(store::Writer& writer, const engine::Slot& slot, const engine::Write& write,
                   Changes& changes, Fate& fate);
  base::Status erase_older(store::Writer& writer, const engine::Slot& slot, Changes& changes);
  [[nodiscard]] bool was_live(const store::RemovedRow& row) const;
  base::Status refuse(store::Writer& writer, const engine::Slot& slot, Changes& changes);
  [[nodiscard]] bool is_over_limit(const store::Totals& totals) const;
  base::Status drop(store::Store& store, const engine::Slot& slot, const base::Failure& failure);

  // One transaction of a range command; `finished` says whether it was the last.
  base::Status commit_range(store::Store& store, engine::Range& range, bool* finished);
  base::Status step_range(store::Writer& writer, engine::Range& range, Changes& changes,
                          bool* finished);
  base::Status erase_some(store::Writer& writer, std::string_view prefix, Changes& changes,
                          bool* finished);
  base::Status erase_all(store::Writer& writer, Changes& changes, bool* finished);

  engine::Engine& engine_;
  Transactions& transactions_;
  eviction::EvictionPolicy* const policy_;  // null: Eviction::none
  Sweeper& sweeper_;
  int singly_ = 0;  // so many of the next writes go alone, to find the one that cannot be stored
  std::int64_t newest_stamp_ = 0;
};

}  // namespace ashmemo::maintenance
