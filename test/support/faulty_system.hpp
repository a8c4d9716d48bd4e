#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "support/system_calls.hpp"

// For tests: makes the calls of the library and of SQLite to the operating system fail. Unlike
// fault_vfs.hpp, it also reaches the calls outside SQLite and the code of SQLite's VFS.

namespace ashmemo::test {

/// The errors that a system can return for the call. SQLite's syncs never appear here, because
/// fault_vfs.hpp makes them fail.
[[nodiscard]] std::span<const int> errors_of(const OsCall& call) noexcept;

/// Records the calls to the operating system and makes them fail. Only one may exist at a time, and
/// no cache may be open when it is created or destroyed. Threads: any.
class FaultySystem {
 public:
  FaultySystem();
  ~FaultySystem();
  FaultySystem(const FaultySystem&) = delete;
  FaultySystem& operator=(const FaultySystem&) = delete;

  /// The nth call from now on fails with this error (0: the next). If `stays`, all later calls that
  /// can fail with this error also fail.
  void fail(int error, std::size_t nth, bool stays);
  /// Removes all failures.
  void heal();
  /// The calls since the last call of `fail` or `heal`, without their paths.
  [[nodiscard]] std::vector<OsCall> calls() const;
  /// The number of these calls that failed.
  [[nodiscard]] std::size_t fired() const;
  /// Describes the first call that failed since the last call of `fail`. For messages.
  [[nodiscard]] std::string first_failed() const;
};

}  // namespace ashmemo::test
