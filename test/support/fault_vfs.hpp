#pragma once

#include <sqlite3.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// For tests: makes the calls of SQLite to the operating system fail.

namespace ashmemo::test {

/// How a call to the system fails.
enum class Fault : std::uint8_t {
  busy,
  full,
  io_error,  ///< the I/O error code of the call: reading, writing, syncing, ...
  corrupt,
  not_a_database,
  read_only,  ///< the file can be opened only for reading
  cannot_open,
  no_memory,
  shortened,  ///< half of the bytes are transferred; then io_error, or full if writing
  /// The file ends after half of the requested bytes, or before all of them if they are a page of a
  /// database. SQLite uses zeros in place of the missing bytes.
  ended,
};
inline constexpr std::array kFaults{
    Fault::busy,      Fault::full,        Fault::io_error,  Fault::corrupt,   Fault::not_a_database,
    Fault::read_only, Fault::cannot_open, Fault::no_memory, Fault::shortened, Fault::ended};
[[nodiscard]] std::string_view to_string(Fault fault) noexcept;

/// The calls of SQLite to the system that can fail.
enum class SystemCall : std::uint8_t {
  open,
  read,
  read_unmarked,  ///< a read of a database page whose first byte is not its kind
  write,
  truncate,
  sync,
  size,
  lock,
  map,          ///< of shared memory
  lock_shared,  ///< in shared memory
  remove,
  access,
};
/// Whether a system can fail a call in this way. SQLite relies on these rules: only locks are busy,
/// and a failed write is an I/O error or a full disk.
///
/// SQLite also relies on the file not ending before a page that the database uses. It reads a
/// missing page as zeros. It detects this if the page must begin with its kind, because zero is not
/// a kind. It cannot detect zeros in a long text, in a list of free pages or in a pointer map, and
/// neither can a cache above SQLite. So reads of such pages never get the fault `ended`. On other
/// pages `ended` removes the whole page, because SQLite cannot detect that half a page is missing.
[[nodiscard]] bool can_fail(SystemCall call, Fault fault) noexcept;

/// Records the calls of SQLite to the system and makes them fail. No call sleeps or syncs. It
/// affects connections that are opened while it exists. Only one may exist at a time. Threads: any.
class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  /// The nth call from now on fails (0: the next). If `stays`, all later calls that can fail in
  /// this way also fail.
  void fail(Fault fault, std::size_t nth, bool stays);
  /// From now on, each call of this kind fails, and no other call.
  void fail_each(SystemCall call, Fault fault);
  /// From now on, the disk has space for this many more bytes, over all files. A call that needs
  /// more fails with `system_error`.
  void fill_disk(std::int64_t space, int system_error = ENOSPC);
  /// Removes all failures.
  void heal();
  /// The calls since the last call of `fail`, `fail_each`, `fill_disk` or `heal`.
  [[nodiscard]] std::vector<SystemCall> calls() const;
  /// The number of these calls that failed. Calls without space on the disk do not count.
  [[nodiscard]] std::size_t fired() const;

 private:
  sqlite3_vfs vfs_;
};

}  // namespace ashmemo::test
