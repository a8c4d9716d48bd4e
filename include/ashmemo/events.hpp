#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <ashmemo/entry.hpp>

// The events of a cache: Options::hooks. The worker calls both hooks after it has committed the
// transaction, and without a mutex. In manual mode the thread that does the worker's work calls them.
// A cache that is open read-only has no worker; there `flush`, `run_maintenance`, `compact`, `check`,
// `backup` and `close` call them.
//
// Hooks may call the cache. No call waits there: puts beyond the limit of the queue are dropped,
// removals and `commit`/`power` puts are queued and return at once, and `flush`, `close` and
// `run_maintenance` throw ErrorCode::misuse.
//
// Every event is delivered once and in order. If the worker has a thread, a call that does its work
// (`flush`, `run_maintenance`, `compact`) delivers the events that are queued when it is done; the
// thread delivers later ones. Slow hooks delay the worker: at most about 10,000 removals wait for them,
// and once the queue is full, puts are dropped.
//
// A hook may use another cache fully. If a caller would wait for the worker of that cache, a hook does
// the worker's work itself, and may run the hooks of that cache. Only `close` is misuse for every
// cache, because it waits for hooks. A hook may destroy only caches that it has created.

namespace ashmemo {

/// The subject of a notice. The numbers never change.
enum class NoticeKind : std::uint8_t {
  unavailable = 1,  ///< the store cannot be used at the moment; names the path and the reason
  available = 2,    ///< the store is back
  busy = 3,  ///< another program holds the write lock, or a long read of this cache holds the log
  write_failed = 4,    ///< the store refuses to write: disk full, I/O error
  recovered = 5,       ///< writing works again, or reading
  quarantined = 6,     ///< a damaged file was renamed and replaced by a new one; reported each time
  writes_dropped = 7,  ///< writes were not stored
  removal_uncommitted = 8,  ///< a removal returned before it could be committed
  undecodable = 9,          ///< a stored value does not decode as the type that was asked for
  unencodable = 10,         ///< the codec of a value threw; the value was returned but not stored
  refused = 11,          ///< an entry over the single-entry limit, or a write under Eviction::none
  default_limit = 12,    ///< the first eviction under the default max_bytes
  listener_failed = 13,  ///< on_removal threw
  worker_failed = 14,    ///< an unexpected exception in the worker; it goes on
  foreign_reader = 15,   ///< a read of another program prevents the reset of the write-ahead log
  calculation_failed = 16,  ///< a background refresh failed, or stale-if-error answered
  read_failed = 17,         ///< the store could not be read; those reads were misses
  file_lost = 18,           ///< the open file was deleted, moved or replaced; reported each time
  everything_removed = 19,  ///< too many removals waited, so all entries were removed
  entry_damaged = 20,       ///< an entry did not match its checksum and was removed
};

[[nodiscard]] std::string_view to_string(NoticeKind kind) noexcept;

/// A fault or a change of state. The first notice of each kind is reported; while the state lasts,
/// further ones are only counted. `busy`, `write_failed`, `read_failed` and `foreign_reader` last until
/// `recovered`, `unavailable` until `available`. Reading has recovered when a read works and no read has
/// failed for a second. It ends without a notice when another file is opened. `writes_dropped`,
/// `removal_uncommitted` and `everything_removed` end with the trouble that caused them, and are
/// reported again the next time. `calculation_failed` is reported for each calculation, and lasts until
/// a run of it succeeds. A kind without an end is reported once while the cache is open. Notices contain
/// keys, which a program may not want to log.
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
