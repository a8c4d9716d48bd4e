#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <ashmemo/entry.hpp>

// The hooks of a cache: Options::hooks. `on_error` receives faults and changes of state.
// `on_removal` receives each entry that was removed from the file.
//
// When. Hooks are called after the commit, without any lock, once for each event and in order. The
// worker's thread calls them, and so does each call that runs maintenance itself: `flush`,
// `run_maintenance`, `compact`, and in manual mode any call that has to wait. If the worker's
// thread could not start, puts and reads do it, too, once a second. Such a call delivers the events
// that are queued when its work is done, and those that were queued meanwhile. The worker's thread,
// or without it the next such call, delivers later ones. A read-only cache has no worker: there
// `flush`, `run_maintenance`, `compact`, `check`, `backup` and `close` call the hooks. Until then
// at most 1,000 notices wait; older ones are dropped and counted in the text of the next one.
//
// Slow hooks delay the worker: at most about 10,000 removals wait for them. Then nothing is written
// until they return, and a full queue drops puts.
//
// Inside a hook a program may use this cache and any other cache. No call waits there, because
// another thread may be waiting for the hook:
//   - Puts are queued. If the queue is full, they are dropped and counted.
//   - With Durability::commit and power a put returns false although it is queued.
//   - Removals are queued and hold at once for all readers of this process. `erase` returns whether
//     the entry existed; `erase_prefix` and `clear` return 0. Queued removals of single keys may
//     take any amount of memory, so remove many entries with `erase_prefix` or `clear`.
//   - Loads do not wait for other loads; they compute.
//   - `flush`, `run_maintenance`, `compact`, `check`, `backup` and `close` throw ErrorCode::misuse.
// A hook may open caches, and destroy those that it has opened itself, but no others. It may call
// exit(), which destroys a static cache.
//
// The threads of the library block most signals. A program that a hook or a refresh starts with
// posix_spawn inherits that, unless the call sets another mask.

namespace ashmemo {

/// The subjects of notices. The numbers never change.
enum class NoticeKind : std::uint8_t {
  unavailable = 1,     ///< the store is missing, or only read; names the path and the reason
  available = 2,       ///< the store is back, and can be written
  busy = 3,            ///< another program has the write lock, or a long read of ours keeps the WAL
  write_failed = 4,    ///< the store refuses to write: disk full, I/O error
  recovered = 5,       ///< writing or reading works again
  quarantined = 6,     ///< a damaged file was renamed; reported each time
  writes_dropped = 7,  ///< accepted or offered writes were not kept
  removal_uncommitted = 8,  ///< a removal returned before it could be committed
  undecodable = 9,          ///< a stored value does not decode as the type that was asked for
  unencodable = 10,         ///< the codec of a value threw; the value was returned but not stored
  refused = 11,          ///< an entry over the single-entry limit, or a write under Eviction::none
  default_limit = 12,    ///< the first eviction under the default max_bytes
  listener_failed = 13,  ///< a hook threw an exception
  worker_failed = 14,    ///< the worker met an unexpected exception or has no thread; it continues
  foreign_reader = 15,   ///< a read of another program prevents the WAL from starting over
  calculation_failed = 16,  ///< a background refresh failed, or stale-if-error answered
  read_failed = 17,         ///< the store could not be read; these reads were misses
  file_lost = 18,  ///< the open file was deleted, moved away or replaced; reported each time
  everything_removed = 19,  ///< too many removals waited for the file, so all entries were removed
  entry_damaged = 20,       ///< an entry did not match its checksum and was removed
  not_cached = 21,  ///< a calculation without a policy has computed 1,000 results; once for each
  writable_by_others = 22,  ///< group or others may write the file, and its mode cannot be changed
};

[[nodiscard]] std::string_view to_string(NoticeKind kind) noexcept;

/// A fault, or a change of state. Only the first notice of a kind is delivered until its state
/// ends; later ones are counted. When states end:
///   - `busy`, `write_failed`, `read_failed` and `foreign_reader`: with `recovered`. Reading has
///     recovered when a read works and none has failed for a second, or up to an hour if reading
///     fails again and again. `read_failed` also ends, without a notice, when another file is
///     opened.
///   - `unavailable`: with `available`.
///   - `writes_dropped`, `removal_uncommitted` and `everything_removed`: with the fault that caused
///     them.
///   - `calculation_failed`: for each calculation when a run of it succeeds and no record of it is
///     failing. A record that no load asks for in the minute after its pause does not count.
///   - The others: never while the cache is open.
/// A notice may contain keys. Consider this before you log it.
struct Notice {
  NoticeKind kind = NoticeKind::unavailable;
  std::string what;     ///< the event, its file or key, and what to do
  std::string subject;  ///< the file, key or calculation
};

/// One entry that was removed from the file.
struct Removal {
  std::string_view key;  ///< valid during the call
  RemovalCause cause = RemovalCause::erased;
};

}  // namespace ashmemo
