#pragma once

#include <functional>

#include "faults/trial.hpp"

namespace ashmemo::test {

/// An operation of the public interface.
struct Operation {
  File file = File::filled;
  Options options{};
  std::function<void(Trial&)> before{};  ///< what must have happened; nothing fails yet
  std::function<void(Trial&)> act{};     ///< what is tried
  std::function<void(Trial&)> after{};   ///< what must be so once all is well and closed
  /// What was stored may go though nothing fails: limits are passed, the file is deleted. Else what
  /// the cache took must be there when all is well again, but for what it said it lost, and for all
  /// of a file that was set aside.
  bool may_lose = false;
};

/// Counts the calls to the system that the operation makes, and tries it with each of them failing
/// in each way, once and from then on: each time on a file of its own, and each time it must come
/// to its end, answer rightly or with a miss, tell of what lasts, and leave a cache that heals and
/// has lost nothing. Without a fault it must miss nothing either. ASHMEMO_FAULT_SHARE=n
/// tries every nth of them on average, chosen by ASHMEMO_TEST_SEED; ASHMEMO_FAULT_CASE=n only that
/// one of each operation, which a failure names.
void try_faults(const Operation& operation);

}  // namespace ashmemo::test
