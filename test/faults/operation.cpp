#include "faults/operation.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "support/faulty_system.hpp"
#include "support/random.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

namespace ashmemo::test {
namespace {

/// The calls of an operation.
struct Calls {
  std::vector<SystemCall> of_vfs;  // of SQLite to its VFS
  std::vector<OsCall> of_system;   // of the library and the VFS to the operating system
  std::size_t thread_starts = 0;
};

/// How the calls after `nth` others fail.
struct Case {
  std::optional<Fault> fault{};  // of a call to the VFS
  bool has_no_thread = false;    // a thread cannot start
  int error = 0;                 // otherwise the errno of a call to the operating system
  std::size_t nth = 0;
  bool stays = false;
};

/// Counts the threads that the library starts, and lets a start fail as if the system had no thread
/// left.
class ThreadStarts {
 public:
  void fail(std::size_t nth, bool stays) {
    heal();
    stays_ = stays;
    nth_ = nth;
  }
  void heal() { nth_ = kNever, started_ = fired_ = 0; }
  [[nodiscard]] std::size_t started() const { return started_; }
  [[nodiscard]] std::size_t fired() const { return fired_; }

 private:
  static constexpr std::size_t kNever = SIZE_MAX;

  void start(std::string_view point) {
    if (point != "system: starts a thread") return;
    const std::size_t number = started_++;
    if (stays_ ? number < nth_ : number != nth_) return;
    ++fired_;
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }

  std::atomic<bool> stays_{false};
  std::atomic<std::size_t> nth_{kNever};
  std::atomic<std::size_t> started_{0};
  std::atomic<std::size_t> fired_{0};
  const AtTestPoints points_{[this](std::string_view point) { start(point); }};
};

/// The faults of all kinds of calls.
struct Faults {
  void fail(const Case& each) {
    if (each.fault) return vfs.fail(*each.fault, each.nth, each.stays);
    if (each.has_no_thread) return threads.fail(each.nth, each.stays);
    system.fail(each.error, each.nth, each.stays);
  }
  void heal() {
    vfs.heal();
    system.heal();
    threads.heal();
  }
  [[nodiscard]] std::size_t fired() const { return vfs.fired() + system.fired() + threads.fired(); }

  FaultVfs vfs;
  FaultySystem system;
  ThreadStarts threads;
};

/// Selects the cases that this run tries.
class Share {
 public:
  [[nodiscard]] bool has(std::uint64_t number) {
    if (only_ != kAll) return number == only_;
    return share_ <= 1 || random_.below(share_) == 0;
  }

 private:
  static constexpr std::uint64_t kAll = UINT64_MAX;
  const std::uint64_t only_ = number_in_environment("ASHMEMO_FAULT_CASE", kAll);
  const std::size_t share_ = number_in_environment("ASHMEMO_FAULT_SHARE", 1);
  Random random_;
};

void act(const Operation& operation, Trial& trial) {
  try {
    operation.act(trial);
  } catch (const std::exception& error) {
    FAIL_CHECK("an exception escaped: " << error.what());
  }
}

Calls calls_of(const Operation& operation) {
  const Watchdog watchdog("an operation with a fault");
  Faults faults;
  Trial trial(operation.file, operation.options);
  trial.may_lose = operation.may_lose;
  if (operation.has_threads) trial.use_threads();
  if (operation.before) operation.before(trial);
  faults.heal();
  act(operation, trial);
  Calls calls;
  if (operation.has_threads) {
    calls.thread_starts = faults.threads.started();
  } else {
    calls = {faults.vfs.calls(), faults.system.calls()};
  }
  trial.expect_healed(operation.file == File::damaged);
  if (operation.after) operation.after(trial);
  for (const NoticeKind trouble :
       {NoticeKind::unavailable, NoticeKind::busy, NoticeKind::write_failed,
        NoticeKind::read_failed, NoticeKind::foreign_reader, NoticeKind::quarantined,
        NoticeKind::writes_dropped, NoticeKind::removal_uncommitted, NoticeKind::worker_failed,
        NoticeKind::entry_damaged}) {
    if (trouble == NoticeKind::quarantined && operation.file == File::damaged) continue;
    CHECK_MESSAGE(trial.heard.count(trouble) == 0, trial.heard.last(trouble).what);
  }
  return calls;
}

bool looks_like_damage(File file, std::optional<Fault> fault) {
  return file == File::damaged || fault == Fault::corrupt || fault == Fault::not_a_database ||
         fault == Fault::ended;
}

/// Permanent lack of memory is not tried, because SQLite itself could not allocate either.
bool can_stay(Fault fault) { return fault != Fault::no_memory; }

/// Whether all later calls can fail with this error, too. A repeated call is not interrupted again.
bool can_stay(int error) { return error != EINTR; }

std::string to_string(const Case& each) {
  return (each.fault           ? std::string(to_string(*each.fault))
          : each.has_no_thread ? "no thread"
                               : "error " + std::to_string(each.error)) +
         " at call " + std::to_string(each.nth) + (each.stays ? " and at all later calls" : "");
}

std::vector<Case> cases_of(const Calls& calls) {
  std::vector<Case> cases;
  for (const Fault fault : kFaults) {
    for (std::size_t nth = 0; nth < calls.of_vfs.size(); ++nth) {
      if (!can_fail(calls.of_vfs[nth], fault)) continue;
      cases.push_back({.fault = fault, .nth = nth});
      if (can_stay(fault)) cases.push_back({.fault = fault, .nth = nth, .stays = true});
    }
  }
  for (std::size_t nth = 0; nth < calls.of_system.size(); ++nth) {
    for (const int error : errors_of(calls.of_system[nth])) {
      cases.push_back({.error = error, .nth = nth});
      if (can_stay(error)) cases.push_back({.error = error, .nth = nth, .stays = true});
    }
  }
  for (std::size_t nth = 0; nth < calls.thread_starts; ++nth) {
    for (const bool stays : {false, true}) {
      cases.push_back({.has_no_thread = true, .nth = nth, .stays = stays});
    }
  }
  return cases;
}

void try_case(const Operation& operation, const Case& each, std::uint64_t number) {
  const Watchdog watchdog("an operation with a fault");
  Faults faults;
  INFO("case " << number << ": " << to_string(each) << " " << faults.system.first_failed());
  Trial trial(operation.file, operation.options);
  trial.may_lose = operation.may_lose;
  if (operation.has_threads) trial.use_threads();
  if (operation.before) operation.before(trial);
  trial.nothing_fails = false;
  faults.fail(each);
  act(operation, trial);
  CHECK_MESSAGE(faults.fired() > 0, "the operation did not make the call that fails");
  if (each.stays) trial.expect_reported_while_failing();
  faults.heal();
  trial.expect_healed(looks_like_damage(operation.file, each.fault));
  if (operation.after) operation.after(trial);
}

}  // namespace

void try_faults(const Operation& operation) {
  static Share share;
  const Calls calls = calls_of(operation);
  const std::vector<Case> cases = cases_of(calls);
  std::size_t tried = 0;
  for (std::size_t number = 0; number < cases.size(); ++number) {
    if (!share.has(number)) continue;
    try_case(operation, cases[number], number);
    ++tried;
  }
  CHECK_MESSAGE(!cases.empty(), "the operation made no call that can fail");
  MESSAGE(calls.of_vfs.size() << " calls of SQLite, " << calls.of_system.size()
                              << " calls of the system, " << calls.thread_starts
                              << " starts of threads, " << tried << " of " << cases.size()
                              << " faults tried");
}

}  // namespace ashmemo::test
