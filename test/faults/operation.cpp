#include "faults/operation.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <string>
#include <vector>

#include "support/random.hpp"
#include "support/watchdog.hpp"

namespace ashmemo::test {
namespace {

/// The call that fails, and its fault.
struct Case {
  std::uint64_t number;  // among all cases of the operation
  Fault fault;
  std::size_t nth;
  bool stays;
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

std::vector<SystemCall> calls_of(const Operation& operation) {
  const Watchdog watchdog("an operation with a fault");
  FaultVfs vfs;
  Trial trial(operation.file, operation.options);
  trial.may_lose = operation.may_lose;
  if (operation.before) operation.before(trial);
  vfs.heal();
  act(operation, trial);
  const std::vector<SystemCall> calls = vfs.calls();
  trial.expect_healed(false);
  if (operation.after) operation.after(trial);
  for (const NoticeKind trouble :
       {NoticeKind::unavailable, NoticeKind::busy, NoticeKind::write_failed,
        NoticeKind::read_failed, NoticeKind::foreign_reader, NoticeKind::quarantined,
        NoticeKind::writes_dropped, NoticeKind::removal_uncommitted, NoticeKind::worker_failed,
        NoticeKind::entry_damaged}) {
    CHECK_MESSAGE(trial.heard.count(trouble) == 0, trial.heard.last(trouble).what);
  }
  return calls;
}

bool looks_like_damage(Fault fault) {
  return fault == Fault::corrupt || fault == Fault::not_a_database || fault == Fault::ended;
}

/// Permanent lack of memory is not tried, because SQLite itself could not allocate either.
bool can_stay(Fault fault) { return fault != Fault::no_memory; }

void try_case(const Operation& operation, const Case& each) {
  INFO("case " << each.number << ": " << std::string(to_string(each.fault)) << " at call "
               << each.nth << std::string(each.stays ? " and at all later calls" : ""));
  const Watchdog watchdog("an operation with a fault");
  FaultVfs vfs;
  Trial trial(operation.file, operation.options);
  trial.may_lose = operation.may_lose;
  if (operation.before) operation.before(trial);
  trial.nothing_fails = false;
  vfs.fail(each.fault, each.nth, each.stays);
  act(operation, trial);
  CHECK_MESSAGE(vfs.fired() > 0, "the operation did not make the call that fails");
  if (each.stays) trial.expect_reported_while_failing();
  vfs.heal();
  trial.expect_healed(looks_like_damage(each.fault));
  if (operation.after) operation.after(trial);
}

}  // namespace

void try_faults(const Operation& operation) {
  static Share share;
  const std::vector<SystemCall> calls = calls_of(operation);
  std::uint64_t number = 0;
  int tried = 0;
  for (const Fault fault : kFaults) {
    for (std::size_t nth = 0; nth < calls.size(); ++nth) {
      for (const bool stays : {false, true}) {
        if (!can_fail(calls[nth], fault) || (stays && !can_stay(fault))) continue;
        if (!share.has(number++)) continue;
        try_case(operation, {number - 1, fault, nth, stays});
        ++tried;
      }
    }
  }
  CHECK_MESSAGE(number > 0, "the operation made no call that can fail");
  MESSAGE(calls.size() << " calls, " << tried << " of " << number << " faults tried");
}

}  // namespace ashmemo::test
