#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <ashmemo/options.hpp>
#include <ashmemo/stats.hpp>

#include "base/mutex.hpp"
#include "base/platform.hpp"
#include "base/result.hpp"
#include "base/thread_pool.hpp"
#include "engine/access_buffer.hpp"
#include "engine/catalog.hpp"
#include "engine/counters.hpp"
#include "engine/executor_slot.hpp"
#include "engine/in_flight.hpp"
#include "engine/notices.hpp"
#include "engine/refresh_queue.hpp"
#include "engine/suspect_rows.hpp"
#include "engine/time.hpp"
#include "engine/write_queue.hpp"
#include "memory/memory_tier.hpp"
#include "store/open.hpp"
#include "store/store.hpp"

// The folder `engine`: the state that callers and the worker share. reading.hpp and submit.hpp
// contain the work of callers, src/maintenance the work of the worker.
//
// Visibility. A read asks the memory tier, then the write queue, then the store, and it takes the
// snapshot of the store after it asked the queue. The worker commits, the store raises its commit
// counter, and only then the writes leave the queue. So a write that has left the queue is in every
// snapshot that is taken afterwards, and an accepted write is always visible.
//
// Lock order. A thread that holds a mutex may take only mutexes with a larger number, at most
// one of each level:
//
//   1  ResourceCore::entering_     (api)          the first load registers calculations
//   2  Worker::maintenance_mutex_  (maintenance)  held around all SQL of the writer
//   3  Events::mutex_              (maintenance)
//      SqliteStore::file_mutex_    (store)
//      ReaderPool::mutex_          (store)        SQL that ends a reader's snapshot runs under it
//      WriteQueue::mutex_          (engine)
//   4  OpenFiles::mutex            (store)        for turns; taken under SqliteStore::file_mutex_
//      InFlightTable::mutex_       (engine)       taken under WriteQueue::mutex_
//   5  Catalog, Notices, StoreSlot, LimitsCell, HealthCell, FailedRecords, SuspectRows,
//      RefreshQueue (taken under InFlightTable::mutex_), ExecutorSlot, ThreadPool, TierShard,
//      Worker::wake_mutex_, WaitGraph (in_flight.cpp), LockDescriptors (base/platform_posix.cpp)
//
// Each mutex states its level, and Clang checks the order as far as base/mutex.hpp says.
// A thread that holds level 1 never takes level 2, although the order allows it: it only queues.
//
// A fork copies locked mutexes. A child may open another file, so the thread that forks locks what
// all caches share, in any order: WaitGraph, LockDescriptors, OpenFiles, and SQLite's own mutexes,
// for which it waits 1 s at most. It then holds several mutexes of one level and takes a smaller
// level after a larger one. That is safe, because no other code holds one of these mutexes while it
// locks another of them, and none forks while it holds a mutex.
//
// User code (calculations, codecs that are not in place, hooks, executors) runs without any mutex.
// A user's Clock may be asked under a mutex, so it must not call the cache (see clock.hpp).
//
// Threads: any. If only one thread may change a member, the member says so.

namespace ashmemo::engine {

/// `suspected`: only one connection has seen the damage, and that may have been bad memory.
enum class Damage : std::uint8_t { certain, suspected };

/// The current store, if there is one. Readers hold it by shared_ptr, so replacing it interrupts
/// none of them.
class StoreSlot {
 public:
  [[nodiscard]] std::shared_ptr<store::Store> get() const;
  /// Whether there is a store that can be written.
  [[nodiscard]] bool has_writer() const noexcept { return has_writer_.load(); }
  /// Replaces the store (null: no store) and returns the old one.
  std::shared_ptr<store::Store> set(std::shared_ptr<store::Store> store);

  /// `store` was found damaged. Returns false if it is no longer the current one: a reader may hold
  /// a store that was replaced long ago, and its damage says nothing about the current file.
  bool mark_corrupt(const store::Store& store, std::string why, Damage damage = Damage::certain);
  struct Corruption {
    std::string why;  // the first reason
    Damage damage = Damage::certain;
  };
  /// Why the current store is marked corrupt, if it is.
  [[nodiscard]] std::optional<Corruption> corruption() const;

 private:
  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  std::shared_ptr<store::Store> store_ ASHMEMO_GUARDED_BY(mutex_);
  std::atomic<bool> has_writer_{false};
  std::optional<Corruption> corruption_ ASHMEMO_GUARDED_BY(mutex_);
};

/// The minimum of Limits::max_wal_bytes. The log may reach this length even if no other program
/// reads, because it is moved into the file from 4 MiB on, and a transaction has at most 4 MiB.
inline constexpr std::int64_t kMinMaxWalBytes = 8 * MiB;

/// Limits with defaults filled in.
struct ResolvedLimits {
  std::int64_t max_entries = 0;
  std::int64_t max_bytes = 0;
  std::int64_t max_entry_bytes = 0;
  std::int64_t max_wal_bytes = 0;
  bool default_max_bytes = false;
};
[[nodiscard]] ResolvedLimits resolve(const Limits& limits);

/// The current limits, which change together.
class LimitsCell {
 public:
  explicit LimitsCell(const Limits& limits) { set(limits); }
  void set(const Limits& limits);
  [[nodiscard]] ResolvedLimits get() const;
  [[nodiscard]] Limits as_given() const;

 private:
  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  Limits given_ ASHMEMO_GUARDED_BY(mutex_);
  ResolvedLimits resolved_ ASHMEMO_GUARDED_BY(mutex_);
};

/// The health of the store, and since when. Failing writes and failing reads are separate states:
/// the end of one does not end the other.
class HealthCell {
 public:
  /// Sets the state of writing, and of the store as a whole.
  void change(HealthState state, std::int64_t wall_now);
  void fill(Health* health) const;

  /// A read failed. `degrades`: whether the store is the reason.
  void read_failed(bool degrades, const Clock& clock);
  /// Whether reads are failing. Then each successful read calls read_worked.
  [[nodiscard]] bool are_reads_failing() const noexcept {
    return are_reads_failing_.load(std::memory_order_relaxed);
  }
  /// A read succeeded. Returns true if that ends the failure, because no read failed for a second.
  /// Without this pause a file with one bad page would begin and end a failure with every read. It
  /// is twice as long for each failure that follows soon after the last one, at most an hour.
  [[nodiscard]] bool read_worked(const Clock& clock);
  /// Another store is in use, so the failure of the old store's reads is over.
  void end_failing_reads(const Clock& clock);

 private:
  [[nodiscard]] HealthState shown_locked() const ASHMEMO_REQUIRES(mutex_);
  void set_locked(HealthState state, bool reads_degrade, std::int64_t wall_now)
      ASHMEMO_REQUIRES(mutex_);

  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  HealthState state_ ASHMEMO_GUARDED_BY(mutex_) = HealthState::ok;
  std::int64_t since_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // of the shown state
  bool reads_degrade_ ASHMEMO_GUARDED_BY(mutex_) = false;
  std::int64_t reads_recover_after_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // microseconds
  // Atomic, because each successful read looks at them while reads are failing.
  std::atomic<std::int64_t> recovers_at_{0};  // steady clock
  std::atomic<bool> are_reads_failing_{false};
};

/// The calls of the engine to the worker. The worker implements them; in tests a fake does.
class WorkerControl {
 public:
  virtual ~WorkerControl() = default;
  /// A caller has added work. Wakes the worker's thread if the work cannot wait until the thread's
  /// next start.
  virtual void wake() noexcept = 0;
  /// Wakes the worker's thread in any case.
  virtual void wake_now() noexcept = 0;
  /// In manual mode: writes everything that is pending, on this thread. Returns false if another
  /// thread does the work, which this thread may wait for. Must not be called inside a hook.
  virtual bool run_pending_now() = 0;
  /// Called before each read of a read-only cache. At most once a second it loads the data again
  /// that other programs may have changed. Puts and reads of a cache whose thread could not start
  /// call it, too; then it runs a bounded pass, and the hooks. Waits for no lock; only a pass may
  /// wait for reads, as each pass does.
  virtual void follow() noexcept = 0;
  /// Whether this thread is inside a hook of any cache. There no call may wait, because another
  /// thread may be waiting for the hook.
  [[nodiscard]] virtual bool is_in_hook() const noexcept = 0;
};

struct Engine {
  Engine(std::string file, const Options& given);

  const std::string path;       // as given; messages use it
  const std::string full_path;  // absolute, because the process may change its folder
  const Options options;        // as given, without the executor; for limits use `limits`
  const std::shared_ptr<Clock> clock;
  const CoarseClock coarse_clock;
  LimitsCell limits;
  StoreSlot store;
  const std::unique_ptr<memory::MemoryTier> tier;  // null: there is no memory tier
  memory::TierWatch tier_watch;
  const std::shared_ptr<store::RowidHints> hints;
  const std::shared_ptr<base::ThreadPool> background;  // null: the program gave an executor
  ExecutorSlot executor;                               // runs refreshes
  const std::shared_ptr<RefreshQueue> refreshes;
  InFlightTable in_flight;
  WriteQueue pending;
  AccessBuffer access_buffer;
  SuspectRows suspects;
  SequenceClock sequence_clock;
  Catalog catalog;
  Counters counters;
  Notices notices;
  HealthCell health;
  const base::ProcessMark process;
  WorkerControl* worker = nullptr;  // set before the first call, constant while open
  std::atomic<bool> closed{false};
  std::atomic<bool> lacks_thread{false};  // the worker's thread could not start

  // After the last commit, for Stats.
  std::atomic<std::int64_t> entries{0};
  std::atomic<std::int64_t> bytes{0};

  /// The cache is closed, or this is a forked child of the process that opened it.
  [[nodiscard]] bool is_out_of_use() const noexcept {
    return closed.load() || process.is_forked_child();
  }
  /// The store to read from; null if there is no store.
  [[nodiscard]] std::shared_ptr<store::Store> store_to_read() const {
    if (options.access == Access::read_only && worker != nullptr) worker->follow();
    return store.get();
  }
  /// Does some work of the worker if its thread could not start.
  void help_worker() const {
    if (lacks_thread.load(std::memory_order_relaxed)) worker->follow();
  }
  void set_health(HealthState state) { health.change(state, clock->wall_now()); }
  /// A read of `store` failed: reports it and, if the file is damaged, wakes the worker.
  void store_failed(const store::Store& store, const base::Failure& failure);
  /// A read found a row that does not match its checksum. The worker reads it again.
  void row_is_damaged(std::int64_t rowid) noexcept;
  /// A read of a store succeeded: ends a failure of reads.
  void store_was_read() {
    if (health.are_reads_failing() && health.read_worked(*clock)) report_reads_work();
  }
  void report_reads_work();

  /// Opens the file. Tests replace it.
  std::function<base::Result<std::unique_ptr<store::Store>>(const store::OpenOptions&)> open_store;

 private:
  Engine(std::string file, std::shared_ptr<Executor> own, Options given);
};

}  // namespace ashmemo::engine
