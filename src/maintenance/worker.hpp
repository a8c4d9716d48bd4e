#pragma once

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

namespace ashmemo::maintenance {

/// Who does the work, and when. What is done stands in steps.hpp.
///
/// The worker's work is a role that one thread has at a time. In thread mode a thread of its own
/// takes it whenever there is something to do; `run`, `flush` and `compact` take it on the calling
/// thread, in both modes. After the role was given back, what happened by then is told to the
/// hooks, in order, without any lock; what comes meanwhile is left to the thread, if there is one.
class Worker final : public engine::WorkerControl {
 public:
  explicit Worker(engine::Engine& engine);
  ~Worker() override { stop(); }

  /// Opens the store. The failure is for the caller to judge.
  [[nodiscard]] base::Status open();
  /// Goes on after a failed open: it is tried again, with back-off.
  void start_without_store(const base::Failure& failure);
  /// Starts the thread, in thread mode.
  void start();
  /// Writes what was accepted (for at most `close_wait`), ends the thread and releases the store.
  /// Does nothing the second time, or in a forked child.
  void stop() noexcept;

  /// A step of about `budget` microseconds; true: there is more to do.
  bool run(std::int64_t budget);
  [[nodiscard]] base::Status flush();
  [[nodiscard]] base::Status compact();
  /// Tells the hooks what there is: in a cache opened read-only nothing else does before it closes.
  void notify() { deliver_events(); }

  /// Of a cache that was opened read-only: keeps up with the file, at most once a second, on the
  /// caller's thread, and does not wait for another's. The hooks are told later.
  void follow() noexcept override;
  void wake() noexcept override;
  /// As wake, whatever is pending.
  void wake_now() noexcept override;
  bool drain() override;
  [[nodiscard]] bool is_in_own_hook() const noexcept override;
  [[nodiscard]] bool is_in_hook() const noexcept override;

  [[nodiscard]] bool has_foreign_reader() const noexcept { return foreign_reader_.load(); }

 private:
  /// How the thread sleeps: so that a caller need not wake it for nothing.
  enum class Sleep : std::uint8_t { awake, until_flush, until_work };
  /// What ended a sleep before its time.
  enum class Woken : std::uint8_t { by_nobody, by_a_write, by_a_call };

  [[nodiscard]] Budget thread_budget() const;
  void loop();
  [[nodiscard]] Sleep choose_sleep() const;
  [[nodiscard]] std::int64_t length_of(Sleep sleep, bool more) const;
  [[nodiscard]] std::int64_t watching(std::int64_t length);
  [[nodiscard]] bool is_needed_now() const;
  void sleep(bool more);
  Woken sleep_once(bool more);
  void wake_up(Woken by) noexcept;
  bool pass(const Budget& budget);
  bool pass_for_caller(const Budget& budget);
  using Work = std::function<base::Status(MaintenancePass&)>;
  [[nodiscard]] base::Status with_maintenance_lock(const Work& work);
  bool with_free_maintenance_lock(const Work& work);
  base::Status in_maintenance_lock(const Work& work) ASHMEMO_REQUIRES(maintenance_mutex_);
  void after_maintenance();
  void deliver_events();
  [[nodiscard]] bool is_manual() const;
  base::Failure unexpected(const std::string& what);
  void write_the_rest();
  void try_to_write_the_rest();
  void drop_the_rest();

  engine::Engine& engine_;
  Events events_;
  base::Mutex maintenance_mutex_;
  MaintenancePass pass_ ASHMEMO_GUARDED_BY(maintenance_mutex_);
  std::atomic<bool> foreign_reader_{false};
  std::atomic<std::int64_t> next_follow_{0};  // steady

  base::Mutex wake_mutex_;
  base::Condition wake_condition_;
  Woken woken_ ASHMEMO_GUARDED_BY(wake_mutex_) = Woken::by_nobody;
  std::atomic<Sleep> sleep_{Sleep::awake};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  std::atomic<bool> has_thread_{false};
  std::atomic<bool> events_left_{false};  // to the thread
};

}  // namespace ashmemo::maintenance
