#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <ashmemo/entry.hpp>

// What a cache tells its program about, besides its answers: Options::hooks. Both hooks are called
// by the worker (in manual mode: by whoever does the worker's work; in a cache opened read-only,
// which has none: by `flush`, `run_maintenance`, `compact`, `check`, `backup` and `close`), after
// the transaction in question was committed and without any lock. They may call the cache. On that
// thread nothing waits: puts beyond the queue's bound are dropped, removals and `commit`/`power`
// puts are queued and return at once, and `flush`, `close` and `run_maintenance` throw
// ErrorCode::misuse.
//
// Everything is told once and in order. Where the worker has a thread, a call that does its work
// (`flush`, `run_maintenance`, `compact`) tells what there is when it is done, and leaves to the
// thread what others bring meanwhile. Hooks that are slower than that hold the worker up: no more
// than some 10,000 removals wait for them, and once the queue is full puts find no room.
//
// Another cache they may use in full, whatever its hooks do with this one: where a caller would
// wait for the other's worker, a hook does that worker's work itself, and may so run the other's
// hooks. Only `close` is misuse for any cache: it waits for hooks. A hook may destroy the caches
// that it has made itself, and no others.

namespace ashmemo {

/// What a notice is about. The numbers never change.
enum class NoticeKind : std::uint8_t {
  unavailable = 1,     ///< there is no store at the moment; names the path and the reason
  available = 2,       ///< the store is back
  busy = 3,            ///< another program holds the write lock, or a long read of ours the log
  write_failed = 4,    ///< the store refuses to write: disk full, I/O error
  recovered = 5,       ///< writing works again, or reading
  quarantined = 6,     ///< a damaged file was renamed and a new one begun; told each time
  writes_dropped = 7,  ///< accepted or offered writes were not kept
  removal_uncommitted = 8,  ///< a removal returned before it could be committed
  undecodable = 9,          ///< a stored value does not decode as the type that was asked for
  unencodable = 10,         ///< a value's own codec failed; the value was returned and not kept
  refused = 11,          ///< an entry over the single-entry limit, or a write under Eviction::none
  default_limit = 12,    ///< the first eviction under the default max_bytes
  listener_failed = 13,  ///< on_removal threw
  worker_failed = 14,    ///< an unexpected exception in the worker; it goes on
  foreign_reader = 15,   ///< another program's read keeps the WAL from being reset
  calculation_failed = 16,  ///< a background refresh failed, or stale-if-error answered
  read_failed = 17,         ///< the store could not be read; the reads in question were misses
  file_lost = 18,           ///< the open file was deleted, moved away or replaced; told each time
  everything_removed = 19,  ///< too many removals waited for the file: all entries go instead
  entry_damaged = 20,       ///< an entry did not match its checksum and was removed
};

[[nodiscard]] std::string_view to_string(NoticeKind kind) noexcept;

/// A fault, or a change of state. The first of each kind per state is told; the rest is only
/// counted. `busy`, `write_failed`, `read_failed` and `foreign_reader` last until `recovered` says
/// so, `unavailable` until `available`. Reading has recovered when a read works and none has failed
/// for a second, and without a word when another file is opened. `writes_dropped`,
/// `removal_uncommitted` and `everything_removed` are over with the trouble that led to them, and
/// are told anew the next time. `calculation_failed` is told of each calculation by itself, and
/// lasts until a run of it succeeds. What has no end is told once while the cache is open. Keys
/// appear in it: they may hold what the program would rather not log.
struct Notice {
  NoticeKind kind = NoticeKind::unavailable;
  std::string what;     ///< what happened, to which file or key, and what to do
  std::string subject;  ///< the file, key or calculation
};

/// One entry that left the file.
struct Removal {
  std::string_view key;  ///< valid during the call
  RemovalCause cause = RemovalCause::erased;
};

}  // namespace ashmemo
