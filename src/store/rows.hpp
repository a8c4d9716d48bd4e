#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <ashmemo/entry.hpp>
#include <ashmemo/value.hpp>

#include "base/saturate.hpp"

// The rows that the store and the layers above it exchange. No SQL.

namespace ashmemo::store {

/// A stamp is nearly a time in microseconds. Larger stamps (after the year 148,000) are ignored,
/// because counting on from them would reach the maximum integer.
inline constexpr std::int64_t kNoStamp = std::int64_t{1} << 62;

/// The four times of an entry's life. A time that never comes is base::kForever.
struct Deadlines {
  std::int64_t computed_at = 0;
  std::int64_t fresh_until = base::kForever;
  std::int64_t expires_at = base::kForever;
  std::int64_t keep_until = base::kForever;
};

/// Whether an entry answers reads at `now`, fresh or stale: the answer of engine::freshness_of.
[[nodiscard]] constexpr bool is_live(const Deadlines& entry, std::int64_t now) noexcept {
  return entry.computed_at <= now && now < entry.expires_at;
}

/// An entry without its key, as the readers and the memory tier find it and the writer stores it.
/// The views point into a row, a queued write or a copy in memory.
struct EntryView {
  std::int64_t rowid = 0;  // 0: it is not in the file
  Deadlines deadlines;
  std::int64_t calculation_id = 0;  // 0: put directly
  ValueView record_version;         // null: the record has no version
  std::int64_t cost_us = 0;
  ValueView value;
};

/// Receives rows during Store::read. The views are valid only during the call. It must be fast,
/// must not throw and must not call the store, because a reader is leased meanwhile.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void row(std::size_t index, const EntryView& row) noexcept = 0;
  /// The row of this key does not match its checksum, so it must not answer.
  virtual void damaged(std::size_t /*index*/, std::int64_t /*rowid*/) noexcept {}
  /// How many rows were found by their hints, and how many hints were wrong. See RowidHints.
  virtual void used_hints(std::int64_t /*right*/, std::int64_t /*wrong*/) noexcept {}
};

/// One key to look up, with its index in the order of the caller.
struct Lookup {
  std::string_view key;
  std::size_t index = 0;
};

/// A key, and the rowid of its row. 0: it has none.
struct RowidOf : Lookup {
  std::int64_t rowid = 0;
};

/// A copy of a whole entry, for `entry`, `for_each` and tools.
struct StoredEntry {
  /// The caller adds the size, the moments of insertion and access, and the freshness to `info`.
  StoredEntry(std::string_view key, const EntryView& entry);

  std::int64_t rowid;
  bool is_damaged = false;  // does not match its checksum; only the key may be used
  EntryInfo info;
  Deadlines deadlines;
  Value value;
};

inline StoredEntry::StoredEntry(std::string_view key, const EntryView& entry)
    : rowid(entry.rowid), deadlines(entry.deadlines), value(entry.value) {
  const auto unless = [](std::int64_t moment, std::int64_t same_as) {
    return moment == same_as ? std::nullopt : std::optional(moment);
  };
  info.key = key;
  info.computed_at = deadlines.computed_at;
  info.expires_at = unless(deadlines.expires_at, base::kForever);
  info.fresh_until = unless(deadlines.fresh_until, deadlines.expires_at);
  info.keep_until = unless(deadlines.keep_until, deadlines.expires_at);
  info.calculation_id = unless(entry.calculation_id, 0);
  if (entry.cost_us != 0) info.cost = Duration::microseconds(entry.cost_us);
}

/// What a new value does to a row that keeps its place in its eviction queue.
struct Overwrite {
  std::int64_t reads = 0;  // added to eviction_counter, up to kMaxEvictionCounter
  bool is_access = false;  // the stamp becomes accessed_at
};

/// A row to write: a new entry, or a new value for an old entry, which stays in its eviction queue.
/// The writer chooses the rowid.
struct PutRow : EntryView {
  std::string_view key;
  std::int64_t byte_size = 0;
  std::int64_t stamp = 0;    // inserted_at and accessed_at of a new insertion: strictly increasing
  std::int64_t touches = 0;  // reads of the value while it was in the write queue
  std::int64_t eviction_counter = 0;
  std::int64_t eviction_queue = 0;
  std::int64_t now = 0;                  // the wall clock
  std::optional<Overwrite> overwrite{};  // see keeps_place
};

/// A row that was deleted or replaced.
struct DeletedRow {
  std::int64_t rowid = 0;
  std::string key;
  std::int64_t byte_size = 0;
  std::int64_t calculation_id = 0;
  Deadlines deadlines;
  std::int64_t eviction_queue = 0;
};

/// Whether an old row keeps its place in its queue when `row` replaces its value: it is live and
/// belongs to the same calculation. Otherwise the new value is a new insertion, and the row becomes
/// the newest one of its queue with a counter of 0. Without `overwrite` this is always so.
[[nodiscard]] inline bool keeps_place(const DeletedRow& before, const PutRow& row) noexcept {
  return row.overwrite && before.calculation_id == row.calculation_id &&
         is_live(before.deadlines, row.now);
}

/// The probation queue of S3-FIFO, which has its own totals. All other rows are in queue 0.
inline constexpr std::int64_t kProbationQueue = 1;

/// The maximum count of reads for eviction. So an entry that was popular once is evicted after at
/// most this many passes.
inline constexpr std::int64_t kMaxEvictionCounter = 3;

/// A row at the head of an eviction queue.
struct Candidate {
  std::int64_t rowid = 0;
  std::string key;
  std::int64_t byte_size = 0;
  std::int64_t inserted_at = 0;
  std::int64_t accessed_at = 0;
  std::int64_t eviction_counter = 0;
  std::int64_t eviction_queue = 0;
};

/// The new place of a row that stays, with the touches since it was last written.
struct Placement {
  std::int64_t inserted_at = 0;
  std::int64_t accessed_at = 0;
  std::int64_t touches = 0;
  std::int64_t eviction_counter = 0;
  std::int64_t eviction_queue = 0;
};

/// The touches of one row since it was last written.
struct TouchRow {
  std::int64_t rowid = 0;
  std::int64_t accessed_at = 0;
  std::int64_t count = 0;
};

struct Totals {
  std::int64_t entries = 0;
  std::int64_t bytes = 0;
  // The part in the probation queue, so that S3-FIFO knows its size without counting.
  std::int64_t probation_entries = 0;
  std::int64_t probation_bytes = 0;
  friend bool operator==(const Totals&, const Totals&) = default;
};

/// The counters of a calculation: those of its row, those since then, or a difference.
template <class Number>
struct CalculationCounts {
  Number hits{}, stale_hits{}, misses{}, computed{}, failed{}, saved_us{};
};

/// All of them, in the order of their columns.
template <class Number>
inline constexpr std::array kCalculationCounts{
    &CalculationCounts<Number>::hits,   &CalculationCounts<Number>::stale_hits,
    &CalculationCounts<Number>::misses, &CalculationCounts<Number>::computed,
    &CalculationCounts<Number>::failed, &CalculationCounts<Number>::saved_us};

/// One row of cache_calculations. A calculation has one current row. A new version and an
/// invalidation of all its results give it a new id; the old row stays retired until its entries
/// are deleted.
struct CalculationRow : CalculationCounts<std::int64_t> {
  std::int64_t id = 0;
  std::string resource;
  std::string name;
  std::int64_t version = 0;
  std::string policy;  // for people who read the file
  bool retired = false;
  std::string result_type{};  // with the arguments' types; empty: unknown
};

}  // namespace ashmemo::store
