#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/calculation_options.hpp>
#include <ashmemo/duration.hpp>
#include <ashmemo/options.hpp>

namespace ashmemo {

/// What a cache did since it was opened, and what it holds. Read without a query: cheap at any
/// size. (A cache opened read-only may first look at the file, at most once a second.)
///
/// Each key that a `get*` or a load asks for counts exactly once:
/// `hits + stale_hits + misses == keys asked`. The other kinds of miss say why. `contains`,
/// `entry`, `for_each` and the `cached` form of a calculation count nothing.
struct Stats {
  // What is there.
  std::int64_t entries = 0;         ///< in the file; 0 while there is none
  std::int64_t bytes = 0;           ///< what these cost in the file
  std::int64_t file_bytes = 0;      ///< size of the file
  std::int64_t wal_bytes = 0;       ///< size of its write-ahead log
  std::int64_t queue_bytes = 0;     ///< accepted and not yet committed
  std::int64_t memory_entries = 0;  ///< copies in the memory tier
  std::int64_t memory_bytes = 0;    ///< what these take, the tier's own tables included

  // Reads.
  std::int64_t hits = 0;            ///< fresh values
  std::int64_t stale_hits = 0;      ///< values served past their freshness
  std::int64_t memory_hits = 0;     ///< of both, answered by the memory tier
  std::int64_t misses = 0;          ///< everything else; of these:
  std::int64_t expired_misses = 0;  ///< an entry was there, but its time was over
  std::int64_t undecodable = 0;     ///< an entry was there, but is not of the type asked for
  std::int64_t damaged = 0;         ///< an entry was there, but did not match its checksum
  std::int64_t unread = 0;          ///< the store could not be read
  std::int64_t computed = 0;        ///< results that calculations and loaders produced
  std::int64_t joined = 0;          ///< misses that took the result of another caller's computation
  std::int64_t uncached_keys = 0;   ///< computed, not cached: the key is over the limit of 4 KiB

  // Writes.
  std::int64_t puts = 0;     ///< offered
  std::int64_t refused = 0;  ///< over the single-entry limit, or at the limit under Eviction::none
  std::int64_t dropped = 0;  ///< not kept: no room in the queue, no store, or its writing failed
  std::int64_t unencodable = 0;  ///< not kept: the value's codec failed
  std::int64_t superseded = 0;  ///< not kept: stored, removed or invalidated during the computation

  // Removals from the file.
  std::int64_t erased = 0;
  std::int64_t replaced = 0;
  std::int64_t expired = 0;
  std::int64_t evicted = 0;

  // Touches.
  std::int64_t touches_marked = 0;     ///< reads that left a mark
  std::int64_t touches_coalesced = 0;  ///< of these, into a mark that was there
  std::int64_t touches_written = 0;    ///< marks written to rows
  std::int64_t touches_dropped = 0;    ///< reads whose mark found no place, or whose row was gone

  // The worker.
  std::int64_t commits = 0;
  std::int64_t bytes_written = 0;  ///< byte_size of the entries written, overwrites included
  std::int64_t worker_errors = 0;  ///< unexpected exceptions and failing listeners
  Duration saved{};                ///< what computing the values that hits answered took, summed
};

/// How well the store is.
enum class HealthState : std::uint8_t {
  ok = 0,
  /// Writing waits or fails (another program's lock, disk full), and reads go on; or reads fail,
  /// which are misses then.
  degraded = 1,
  unavailable = 2,  ///< there is no store at the moment; tried again with back-off
  closed = 3,       ///< the cache was closed
};

[[nodiscard]] std::string_view to_string(HealthState state) noexcept;

/// How the store is now, and what that has cost so far. See `Cache::health`.
struct Health {
  HealthState state = HealthState::ok;
  std::int64_t since = 0;       ///< microseconds since 1970 UTC (wall clock)
  std::string last_error;       ///< empty: none so far
  std::int64_t dropped = 0;     ///< writes not kept since opening
  bool foreign_reader = false;  ///< another program's read keeps the WAL from being reset
};

/// One calculation as the file knows it: what Cache::calculations tells.
struct StoredCalculation {
  std::int64_t id = 0;   ///< what EntryInfo::calculation_id of its results is
  std::string resource;  ///< what its keys begin with
  std::string name;
  std::int64_t version = 0;  ///< of the code that computed the results
  std::string result_type;   ///< as the codec names it (codec.hpp); empty: not known
  std::string policy;        ///< for people, as to_string(CachePolicy) wrote it
  CalculationStats stats{};  ///< as last written, at most one touch_interval ago
};

/// What `Cache::check` found.
struct CheckReport {
  bool ok = true;                     ///< nothing damaged and the totals right
  std::vector<std::string> problems;  ///< what SQLite's integrity check says, one line each
  std::int64_t entries_off_by = 0;    ///< what the totals were corrected by
  std::int64_t bytes_off_by = 0;
};

}  // namespace ashmemo
