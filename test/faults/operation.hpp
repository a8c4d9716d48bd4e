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
};

/// Counts the calls to the system that the operation makes, and tries it with each of them failing
/// in each way, once and from then on: each time on a file of its own, and each time it must come
/// to its end, answer rightly or with a miss, and leave a cache that heals. ASHMEMO_FAULT_SHARE=n
/// tries every nth of them on average, chosen by ASHMEMO_TEST_SEED; ASHMEMO_FAULT_CASE=n only that
/// one of each operation, which a failure names.
void try_faults(const Operation& operation);

}  // namespace ashmemo::test
