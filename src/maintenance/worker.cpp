#include "maintenance/worker.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "base/platform.hpp"
#include "base/saturate.hpp"
#include "engine/time.hpp"

namespace ashmemo::maintenance {

using base::Status;

namespace {

// The thread releases the maintenance lock after this time, so that `flush` and other calls get it.
constexpr std::int64_t kThreadBudget = 50'000;

// The sleep while there is more work, or while the store refuses to write and callers wait for it.
// It is longer if writes wait to share a commit, because the next pass also commits them.
constexpr std::int64_t kRetry = RetryPause::kFirst;
constexpr std::int64_t kRetryBesideWrites = 100'000;

constexpr std::int64_t kWatchInterval = 1'000'000;
constexpr std::int64_t kFollowInterval = 1'000'000;
// Intervals may be longer than a timer allows.
constexpr std::int64_t kMaxSleep = 3'600'000'000;

}  // namespace

Worker::Worker(engine::Engine& engine) : engine_(engine), events_(engine), pass_(engine, events_) {}

Status Worker::open() {
  return with_maintenance_lock([](MaintenancePass& pass) { return pass.open(); });
}

void Worker::start_without_store(const base::Failure& failure) {
  (void)with_maintenance_lock([&failure](MaintenancePass& pass) -> Status {
    pass.postpone_opening(failure);
    return {};
  });
}

Status Worker::start() {
  if (engine_.options.hooks.worker == WorkerMode::manual) return {};
  if (engine_.options.access == Access::read_only) return {};
  auto started = base::start_thread("ashmemo-worker", [this] { loop(); });
  if (!started) {
    return base::Failure{
        started.failure().kind, 0,
        engine_.path + ": " + started.failure().what + "; allow this user more threads"};
  }
  thread_ = std::move(*started);
  has_thread_ = true;
  return {};
}

void Worker::go_on_without_thread(const base::Failure& failure) {
  engine_.lacks_thread = true;
  engine_.notices.notify(NoticeKind::worker_failed,
                         failure.what +
                             ". The cache goes on without it: once a second a put or a read does "
                             "a part of its work, and so does each call that waits for a write",
                         engine_.path);
  deliver_events();
}

// ---- the maintenance lock

Status Worker::with_maintenance_lock(const Work& work) {
  // A hook may have forked. The file belongs to the parent process.
  if (engine_.process.is_forked_child()) {
    return base::Failure{base::FailureKind::unavailable, 0,
                         "the cache belongs to the parent process"};
  }
  events_.wait_for_delivery();
  Status done;
  {
    const base::Lock lock(maintenance_mutex_);
    done = in_maintenance_lock(work);
  }
  after_maintenance();
  return done;
}

/// Returns false if another thread holds the lock.
bool Worker::with_free_maintenance_lock(const Work& work) {
  if (!maintenance_mutex_.try_lock()) return false;
  {
    const base::Lock lock(maintenance_mutex_, base::Locked());
    (void)in_maintenance_lock(work);
  }
  after_maintenance();
  return true;
}

Status Worker::in_maintenance_lock(const Work& work) {
  const base::FileSizeSignalBlock block;
  try {
    Status done = work(pass_);
    foreign_reader_ = pass_.has_foreign_reader();
    return done;
  } catch (const std::exception& error) {
    return unexpected(error.what());
  } catch (...) {
    return unexpected("an exception that is not a std::exception");
  }
}

base::Failure Worker::unexpected(const std::string& what) {
  engine_.counters.worker_errors.add();
  engine_.pending.set_refusing(true);  // so that callers do not wait without end
  engine_.notices.notify(NoticeKind::worker_failed,
                         engine_.path + ": the worker met an unexpected error and goes on: " + what,
                         engine_.path);
  return {base::FailureKind::other, 0, what};
}

void Worker::after_maintenance() {
  if (!has_thread_) engine_.pending.wake_waiting();  // one of them may take the lock now
  deliver_events();
}

/// A caller delivers the events that are queued now, and once more the events that were queued
/// meanwhile: those of other callers, and notices about its own hooks. The worker's thread, or the
/// next call, delivers later ones. Otherwise `flush` would not return while other threads keep
/// writing. After `stop` no call follows, and few events can be new, so then all are delivered.
void Worker::deliver_events() {
  has_events_for_thread_ = false;
  for (bool is_again = false; events_.deliver_some(); is_again = true) {
    if (has_thread_) {
      has_events_for_thread_ = true;
      return wake_now();
    }
    if (is_again && !stopping_) return;
  }
}

// ---- calls

bool Worker::pass(const Budget& budget) {
  bool more = false;
  const Status done = with_maintenance_lock([&](MaintenancePass& pass) -> Status {
    more = pass.run_once(budget);
    return {};
  });
  return done.ok() && more;
}

bool Worker::run(std::int64_t budget) {
  const std::int64_t now = engine_.clock->steady_now();
  const bool more = pass({base::add_saturated(now, budget), true});
  // This pass has checked the file, so the memory tier answers again. From now on the thread must
  // check it each second.
  wake_now();
  return more;
}

Status Worker::flush() {
  return with_maintenance_lock([](MaintenancePass& pass) { return pass.finish_accepted(); });
}

Status Worker::compact() {
  return with_maintenance_lock([](MaintenancePass& pass) { return pass.compact(); });
}

bool Worker::run_pending_now() {
  if (has_thread_ || engine_.process.is_forked_child()) return false;
  // If events are behind, the slow hook may be waiting for this caller, which must not wait without
  // end.
  if (events_.are_behind()) {
    engine_.pending.set_refusing(true);
    return false;
  }
  return with_free_maintenance_lock(
      [](MaintenancePass& pass) { return pass.finish_accepted(WaitsForReads::max_wait); });
}

void Worker::follow() noexcept {
  const std::int64_t now = engine_.clock->steady_now();
  if (now < next_follow_ || engine_.is_out_of_use()) return;
  if (engine_.lacks_thread) return run_for_thread(now);
  if (!maintenance_mutex_.try_lock()) return;
  next_follow_ = base::add_saturated(now, kFollowInterval);
  const base::FileSizeSignalBlock block;  // opening the file may create FILE-shm
  try {
    pass_.follow();
  } catch (const std::exception&) {  // out of memory: the next call tries again
    engine_.counters.worker_errors.add();
  }
  maintenance_mutex_.unlock();
}

void Worker::run_for_thread(std::int64_t now) noexcept {
  try {
    if (is_in_hook() || events_.are_behind()) return;
    next_follow_ = base::add_saturated(now, kFollowInterval);
    (void)with_free_maintenance_lock([now](MaintenancePass& pass) -> Status {
      (void)pass.run_once({now, false});
      return {};
    });
  } catch (const std::exception&) {  // out of memory for the events
    engine_.counters.worker_errors.add();
  }
}

bool Worker::is_in_hook() const noexcept { return Events::is_in_hook(); }

// ---- the thread

Budget Worker::thread_budget() const {
  return {base::add_saturated(engine_.clock->steady_now(), kThreadBudget), false};
}

void Worker::loop() {
  while (!stopping_) {
    bool more = true;
    try {
      more = pass(thread_budget());
    } catch (...) {  // out of memory even for the notice
      engine_.counters.worker_errors.add();
    }
    // A hook has forked. In the child no thread wakes this one, and the mutexes of the sleep may be
    // locked.
    if (engine_.process.is_forked_child()) return;
    sleep(more);
  }
}

void Worker::sleep(bool more) {
  if (sleep_once(more) != Woken::by_a_write) return;
  // This is the first write after a quiet time. Sleeps once more, so that other writes can share
  // its commit.
  if (choose_sleep() == Sleep::until_flush && !is_needed_now()) (void)sleep_once(more);
}

std::int64_t Worker::begin_sleep(bool more) {
  sleep_ = Sleep::until_work;
  const Sleep how = choose_sleep();
  sleep_ = how;
  if (how == Sleep::until_retry) return retry_pause_.next();
  retry_pause_ = {};
  return shortened_for_tier(length_of(how, more));
}

Worker::Woken Worker::sleep_once(bool more) {
  const std::int64_t length = begin_sleep(more);
  Woken woken = Woken::no;
  {
    const base::Lock lock(wake_mutex_);
    if (woken_ == Woken::no && !is_needed_now() && length > 0) {
      wake_condition_.wait_for(wake_mutex_, std::chrono::microseconds(length));
    }
    woken = std::exchange(woken_, Woken::no);
  }
  sleep_ = Sleep::awake;
  return woken;
}

Worker::Sleep Worker::choose_sleep() const {
  if (engine_.pending.has_refused_for_long()) return Sleep::until_retry;
  return engine_.pending.empty() ? Sleep::until_work : Sleep::until_flush;
}

std::int64_t Worker::length_of(Sleep sleep, bool more) const {
  const Timing& timing = engine_.options.timing;
  const std::int64_t idle = std::min(timing.maintenance_interval.count(), kMaxSleep);
  if (engine_.pending.is_refusing()) return kRetry;
  if (sleep == Sleep::until_flush) {
    return std::min(timing.flush_interval.count(), more ? kRetryBesideWrites : idle);
  }
  if (more) return kRetry;
  if (engine_.access_buffer.empty()) return idle;
  // Touches alone need no commit before the time at which writes would have one.
  return std::min(idle, std::max(timing.touch_interval, timing.flush_interval).count());
}

/// The memory tier may answer only while a pass checks the file each second.
std::int64_t Worker::shortened_for_tier(std::int64_t length) {
  if (!engine_.tier || length <= kWatchInterval) return length;
  return engine_.tier_watch.stays_awake(engine_.counters.reads.sums().memory_hits) ? kWatchInterval
                                                                                   : length;
}

bool Worker::is_needed_now() const {
  return stopping_ || has_events_for_thread_ ||
         (engine_.pending.is_urgent() && !engine_.pending.is_refusing());
}

void Worker::wake() noexcept {
  // The thread writes how it sleeps and then looks for work. A caller adds work and then looks how
  // the thread sleeps. So at least one of them sees the other.
  const Sleep asleep = sleep_.load();
  if (asleep == Sleep::awake) return;
  if (asleep == Sleep::until_retry && engine_.pending.is_refusing()) return;
  if (asleep != Sleep::until_work && !engine_.pending.is_urgent()) return;
  wake_up(Woken::by_a_write);
}

void Worker::wake_now() noexcept { wake_up(Woken::by_a_call); }

void Worker::wake_up(Woken by) noexcept {
  if (engine_.process.is_forked_child()) return;  // a hook has forked
  {
    const base::Lock lock(wake_mutex_);
    woken_ = std::max(woken_, by);
  }
  wake_condition_.notify_one();
}

// ---- the end

void Worker::stop() noexcept {
  if (engine_.process.is_forked_child()) {
    if (thread_.joinable()) thread_.detach();  // the thread exists only in the parent process
    return;
  }
  if (stopping_.exchange(true)) return;
  wake_now();
  events_.stop_waiting();
  end_thread();
  has_thread_ = false;  // this thread delivers the remaining events
  try {
    write_the_rest();
  } catch (...) {
    engine_.counters.worker_errors.add();
  }
}

/// If a hook calls exit(), the destructor of a static cache runs on the worker's thread.
void Worker::end_thread() {
  if (!thread_.joinable()) return;
  if (thread_.get_id() == std::this_thread::get_id()) return thread_.detach();
  thread_.join();
}

void Worker::write_the_rest() {
  if (engine_.store.has_writer()) try_to_write_the_rest();
  // Otherwise programs that run for a short time would never delete expired entries.
  if (engine_.pending.empty() && engine_.store.has_writer()) (void)run(kThreadBudget);
  // With the lock, because another thread may be committing a group.
  (void)with_maintenance_lock([this](MaintenancePass& pass) -> Status {
    drop_the_rest();
    pass.close();
    return {};
  });
}

void Worker::try_to_write_the_rest() {
  const std::int64_t close_wait = engine_.options.timing.close_wait.count();
  const engine::Deadline deadline(*engine_.clock, close_wait);
  while (!flush().ok() && engine_.store.has_writer() && !deadline.is_over()) {
    engine_.pending.wait_a_little(close_wait);
  }
}

void Worker::drop_the_rest() {
  const std::int64_t lost = engine_.pending.drop_all();
  if (lost == 0) return;
  engine_.counters.dropped.add(lost);
  engine_.notices.notify(NoticeKind::writes_dropped,
                         engine_.path + ": closed with " + std::to_string(lost) +
                             " accepted values that could not be written to the file",
                         engine_.path);
}

}  // namespace ashmemo::maintenance
