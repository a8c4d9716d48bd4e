#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "base/saturate.hpp"
#include "engine/engine.hpp"
#include "eviction/eviction_policy.hpp"
#include "maintenance/access_writer.hpp"
#include "maintenance/committer.hpp"
#include "maintenance/events.hpp"
#include "maintenance/evictor.hpp"
#include "maintenance/store_supervisor.hpp"
#include "maintenance/sweeper.hpp"
#include "maintenance/transaction.hpp"
#include "maintenance/upkeep.hpp"

namespace ashmemo::maintenance {

/// How much of the work may be done in one go.
struct Budget {
  std::int64_t until = 0;       // steady clock; the step that is under way is finished
  bool everything_due = false;  // also what would wait for its interval: asked for by a caller
};

/// How long work waits for reads of our own that keep a long log from starting over.
enum class WaitsForReads : std::uint8_t {
  once,      // one try, of a tenth of a second: the next pass goes on
  max_wait,  // somebody waits for a commit of his own: then it stays queued
  at_length  // all of it is to be done: then it goes on beside the reads
};

/// What the worker does, in bounded steps: commit what is pending, hold the limits, delete what is
/// over, write touches, keep the file small. Whoever calls holds the worker's role.
class MaintenancePass {
 public:
  MaintenancePass(engine::Engine& engine, Events& events);

  [[nodiscard]] base::Status open() { return supervisor_.open(); }
  void postpone_opening(const base::Failure& failure) { supervisor_.postpone(failure); }
  void close() { supervisor_.close(); }

  void follow() { supervisor_.follow(); }
  /// One pass over all there is to do; true: there is more, to be done soon.
  bool run_once(const Budget& budget);
  /// Everything that was accepted, touches included, until the limits hold.
  [[nodiscard]] base::Status finish_accepted(WaitsForReads waits = WaitsForReads::at_length);
  /// Due entries, free pages and the write-ahead log, all to the end.
  [[nodiscard]] base::Status compact();

  [[nodiscard]] bool has_foreign_reader() const noexcept { return upkeep_.has_foreign_reader(); }

 private:
  [[nodiscard]] bool is_due(std::int64_t* next, Duration interval, const Budget& budget) const;

  base::Status probe(store::Store& store);
  base::Status record_some(store::Store& store, const Budget& budget, bool* more);
  base::Status record_all(store::Store& store, WaitsForReads waits);
  base::Status expire(store::Store& store, const Budget& budget);
  base::Status finish_pending(store::Store& store, WaitsForReads waits);
  [[nodiscard]] base::Result<bool> make_wal_space(store::Store& store);
  [[nodiscard]] base::Result<bool> find_wal_space(store::Store& store, WaitsForReads waits);
  base::Status wait_for_wal_space(store::Store& store, WaitsForReads waits);
  base::Status commit_pending(store::Store& store, const Budget& budget);
  void report_blocked_by_own_read();
  base::Status commit_some(store::Store& store, WaitsForReads waits,
                           std::int64_t until = base::kForever);
  base::Status commit_next(store::Store& store, const Committer::FindWalSpace& find_wal_space);
  void use_small_transactions(store::Store& store);
  base::Status relieve(store::Store& store);
  void relax();
  base::Status hold_limits(store::Store& store, store::Totals before, WaitsForReads waits);
  base::Status evict_next(store::Store& store);
  base::Status move_long_log(store::Store& store);
  base::Status work(store::Store& store, const Budget& budget, bool* more);
  base::Status delete_some(store::Store& store, const Budget& budget, bool* more);
  base::Status keep_small(store::Store& store, const Budget& budget, bool* more);

  engine::Engine& engine_;
  const std::unique_ptr<eviction::EvictionPolicy> policy_;
  Transactions transactions_;
  StoreSupervisor supervisor_;
  Sweeper sweeper_;
  Committer committer_;
  Evictor evictor_;
  AccessWriter access_writer_;
  Upkeep upkeep_;
  // When the steps that wait for their interval are next due, on the steady clock.
  std::int64_t next_deletion_ = 0;
  std::int64_t next_expiry_ = 0;
  std::int64_t next_touches_ = 0;
  std::int64_t next_record_ = 0;
  std::int64_t next_look_ = 0;
  std::int64_t next_relaxing_ = 0;
  bool disk_is_full_ = false;  // it was, not long ago
  bool expiring_ = false;      // the last transaction was full: more is due
  bool recording_ = false;     // in the middle of a round
  // What there was before a group for which not yet as much has left as it has brought in.
  std::optional<store::Totals> unheld_;
};

}  // namespace ashmemo::maintenance
