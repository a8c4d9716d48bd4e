#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <ashmemo/detail/core.hpp>
#include <ashmemo/entry.hpp>
#include <ashmemo/value.hpp>

#include "engine/engine.hpp"
#include "engine/freshness.hpp"

namespace ashmemo::engine {

// The read path: one call for any number of keys.
//
//   read            looks keys up in the memory tier, the write queue and the store
//   record_answers  counts hits and misses and marks a touch for each hit
//   hit_in_memory   both, for one key that the memory tier has

/// One key, with the conditions that its entry must meet to answer.
struct Query {
  std::string_view key;
  /// Only results of this calculation may answer. Null: results of any current calculation and
  /// direct puts.
  CalculationState* calculation = nullptr;
  ValueView record_version{};  // compared if a calculation is given
  // From the current policy: an entry ends at the earlier one of its own deadline and this one.
  Lifetimes lifetimes{};
  Lifetimes nothing{};  // if the value is NULL
};

/// The answer to a query.
struct Answer {
  enum class Kind : std::uint8_t {
    missing,      // there is no entry, or it does not match
    expired,      // the entry has expired
    undecodable,  // the value has another type
    damaged,      // the row does not match its checksum
    unread,       // the store could not be read
    found,        // the sink accepted the value
  };
  Kind kind = Kind::missing;
  Freshness freshness = Freshness::gone;  // if found: fresh, stale, or kept if wanted
  bool in_memory = false;                 // the memory tier answered
  std::int64_t rowid = 0;                 // 0: the entry is in the write queue
  std::int64_t cost_us = 0;
  WritePtr pending;  // the queued write that answered; may be null

  [[nodiscard]] bool is_hit() const { return kind == Kind::found && is_live(freshness); }
};

using detail::ValueSink;

/// Answers all queries: from the memory tier, then from the write queue, then from the store. Each
/// different key is looked up in the file once; up to 10,000 keys are read from one state of the
/// file. Entries that are only kept for failures answer only if `want_kept`. Counts nothing.
/// Returns the time at which freshness was decided, for record_answers and mark_touches; 0 if
/// nothing was found.
std::int64_t read(Engine& engine, std::span<const Query> queries, ValueSink& sink,
                  std::span<Answer> answers, bool want_kept = false);

/// Counts the answers as hits and misses, also for their calculations, and marks a touch for each
/// hit.
void record_answers(Engine& engine, std::span<const Query> queries, std::span<const Answer> answers,
                    std::int64_t now);

/// Marks a touch of each live entry, without decoding its value. Returns their number.
std::size_t touch(Engine& engine, std::span<const Query> queries);

/// The number of queries that have a live entry. Counts and marks nothing.
std::size_t count_live(Engine& engine, std::span<const Query> queries);

/// Marks a touch for each hit, unless its calculation does not mark reads. Counts only touches.
void mark_touches(Engine& engine, std::span<const Query> queries, std::span<const Answer> answers,
                  std::int64_t now);

/// The shortest path for the most frequent read: one key of no calculation that is fresh in the
/// memory tier. Does the same as `read` and `record_answers`. Returns false, with nothing counted,
/// if this path does not apply: then call those.
[[nodiscard]] bool hit_in_memory(Engine& engine, std::string_view key, ValueSink& sink);

}  // namespace ashmemo::engine
