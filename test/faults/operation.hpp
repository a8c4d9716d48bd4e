#pragma once

#include <functional>

#include "faults/trial.hpp"

namespace ashmemo::test {

/// An operation of the public interface.
struct Operation {
  File file = File::filled;
  Options options{};
  std::function<void(Trial&)> before{};  ///< preparation, without faults
  std::function<void(Trial&)> act{};     ///< the calls that are tried with faults
  std::function<void(Trial&)> after{};   ///< checks after the fault, when the cache is closed
  /// Entries may be lost without a fault, because of limits or a deleted file. Otherwise every
  /// accepted entry must be found after the fault has ended, except entries that the cache reported
  /// as lost and entries of a quarantined file.
  bool may_lose = false;
  /// The worker and the refreshes have their threads. Then only the starts of threads fail, because
  /// the other calls have no order.
  bool has_threads = false;
};

/// Counts the system calls and the starts of threads of the operation. Then it tries the operation
/// with each call failing in each way, once and permanently, each time on a new file. Each time the
/// operation must return, with correct results or misses. The cache must report a fault that lasts.
/// After the fault has ended, it must recover by itself and have lost nothing. Without a fault, the
/// operation must have no misses.
///
/// ASHMEMO_FAULT_SHARE=n tries one of n cases on average, chosen with ASHMEMO_TEST_SEED.
/// ASHMEMO_FAULT_CASE=n tries only case n of each operation. A failure prints this number.
void try_faults(const Operation& operation);

}  // namespace ashmemo::test
