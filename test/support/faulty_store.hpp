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
  find_rowids,
  delete_key,
  touch,
  delete_row,
  delete_damaged,
  reinsert,
  delete_prefix,
  delete_due,
  delete_retired,
  delete_everything,
  oldest,
  put_calculation,
  add_counters,
  delete_calculations,
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

/// Counts calls and decides which of them fail. All stores of one test share it. It outlives them.
///
/// Threads: any.
class Faults {
 public:
  /// The nth call of this kind from now on fails (1: the next), and the next `times - 1` calls.
  void fail(Call call, base::FailureKind kind, int nth = 1, int times = 1);
  /// All calls of this kind fail from now on.
  void fail_always(Call call, base::FailureKind kind) { fail(call, kind, 1, 1'000'000'000); }
  /// The same, with the code of SQLite for a page that cannot be read.
  void fail_reading_always(Call call);
  /// Removes all failures, and all functions of `before`.
  void heal();
  /// Runs `act` before every call of this kind, on the calling thread, without a lock. `act` may
  /// throw.
  void before(Call call, std::function<void()> act);

  [[nodiscard]] int calls(Call call) const;
  /// Called by FaultyStore.
  [[nodiscard]] std::optional<base::Failure> next(Call call);

 private:
  struct Plan {
    int calls = 0;
    int first = 0;  // number of the first call that fails
    int end = 0;
    base::FailureKind kind = base::FailureKind::other;
    int sqlite_code = 0;
    std::function<void()> before;
  };
  [[nodiscard]] Plan& plan_locked(Call call) ASHMEMO_REQUIRES(mutex_) {
    return plans_[static_cast<std::size_t>(call)];
  }

  mutable base::Mutex mutex_;
  std::array<Plan, static_cast<std::size_t>(Call::last_)> plans_ ASHMEMO_GUARDED_BY(mutex_);
};

/// Wraps a store, fake or real, and makes its calls fail as `faults` decides. A change that fails
/// rolls the transaction back, as the real writer does.
[[nodiscard]] std::unique_ptr<store::Store> make_faulty(std::unique_ptr<store::Store> inner,
                                                        std::shared_ptr<Faults> faults);

}  // namespace ashmemo::test
