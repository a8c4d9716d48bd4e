#pragma once

#include <sqlite3.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// For tests: lets what SQLite asks of the system fail.

namespace ashmemo::test {

/// How a call to the system fails: what SQLite is told.
enum class Fault : std::uint8_t {
  busy,
  full,
  io_error,  ///< with the code of the call: reading, writing, syncing, ...
  corrupt,
  not_a_database,
  read_only,  ///< what is opened may only be read
  cannot_open,
  no_memory,
  shortened,  ///< as io_error, or full when writing, and half of it was done
  /// The file was at its end: after half of what was asked, or before it, if that is a page of a
  /// database. SQLite takes the zeros behind the end for what is there.
  ended,
};
inline constexpr std::array kFaults{
    Fault::busy,      Fault::full,        Fault::io_error,  Fault::corrupt,   Fault::not_a_database,
    Fault::read_only, Fault::cannot_open, Fault::no_memory, Fault::shortened, Fault::ended};
[[nodiscard]] std::string_view to_string(Fault fault) noexcept;

/// What SQLite asks of the system, as far as it can fail.
enum class SystemCall : std::uint8_t {
  open,
  read,
  read_unmarked,  ///< of a page of a database that does not begin with its kind
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
/// Whether a system may answer so: SQLite relies on it that locks alone are busy, and that what
/// fails while a file is written is an I/O error or a full disk.
///
/// It relies on it, too, that a database does not end before a page that it knows to be there. If a
/// page must begin with its kind, which zero is not, it finds out. But zeros in the place of the
/// end of a long text, of a list of free pages, of the map of pages, of half of a page's entries
/// are as good as anything else: neither SQLite nor a cache above it can know that they are wrong.
/// So no such page is `ended`, and the others are as a whole.
[[nodiscard]] bool can_fail(SystemCall call, Fault fault) noexcept;

/// Notes SQLite's calls to the system, and lets them fail. Nothing sleeps or syncs. Concerns
/// connections opened while it lives. One at a time; any thread.
class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  /// The nth call from now on fails (0: the next), and if it `stays` all after it that can fail so.
  void fail(Fault fault, std::size_t nth, bool stays);
  /// Each call of this kind fails from now on, and no other.
  void fail_each(SystemCall call, Fault fault);
  /// The disk has room for this many more bytes, in files of any kind.
  void fill_disk(std::int64_t room);
  /// Nothing fails any more.
  void heal();
  /// Since the last of these.
  [[nodiscard]] std::vector<SystemCall> calls() const;
  /// How many of these have failed, by `fail`.
  [[nodiscard]] std::size_t fired() const;

 private:
  sqlite3_vfs vfs_;
};

}  // namespace ashmemo::test
