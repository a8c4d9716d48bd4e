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

// The thread gives the role away after this long, so that `flush` and others get their turn.
constexpr std::int64_t kThreadBudget = 50'000;

// A store that refuses to write is asked again after this long; so is one with more work to do, but
// later where writes wait for others to share their commit, for a pass commits them, too.
constexpr std::int64_t kRetry = 20'000;
constexpr std::int64_t kRetryBesideWrites = 100'000;

// An interval may be for ever, which is more than a timer can be set to.
constexpr std::int64_t kWatchInterval = 1'000'000;
constexpr std::int64_t kFollowInterval = 1'000'000;
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

void Worker::start() {
  if (is_manual()) return;
  if (engine_.options.access == Access::read_only) return;
  thread_ = std::thread([this] { loop(); });
  has_thread_ = true;
}

// ------------------------------------------------------------------------------------- the role

bool Worker::pass(const Budget& budget) {
  bool more = false;
  const Status done = with_maintenance_lock([&](MaintenancePass& pass) -> Status {
    more = pass.run_once(budget);
    return {};
  });
  return done.ok() && more;
}

Status Worker::with_maintenance_lock(const Work& work) {
  events_.wait_for_delivery();
  Status done;
  {
    const base::Lock role(maintenance_mutex_);
    done = in_maintenance_lock(work);
  }
  after_maintenance();
  return done;
}

/// False: another thread has the role, for as long as its work takes.
bool Worker::with_free_maintenance_lock(const Work& work) {
  if (!maintenance_mutex_.try_lock()) return false;
  {
    const base::Lock role(maintenance_mutex_, base::Locked());
    (void)in_maintenance_lock(work);
  }
  after_maintenance();
  return true;
}

Status Worker::in_maintenance_lock(const Work& work) {
  try {
    Status done = work(pass_);
    foreign_reader_ = pass_.has_foreign_reader();
    return done;
  } catch (const std::exception& error) {
    return unexpected(error.what());
  } catch (...) {
    return unexpected("no std::exception");
  }
}

void Worker::after_maintenance() {
  if (is_manual()) engine_.pending.wake_waiting();  // the next one may take it
  deliver_events();
}

/// Who tells for as long as others write tells without end: that is for the thread.
void Worker::deliver_events() {
  events_left_ = false;
  while (events_.deliver_some()) {
    if (!has_thread_) continue;
    events_left_ = true;
    return wake_now();
  }
}

bool Worker::is_manual() const { return engine_.options.hooks.worker == WorkerMode::manual; }

base::Failure Worker::unexpected(const std::string& what) {
  engine_.counters.worker_errors.add();
  engine_.pending.set_refusing(true);  // whoever waits for the work must not do so for ever
  engine_.notices.notify(NoticeKind::worker_failed,
                         engine_.path + ": the worker met an unexpected error and goes on: " + what,
                         engine_.path);
  return {base::FailureKind::other, 0, what};
}

/// The memory tier answers again after a pass that has looked for changes by other programs: then
/// the thread must go on looking, however long it meant to sleep.
bool Worker::pass_for_caller(const Budget& budget) {
  const bool more = pass(budget);
  wake_now();
  return more;
}

bool Worker::run(std::int64_t budget) {
  const std::int64_t now = engine_.clock->steady_now();
  return pass_for_caller({base::add_saturated(now, budget), true});
}

Status Worker::flush() {
  return with_maintenance_lock([](MaintenancePass& pass) { return pass.finish_accepted(); });
}

Status Worker::compact() {
  return with_maintenance_lock([](MaintenancePass& pass) { return pass.compact(); });
}

bool Worker::drain() {
  if (!is_manual() && !is_in_hook()) return false;
  if (is_in_own_hook()) return true;
  if (events_.are_behind() && !is_in_hook()) {
    engine_.pending.set_refusing(true);  // as where the thread waits for who tells
    return false;
  }
  const bool done = with_free_maintenance_lock([this](MaintenancePass& pass) -> Status {
    if (is_manual()) return pass.finish_accepted(WaitsForReads::max_wait);
    (void)pass.run_once(thread_budget());
    return {};
  });
  if (done) wake_now();  // as pass_for_caller
  return done;
}

void Worker::follow() noexcept {
  const std::int64_t now = engine_.clock->steady_now();
  std::int64_t due = next_follow_;
  if (now < due || engine_.is_out_of_use()) return;
  if (!next_follow_.compare_exchange_strong(due, base::add_saturated(now, kFollowInterval))) return;
  if (!maintenance_mutex_.try_lock()) return;
  try {
    pass_.follow();
  } catch (const std::exception&) {  // no memory: it goes on with what it knows
    engine_.counters.worker_errors.add();
  }
  maintenance_mutex_.unlock();
}

bool Worker::is_in_own_hook() const noexcept { return events_.is_delivering_here(); }

bool Worker::is_in_hook() const noexcept { return Events::is_delivering_any(); }

// ----------------------------------------------------------------------------------- the thread

Budget Worker::thread_budget() const {
  return {base::add_saturated(engine_.clock->steady_now(), kThreadBudget), false};
}

void Worker::loop() {
  while (!stopping_) {
    bool more = true;
    try {
      more = pass(thread_budget());
    } catch (...) {  // even telling of it has failed: out of memory
      engine_.counters.worker_errors.add();
    }
    sleep(more);
  }
}

void Worker::wake() noexcept {
  // The thread writes how it sleeps and then looks for work; a caller adds work and then looks how
  // it sleeps. One of the two sees the other.
  const Sleep asleep = sleep_.load();
  if (asleep == Sleep::awake) return;
  if (asleep == Sleep::until_flush && !engine_.pending.is_urgent()) return;
  wake_up(Woken::by_a_write);
}

void Worker::wake_now() noexcept { wake_up(Woken::by_a_call); }

void Worker::wake_up(Woken by) noexcept {
  {
    base::Lock lock(wake_mutex_);
    woken_ = std::max(woken_, by);
  }
  wake_condition_.notify_one();
}

Worker::Sleep Worker::choose_sleep() const {
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
  // A commit for the marks alone need not come sooner than one for writes.
  return std::min(idle, std::max(timing.touch_interval, timing.flush_interval).count());
}

/// The tier may answer only while somebody looks for changes by others.
std::int64_t Worker::watching(std::int64_t length) {
  if (!engine_.tier || length <= kWatchInterval) return length;
  return engine_.tier_watch.stays_awake(engine_.counters.reads.sums().memory_hits) ? kWatchInterval
                                                                                   : length;
}

void Worker::sleep(bool more) {
  if (sleep_once(more) != Woken::by_a_write) return;
  // The first write after a quiet time: others may share its commit.
  if (choose_sleep() == Sleep::until_flush && !is_needed_now()) (void)sleep_once(more);
}

Worker::Woken Worker::sleep_once(bool more) {
  sleep_ = Sleep::until_work;
  const Sleep how = choose_sleep();
  sleep_ = how;
  const std::int64_t length = watching(length_of(how, more));
  Woken woken = Woken::by_nobody;
  {
    base::Lock lock(wake_mutex_);
    if (woken_ == Woken::by_nobody && !is_needed_now() && length > 0) {
      wake_condition_.wait_for(wake_mutex_, std::chrono::microseconds(length));
    }
    woken = std::exchange(woken_, Woken::by_nobody);
  }
  sleep_ = Sleep::awake;
  return woken;
}

bool Worker::is_needed_now() const {
  return stopping_ || events_left_ ||
         (engine_.pending.is_urgent() && !engine_.pending.is_refusing());
}

// ------------------------------------------------------------------------------------- the end

void Worker::stop() noexcept {
  if (engine_.process.is_forked_child()) {
    if (thread_.joinable()) thread_.detach();  // it lives in the parent only
    return;
  }
  if (stopping_.exchange(true)) return;
  wake_now();
  if (thread_.joinable()) thread_.join();
  has_thread_ = false;  // what it has not told is told below
  try {
    write_the_rest();
  } catch (...) {
    engine_.counters.worker_errors.add();
  }
}

void Worker::try_to_write_the_rest() {
  const std::int64_t close_wait = engine_.options.timing.close_wait.count();
  const engine::Deadline deadline(*engine_.clock, close_wait);
  while (!flush().ok() && engine_.store.get() && !deadline.is_over()) {
    engine_.pending.wait_a_little(close_wait);
  }
}

void Worker::write_the_rest() {
  if (engine_.options.access == Access::read_write && engine_.store.get()) try_to_write_the_rest();
  // Programs that live shortly would never delete what is over.
  if (engine_.pending.empty() && engine_.store.get()) (void)run(kThreadBudget);
  // In the role: nobody may be in the middle of a group.
  (void)with_maintenance_lock([this](MaintenancePass& pass) -> Status {
    drop_the_rest();
    pass.close();
    return {};
  });
}

void Worker::drop_the_rest() {
  const std::int64_t lost = engine_.pending.drop_all();
  if (lost == 0) return;
  engine_.counters.dropped.add(lost);
  engine_.notices.notify(NoticeKind::writes_dropped,
                         engine_.path + ": closed with " + std::to_string(lost) +
                             " accepted values that the file did not take",
                         engine_.path);
}

}  // namespace ashmemo::maintenance
