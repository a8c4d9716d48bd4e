#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <ashmemo/entry.hpp>
#include <ashmemo/value.hpp>

#include "base/saturate.hpp"

// What travels between the store and the layers above it: plain rows, no SQL.

namespace ashmemo::store {

/// A stamp is about a moment in microseconds. From here on (the year 148,000) they are nobody's
/// stamps: counting on from them would reach the end of the numbers.
inline constexpr std::int64_t kNoStamp = std::int64_t{1} << 62;

/// The four moments of an entry's life, with NULL already resolved: never is base::kForever.
struct Deadlines {
  std::int64_t computed_at = 0;
  std::int64_t fresh_until = base::kForever;
  std::int64_t expires_at = base::kForever;
  std::int64_t keep_until = base::kForever;
};

/// One row as a reader meets it. The views are valid only while the sink is being called.
struct RowView {
  std::int64_t rowid = 0;
  Deadlines deadlines;
  std::int64_t calculation_id = 0;  // 0: put directly
  ValueView record_version;         // null: none
  std::int64_t cost_us = 0;
  ValueView value;
};

/// Receives rows during Store::read. Must be quick, must not throw and must not call the store: a
/// reader connection is leased meanwhile.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void row(std::size_t index, const RowView& row) noexcept = 0;
  /// The row of this key does not match its checksum: it answers nothing.
  virtual void damaged(std::size_t /*index*/, std::int64_t /*rowid*/) noexcept {}
};

/// One key to look up, and what it is called in the caller's own order.
struct Lookup {
  std::string_view key;
  std::size_t index = 0;
};

/// A whole entry, copied out: for `entry`, `for_each` and tools.
struct StoredEntry {
  std::int64_t rowid = 0;
  bool is_damaged = false;  // does not match its checksum: nothing of it but the key is to be used
  EntryInfo info;
  Deadlines deadlines;
  Value record_version;
  Value value;
};

/// A row to write: a new entry, or a new value for an old one, which stays in its eviction queue.
struct PutRow {
  std::string_view key;
  ValueView value;
  std::int64_t byte_size = 0;
  std::int64_t stamp = 0;  // inserted_at and the first accessed_at: strictly increasing
  Deadlines deadlines;
  std::int64_t calculation_id = 0;
  ValueView record_version;
  std::int64_t cost_us = 0;
  std::int64_t touches = 0;  // reads of the value while it was waiting to be written
  std::int64_t eviction_counter = 0;
  std::int64_t eviction_queue = 0;
};

/// A row that left the table, or was replaced.
struct RemovedRow {
  std::string key;
  std::int64_t byte_size = 0;
  std::int64_t calculation_id = 0;
  Deadlines deadlines;
  std::int64_t eviction_queue = 0;
};

/// The queue that is counted by itself: S3-FIFO's probation. All others are 0.
inline constexpr std::int64_t kProbationQueue = 1;

/// Reads are counted up to this for eviction: what was popular once leaves after as many passes.
inline constexpr std::int64_t kMaxEvictionCounter = 3;

/// A row at the head of an eviction queue.
struct Candidate {
  std::int64_t rowid = 0;
  std::string key;
  std::int64_t byte_size = 0;
  std::int64_t inserted_at = 0;
  std::int64_t accessed_at = 0;
  std::int64_t calculation_id = 0;
  std::int64_t eviction_counter = 0;
  std::int64_t eviction_queue = 0;
};

/// Where a row goes that may stay: its new place, and the touches that it got since it was last
/// written.
struct Placement {
  std::int64_t inserted_at = 0;
  std::int64_t accessed_at = 0;
  std::int64_t touches = 0;
  std::int64_t eviction_counter = 0;
  std::int64_t eviction_queue = 0;
};

/// Touches of one row, coalesced.
struct TouchRow {
  std::int64_t rowid = 0;
  std::int64_t accessed_at = 0;
  std::int64_t count = 0;
};

struct Totals {
  std::int64_t entries = 0;
  std::int64_t bytes = 0;
  // Of these, in eviction queue 1: S3-FIFO must know how full its probation is, without counting.
  std::int64_t probation_entries = 0;
  std::int64_t probation_bytes = 0;
  friend bool operator==(const Totals&, const Totals&) = default;
};

/// One row of cache_calculations. A calculation has one current row; a change of its version and an
/// invalidation of all its results give it a new id and retire the old row until its entries are
/// gone.
struct CalculationRow {
  std::int64_t id = 0;
  std::string resource;
  std::string name;
  std::int64_t version = 0;
  std::string policy;  // for people
  bool retired = false;
  std::int64_t hits = 0;
  std::int64_t stale_hits = 0;
  std::int64_t misses = 0;
  std::int64_t computed = 0;
  std::int64_t failed = 0;
  std::int64_t saved_us = 0;
  std::string result_type{};  // as the codec names it; empty: not known
};

}  // namespace ashmemo::store
