#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <ashmemo/options.hpp>
#include <ashmemo/stats.hpp>

#include "base/background_thread.hpp"
#include "base/mutex.hpp"
#include "base/platform.hpp"
#include "base/result.hpp"
#include "engine/access_buffer.hpp"
#include "engine/catalog.hpp"
#include "engine/counters.hpp"
#include "engine/executor_slot.hpp"
#include "engine/in_flight.hpp"
#include "engine/notices.hpp"
#include "engine/time.hpp"
#include "engine/write_queue.hpp"
#include "memory/memory_tier.hpp"
#include "memory/tier_watch.hpp"
#include "store/open.hpp"
#include "store/store.hpp"

// The state that callers and the worker share. What is done with it stands in reading.hpp and
// submit.hpp (callers) and in src/maintenance (the worker).
//
// Order of things. A read asks the memory tier, then pending writes, then the store, whose snapshot
// is taken after that look. The worker commits, then the store raises its commit counter, then the
// worker takes the writes out of pending. So what is no longer pending is in every snapshot taken
// after the look, and an accepted write is never unseen.
//
// Locks. Each part has its own mutex and calls no other part while holding it, but for one: the
// queue of pending writes tells the flights. No mutex is held while user code, SQL or a listener
// runs.

namespace ashmemo::engine {

/// The store while there is one. Readers hold it by shared_ptr, so none is interrupted when it
/// goes.
class StoreSlot {
 public:
  [[nodiscard]] std::shared_ptr<store::Store> get() const;
  [[nodiscard]] bool empty() const noexcept { return !is_there_.load(); }
  /// Puts another store, or none, in its place; the answer is the one before.
  std::shared_ptr<store::Store> set(std::shared_ptr<store::Store> store);

  /// `store` was found damaged. False: it is not in use any more, so nothing follows from it. A
  /// reader may hold a store that was replaced long ago: that must not condemn the new one.
  bool mark_corrupt(const store::Store& store, std::string why);
  /// Why the store in use was condemned, if it was.
  [[nodiscard]] std::optional<std::string> corruption() const;

 private:
  mutable base::Mutex mutex_;
  std::shared_ptr<store::Store> store_ ASHMEMO_GUARDED_BY(mutex_);
  std::atomic<bool> is_there_{false};
  std::optional<std::string> corruption_ ASHMEMO_GUARDED_BY(mutex_);
};

/// Limits with their defaults resolved. Never "not set".
struct ResolvedLimits {
  std::int64_t max_entries = 0;
  std::int64_t max_bytes = 0;
  std::int64_t max_entry_bytes = 0;
  bool default_max_bytes = false;
};
[[nodiscard]] ResolvedLimits resolve(const Limits& limits);

/// The limits in force; changed as one.
class LimitsCell {
 public:
  explicit LimitsCell(const Limits& limits) { set(limits); }
  void set(const Limits& limits);
  [[nodiscard]] ResolvedLimits get() const;
  [[nodiscard]] Limits as_given() const;

 private:
  mutable base::Mutex mutex_;
  Limits given_ ASHMEMO_GUARDED_BY(mutex_);
  ResolvedLimits resolved_ ASHMEMO_GUARDED_BY(mutex_);
};

/// How well the store is, and since when. Whether it can be written and whether it can be read are
/// states of their own: the end of one does not end the other.
class HealthCell {
 public:
  /// Of writing, and of the store as a whole.
  void change(HealthState state, std::int64_t wall_now);
  void fill(Health* health) const;

  /// A read failed. `degrades`: by the store's fault.
  void read_failed(bool degrades, const Clock& clock);
  /// Whether a failure of reads lasts: then it is asked whether a read that works ends it.
  [[nodiscard]] bool are_reads_failing() const noexcept {
    return are_reads_failing_.load(std::memory_order_relaxed);
  }
  /// A read worked. True: the failure ends with it, for there was none for a second. Else a file
  /// with one bad page would begin and end a failure with every other read.
  [[nodiscard]] bool read_worked(const Clock& clock);
  /// Another store has come: a failure of the old one's reads is over.
  void end_failing_reads(const Clock& clock);

 private:
  [[nodiscard]] HealthState shown_locked() const ASHMEMO_REQUIRES(mutex_);
  void set_locked(HealthState state, bool reads_degrade, std::int64_t wall_now)
      ASHMEMO_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  HealthState state_ ASHMEMO_GUARDED_BY(mutex_) = HealthState::ok;
  std::int64_t since_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // as it is shown
  bool reads_degrade_ ASHMEMO_GUARDED_BY(mutex_) = false;
  std::int64_t last_failed_read_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // steady
  std::atomic<bool> are_reads_failing_{false};
};

/// How the engine asks for the worker's work. Implemented by the worker.
class WorkerControl {
 public:
  virtual ~WorkerControl() = default;
  /// Before a read of a cache that only reads: it may have to look what others did to the file.
  virtual void follow() noexcept = 0;
  /// There is work to do, soon or now.
  virtual void wake() noexcept = 0;
  /// As wake, whatever it waits for.
  virtual void wake_now() noexcept = 0;
  /// In manual mode, and inside a hook of another cache, whose worker this one's may be waiting
  /// for: does what is pending on this thread and returns true. Otherwise, and while another thread
  /// is at that work, false: it is to be waited for.
  virtual bool drain() = 0;
  /// Whether this is the thread that does the worker's work at the moment (a listener's thread).
  [[nodiscard]] virtual bool is_in_own_hook() const noexcept = 0;
  /// Whether this is inside a hook of any cache: somebody may be waiting for what comes after it.
  [[nodiscard]] virtual bool is_in_hook() const noexcept = 0;
};

struct Engine {
  Engine(std::string file, const Options& given);

  const std::string path;       // as given: what is told names it so
  const std::string full_path;  // the same file from any folder that the process goes to
  const Options options;  // as given, but without the executor; limits may change: see `limits`
  const std::shared_ptr<Clock> clock;
  const CoarseClock coarse_clock;
  LimitsCell limits;
  StoreSlot store;
  const std::unique_ptr<memory::MemoryTier> tier;  // null: none
  memory::TierWatch tier_watch;
  InFlightTable in_flight;
  WriteQueue pending;
  AccessBuffer access_buffer;
  SequenceClock sequence_clock;
  Catalog catalog;
  Counters counters;
  Notices notices;
  HealthCell health;
  const base::ProcessMark process;
  // For refreshes: our own thread, unless the program has an executor.
  const std::shared_ptr<base::BackgroundThread> background;
  ExecutorSlot executor;
  WorkerControl* worker = nullptr;  // set before the first caller, constant while open
  std::atomic<bool> closed{false};

  // As of the last commit; for Stats.
  std::atomic<std::int64_t> entries{0};
  std::atomic<std::int64_t> bytes{0};

  /// Closed, or a forked child of the process that opened it: nothing may be done any more.
  [[nodiscard]] bool is_out_of_use() const noexcept;
  /// The store to read from; null: there is none at the moment.
  [[nodiscard]] std::shared_ptr<store::Store> store_to_read() const {
    if (options.access == Access::read_only && worker != nullptr) worker->follow();
    return store.get();
  }
  void set_health(HealthState state) { health.change(state, clock->wall_now()); }
  /// A read of `store` failed: reports it, and tells the worker if it is damaged.
  void store_failed(const store::Store& store, const base::Failure& failure);
  /// A read of a store worked: ends what failed ones began.
  void store_was_read() {
    if (health.are_reads_failing() && health.read_worked(*clock)) report_reads_work();
  }
  void report_reads_work();

  /// How the worker opens the file. Tests put their own stores in its place.
  std::function<base::Result<std::unique_ptr<store::Store>>(const store::OpenOptions&)> open_store;

 private:
  Engine(std::string file, std::shared_ptr<Executor> own, Options given);
};

}  // namespace ashmemo::engine
