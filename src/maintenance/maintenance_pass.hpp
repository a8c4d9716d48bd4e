#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "base/saturate.hpp"
#include "engine/engine.hpp"
#include "engine/time.hpp"
#include "eviction/eviction_policy.hpp"
#include "maintenance/background_work.hpp"
#include "maintenance/committer.hpp"
#include "maintenance/disk_full_mode.hpp"
#include "maintenance/events.hpp"
#include "maintenance/evictor.hpp"
#include "maintenance/store_supervisor.hpp"
#include "maintenance/transaction.hpp"
#include "maintenance/upkeep.hpp"

namespace ashmemo::maintenance {

/// How much of the work one pass may do.
struct Budget {
  std::int64_t until = 0;       // steady clock; a step that has begun is finished
  bool everything_due = false;  // also the work whose interval is not over, because a caller asks
};

/// All maintenance, in bounded steps: commits what is pending, enforces the limits, deletes expired
/// and retired entries, writes touches, keeps the file small. The caller holds the maintenance
/// lock.
class MaintenancePass {
 public:
  MaintenancePass(engine::Engine& engine, Events& events);

  [[nodiscard]] base::Status open() { return supervisor_.open(); }
  void postpone_opening(const base::Failure& failure) { supervisor_.postpone(failure); }
  void close() { supervisor_.close(); }

  /// For a read-only cache: see StoreSupervisor::follow.
  void follow() { supervisor_.follow(); }
  /// One pass over all work. Returns true if there is more work to do soon.
  bool run_once(const Budget& budget);
  /// Writes everything that was accepted before the call, and all touches, and evicts until the
  /// limits hold.
  [[nodiscard]] base::Status finish_accepted(WaitsForReads waits = WaitsForReads::at_length);
  /// finish_accepted, then deletes all expired and retired entries, gives all free pages back and
  /// empties the write-ahead log.
  [[nodiscard]] base::Status compact();

  [[nodiscard]] bool has_foreign_reader() const noexcept { return upkeep_.has_foreign_reader(); }

 private:
  /// Runs `work` on the open store. If the write-ahead log was deleted meanwhile, opens the file
  /// again and repeats the work: its writes are still pending, because no caller has returned.
  base::Status on_store(const std::function<base::Status(store::Store&)>& work);
  [[nodiscard]] bool is_due(std::int64_t* next, Duration interval, const Budget& budget) const;
  void watch_device(const std::shared_ptr<store::Store>& store, const base::Status& done);
  base::Status look_and_work(store::Store& store, bool looks, const Budget& budget, bool* more);
  base::Status work(store::Store& store, const Budget& budget, bool* more);
  base::Status probe(store::Store& store);

  base::Status commit_pending(store::Store& store, const Budget& budget);
  base::Status finish_pending(store::Store& store, WaitsForReads waits);
  base::Status commit_some(store::Store& store, const CommitTime& time);
  base::Status commit_next(store::Store& store, const CommitTime& time);
  base::Status hold_limits(store::Store& store, store::Totals before, WaitsForReads waits);
  base::Status evict_some(store::Store& store);
  void set_unevicted(const std::optional<store::Totals>& since);
  void report_deleting_fails() noexcept;
  [[nodiscard]] bool may_grow(store::Store& store, const base::Failure& failure);

  void begin_disk_full_mode(store::Store& store);
  base::Status free_disk_space(store::Store& store);

  base::Status write_some_accesses(store::Store& store, const Budget& budget, bool* more);
  base::Status write_all_accesses(store::Store& store, WaitsForReads waits);
  base::Status delete_some(store::Store& store, const Budget& budget, bool* more);
  base::Status expire(store::Store& store, const Budget& budget);
  base::Status delete_retired(store::Store& store);
  base::Status delete_many_retired(store::Store& store, const Budget& budget);
  /// Background deletions of one kind, which a bad sector can make fail at each try.
  struct Deletions {
    bool fail = false;
    engine::BackOff next_try;
  };
  base::Status try_to_delete(Deletions& deletions, const std::function<base::Status()>& step);
  base::Status keep_small(store::Store& store, const Budget& budget, bool* more);

  base::Status finish_on(store::Store& store, WaitsForReads waits);
  base::Status compact_on(store::Store& store);

  engine::Engine& engine_;
  const std::unique_ptr<eviction::EvictionPolicy> policy_;
  DiskFullMode disk_full_;
  Transactions transactions_;
  StoreSupervisor supervisor_;
  Upkeep upkeep_;
  Sweeper sweeper_;
  Committer committer_;
  Evictor evictor_;
  AccessWriter access_writer_;
  // When the work that has an interval is due again, on the steady clock.
  std::int64_t next_deletion_ = 0;
  std::int64_t next_expiry_ = 0;
  std::int64_t next_round_of_accesses_ = 0;
  std::int64_t next_accesses_ = 0;
  std::int64_t next_look_ = 0;
  bool more_is_expired_ = false;      // the last transaction of the sweeper was full
  bool is_writing_accesses_ = false;  // a round is not finished
  // The totals before the last group, until the evictor has removed as much as the group added.
  std::optional<store::Totals> before_group_;
  std::optional<store::Totals> unevicted_since_;  // the totals when evictions began to fail
  Deletions due_;                                 // of expired entries
  Deletions retired_;                             // of entries of retired calculations
  /// Since when, and how often, pending writes failed because the device cannot read the file.
  struct Unwritten {
    std::weak_ptr<store::Store> store;
    std::int64_t since;
    int tries;
  };
  std::optional<Unwritten> unwritten_;
};

}  // namespace ashmemo::maintenance
