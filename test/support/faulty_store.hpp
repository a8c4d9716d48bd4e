#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.hpp"
#include "store/store.hpp"

namespace ashmemo::test {

/// The calls of Store and Writer that can fail.
enum class Call : std::uint8_t {
  begin,
  commit,
  put,
  erase,
  touch,
  erase_row,
  erase_damaged,
  reinsert,
  erase_prefix,
  erase_due,
  erase_retired,
  erase_all,
  oldest,
  put_calculation,
  add_counters,
  forget_retired,
  recount,
  checkpoint,
  vacuum,
  read,
  entry,
  page,
  calculations,
  totals,
  last_stamp,
  integrity,
  backup,
  last_
};

/// Counts calls, and says which of them fail. Shared by all stores of one test: it outlives them.
///
/// Threads: any.
class Faults {
 public:
  /// The nth call of this kind from now on fails (1: the next), and the `times - 1` after it.
  void fail(Call call, base::FailureKind kind, int nth = 1, int times = 1);
  /// All calls of this kind fail from now on.
  void fail_always(Call call, base::FailureKind kind) { fail(call, kind, 1, 1'000'000'000); }
  /// Nothing fails any more, and nothing happens before a call.
  void heal();
  /// Runs before every call of this kind, on the thread that calls and without a lock: for what
  /// shall happen just then. It may throw.
  void before(Call call, std::function<void()> act);

  [[nodiscard]] int calls(Call call) const;
  /// Used by FaultyStore.
  [[nodiscard]] std::optional<base::Failure> next(Call call);

 private:
  struct Plan {
    int calls = 0;
    int first = 0;  // of the calls that fail
    int end = 0;
    base::FailureKind kind = base::FailureKind::other;
    std::function<void()> before;
  };
  [[nodiscard]] Plan& plan_locked(Call call) ASHMEMO_REQUIRES(mutex_) {
    return plans_[static_cast<std::size_t>(call)];
  }

  mutable base::Mutex mutex_;
  std::array<Plan, static_cast<std::size_t>(Call::last_)> plans_ ASHMEMO_GUARDED_BY(mutex_);
};

/// Stands before another store, a fake or a real one, and lets calls fail as `faults` says. A
/// change that fails rolls the transaction back, as the real writer does.
[[nodiscard]] std::unique_ptr<store::Store> make_faulty(std::unique_ptr<store::Store> inner,
                                                        std::shared_ptr<Faults> faults);

}  // namespace ashmemo::test
