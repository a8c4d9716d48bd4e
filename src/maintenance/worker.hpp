#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "base/mutex.hpp"
#include "base/result.hpp"
#include "engine/engine.hpp"
#include "maintenance/events.hpp"
#include "maintenance/maintenance_pass.hpp"

// The folder `maintenance`: everything that changes the file after it was opened, and the hooks.
//
// `MaintenancePass` contains the work, in bounded steps. `Worker` owns the only pass of a cache and
// decides which thread runs it and when. `Events` calls the hooks.
//
// Threads. In thread mode the worker has one thread, which runs a pass when there is work. If it
// cannot start, a put or a read runs a short pass once a second. `run`, `flush` and `compact` run a
// pass on the calling thread, in both modes.
//
// Locks. The maintenance lock is held around a whole pass, with all its SQL. After it is released,
// the same thread calls the hooks, without any lock. `Events` has a mutex for the queued events,
// and the worker one for the sleep of its thread. engine/engine.hpp has the order of all locks.

namespace ashmemo::maintenance {

/// The pause between two attempts to write to a store that refuses: 20 ms at first, and twice as
/// long after each further failure, at most 0.2 seconds. Each attempt may write a group and roll it
/// back, which costs time and wears the device. Threads: one at a time.
class RetryPause {
 public:
  static constexpr std::int64_t kFirst = 20'000;
  static constexpr std::int64_t kMax = 200'000;

  [[nodiscard]] std::int64_t next() noexcept {
    length_ = std::clamp(length_ * 2, kFirst, kMax);
    return length_;
  }

 private:
  std::int64_t length_ = 0;
};

/// Runs the maintenance of one cache. Threads: any, except where a function says otherwise.
class Worker final : public engine::WorkerControl {
 public:
  explicit Worker(engine::Engine& engine);
  ~Worker() override { stop(); }

  /// Opens the store.
  [[nodiscard]] base::Status open();
  /// Continues without a store after a failed `open`: opening is tried again, with back-off.
  void start_without_store(const base::Failure& failure);
  /// Starts the thread, in thread mode.
  [[nodiscard]] base::Status start();
  /// Continues without a thread after a failed `start`, and reports it. Callers do its work.
  void go_on_without_thread(const base::Failure& failure);
  /// Writes what was accepted (for at most `close_wait`), ends the thread and closes the store.
  /// Does nothing the second time, and in a forked child.
  void stop() noexcept;

  /// One pass of about `budget` microseconds. Returns true if there is more work.
  bool run(std::int64_t budget);
  [[nodiscard]] base::Status flush();
  [[nodiscard]] base::Status compact();
  /// Calls the hooks for the queued events. For read-only caches, which have no pass that does it.
  void notify() { deliver_events(); }

  /// The thread is about to sleep after a pass. `more`: there is more work. Returns how long, in
  /// microseconds. Called by the thread, and by tests.
  [[nodiscard]] std::int64_t begin_sleep(bool more);

  void wake() noexcept override;
  void wake_now() noexcept override;
  bool run_pending_now() override;
  void follow() noexcept override;
  [[nodiscard]] bool is_in_hook() const noexcept override;

  [[nodiscard]] bool has_foreign_reader() const noexcept { return foreign_reader_.load(); }

 private:
  /// How the thread sleeps, so that callers wake it only if that is useful.
  /// While the store has refused to write for `max_wait`, no caller waits for it.
  enum class Sleep : std::uint8_t { awake, until_flush, until_work, until_retry };
  /// Why a sleep ended early.
  enum class Woken : std::uint8_t { no, by_a_write, by_a_call };

  using Work = std::function<base::Status(MaintenancePass&)>;
  [[nodiscard]] base::Status with_maintenance_lock(const Work& work);
  bool with_free_maintenance_lock(const Work& work);
  base::Status in_maintenance_lock(const Work& work) ASHMEMO_REQUIRES(maintenance_mutex_);
  void after_maintenance();
  void deliver_events();
  bool pass(const Budget& budget);
  void run_for_thread(std::int64_t now) noexcept;
  base::Failure unexpected(const std::string& what);

  [[nodiscard]] Budget thread_budget() const;
  void loop();
  void sleep(bool more);
  Woken sleep_once(bool more);
  [[nodiscard]] Sleep choose_sleep() const;
  [[nodiscard]] std::int64_t length_of(Sleep sleep, bool more) const;
  [[nodiscard]] std::int64_t shortened_for_tier(std::int64_t length);
  [[nodiscard]] bool is_needed_now() const;
  void wake_up(Woken by) noexcept;

  void end_thread();
  void write_the_rest();
  void try_to_write_the_rest();
  void drop_the_rest();

  engine::Engine& engine_;
  Events events_;
  base::Mutex maintenance_mutex_ ASHMEMO_LOCK_LEVEL(2);
  MaintenancePass pass_ ASHMEMO_GUARDED_BY(maintenance_mutex_);
  std::atomic<bool> foreign_reader_{false};
  std::atomic<std::int64_t> next_follow_{0};  // steady clock

  base::Mutex wake_mutex_ ASHMEMO_LOCK_LEVEL(5);
  base::Condition wake_condition_;
  Woken woken_ ASHMEMO_GUARDED_BY(wake_mutex_) = Woken::no;
  std::atomic<Sleep> sleep_{Sleep::awake};
  RetryPause retry_pause_;  // used by the thread only
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  std::atomic<bool> has_thread_{false};
  std::atomic<bool> has_events_for_thread_{false};
};

}  // namespace ashmemo::maintenance
