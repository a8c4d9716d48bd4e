#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/calculation_options.hpp>
#include <ashmemo/duration.hpp>
#include <ashmemo/options.hpp>

namespace ashmemo {

/// The counters of a cache since it was opened, and its current content. Reading them runs no
/// query, so the cost does not depend on the size. (A cache that is open read-only may look at the
/// file first, at most once a second.)
///
/// Each key of a `get*` or a load counts exactly once: `hits + stale_hits + misses` is the number
/// of keys. The other kinds of miss give the reason. `contains`, `entry`, `for_each` and the
/// `cached` form of a calculation count nothing.
struct Stats {
  // Content.
  std::int64_t entries = 0;         ///< in the file; 0 without a file
  std::int64_t bytes = 0;           ///< their size in the file
  std::int64_t file_bytes = 0;      ///< size of the file
  std::int64_t wal_bytes = 0;       ///< size of its write-ahead log
  std::int64_t queue_bytes = 0;     ///< accepted and not yet committed
  std::int64_t memory_entries = 0;  ///< copies in the memory tier
  std::int64_t memory_bytes = 0;    ///< their size, with the tables of the tier

  // Reads.
  std::int64_t hits = 0;            ///< fresh values
  std::int64_t stale_hits = 0;      ///< values after the end of their freshness
  std::int64_t memory_hits = 0;     ///< the part of both that the memory tier answered
  std::int64_t misses = 0;          ///< all other keys; the following count some of them:
  std::int64_t expired_misses = 0;  ///< there was an entry, but it had expired
  std::int64_t undecodable = 0;     ///< there was an entry that did not decode
  std::int64_t damaged = 0;         ///< there was an entry, but it did not match its checksum
  std::int64_t unread = 0;          ///< the store could not be read
  std::int64_t computed = 0;        ///< results that calculations and loaders produced
  std::int64_t joined = 0;          ///< misses that took the result of another caller's computation
  std::int64_t uncached_keys = 0;   ///< computed, not stored: the key is longer than 4 KiB
  /// Results whose refresh was dropped: newer requests of the calculation filled the queue, or the
  /// executor dropped a task. They stay stale until another load asks for them.
  std::int64_t refreshes_dropped = 0;
  /// Rows that reads and writes found in the file by their remembered places (Options::hint_bytes).
  /// Also those of calls that count neither hits nor misses, such as `contains`.
  std::int64_t hint_hits = 0;
  /// The remembered place did not contain the row. The row was then searched by its key.
  std::int64_t wrong_hints = 0;

  // Writes.
  std::int64_t puts = 0;     ///< all puts
  std::int64_t refused = 0;  ///< over the single-entry limit, or at the limit under Eviction::none
  std::int64_t dropped = 0;  ///< not stored: the queue is full, no store, or writing failed
  std::int64_t unencodable = 0;  ///< not stored: the codec of the value threw
  std::int64_t superseded = 0;   ///< not stored: the key changed during the computation

  // Removals from the file.
  std::int64_t erased = 0;
  std::int64_t replaced = 0;
  std::int64_t expired = 0;
  std::int64_t evicted = 0;

  // Touches.
  std::int64_t touches_marked = 0;     ///< reads that set a mark
  std::int64_t touches_coalesced = 0;  ///< the part of these that found a mark already
  std::int64_t touches_written = 0;    ///< marks written to rows
  std::int64_t touches_dropped = 0;    ///< reads that found no free mark, or whose row was removed

  // The worker.
  std::int64_t commits = 0;
  std::int64_t bytes_written = 0;  ///< byte_size of the entries written, overwrites included
  std::int64_t worker_errors = 0;  ///< unexpected exceptions and failing listeners
  Duration saved{};  ///< the sum of the times that computing the values of all hits took
};

/// The state of the store.
enum class HealthState : std::uint8_t {
  ok = 0,
  /// Writing waits or fails (a lock of another program, a full disk, no right to write) while reads
  /// work; or reads fail and are misses.
  degraded = 1,
  unavailable = 2,  ///< the store cannot be used at the moment; it is tried again with back-off
  closed = 3,       ///< the cache was closed
};

[[nodiscard]] std::string_view to_string(HealthState state) noexcept;

/// The state of the store now, and its effects until now. See `Cache::health`.
struct Health {
  HealthState state = HealthState::ok;
  std::int64_t since = 0;       ///< microseconds since 1970 UTC (wall clock)
  std::string last_error;       ///< empty: no error until now
  std::int64_t dropped = 0;     ///< writes that were not stored since opening
  bool foreign_reader = false;  ///< a read of another program keeps the log from being reset
};

/// One calculation as it is in the file. Cache::calculations returns them.
struct StoredCalculation {
  std::int64_t id = 0;   ///< EntryInfo::calculation_id of its results
  std::string resource;  ///< its keys begin with this
  std::string name;
  std::int64_t version = 0;  ///< of the code that computed the results
  std::string result_type;   ///< with the arguments' types (codec.hpp); empty: not known
  std::string policy;        ///< for people, as to_string(CachePolicy) wrote it
  CalculationStats stats{};  ///< as last written, at most one touch_interval ago
};

/// The result of `Cache::check`.
struct CheckReport {
  bool ok = true;                     ///< no damage, and the totals were right
  std::vector<std::string> problems;  ///< the messages of SQLite's integrity check, one line each
  std::int64_t entries_off_by = 0;    ///< the difference by which the totals were corrected
  std::int64_t bytes_off_by = 0;
  /// Keys of entries that do not match their checksums, at most 100. They are misses, and an open
  /// cache removes them.
  std::vector<std::string> damaged_entries{};
};

}  // namespace ashmemo
