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

/// One key that is asked for, with what its entry must match to answer.
struct Query {
  std::string_view key;
  /// The calculation whose results may answer; nullptr: any current one's, and direct puts.
  CalculationState* calculation = nullptr;
  ValueView record_version{};  // compared where a calculation is given
  // Of the policy now in force: the earlier deadline counts.
  Lifetimes lifetimes{};
  Lifetimes nothing{};  // where the value is NULL
};

/// What became of it.
struct Answer {
  enum class Kind : std::uint8_t {
    missing,      // no entry, or one that does not match
    expired,      // its time is over
    undecodable,  // of another type
    unread,       // the store could not be read
    found,        // taken by the sink
  };
  Kind kind = Kind::missing;
  Freshness freshness = Freshness::gone;  // where found: fresh, stale, or kept if asked for
  bool in_memory = false;                 // the memory tier answered
  std::int64_t rowid = 0;                 // 0: still pending
  std::int64_t cost_us = 0;
  WritePtr pending;  // the write that answered, where one did

  [[nodiscard]] bool is_hit() const { return kind == Kind::found && is_live(freshness); }
};

using detail::ValueSink;

/// Answers all queries: from the memory tier, then pending writes, then the store, one state of the
/// file each 10,000 keys. Each different key is looked up in the file once. `kept` entries are
/// taken only if `want_kept`. Counts nothing.
/// Returns the moment that it judged by: what settle and mark_touches want to know. 0: nothing was
/// found.
std::int64_t read(Engine& engine, std::span<const Query> queries, ValueSink& sink,
                  std::span<Answer> answers, bool want_kept = false);

/// Counts the answers as hits and misses, also for their calculations, and marks a touch for each
/// hit.
void settle(Engine& engine, std::span<const Query> queries, std::span<const Answer> answers,
            std::int64_t now);

/// Marks a touch of each live entry among these, without reading its value; how many there were.
std::size_t touch(Engine& engine, std::span<const Query> queries);

/// How many of these have a live entry. Counts nothing, marks nothing.
std::size_t count_live(Engine& engine, std::span<const Query> queries);

/// Marks one read of each hit, unless its calculation is not touched; counts nothing else.
void mark_touches(Engine& engine, std::span<const Query> queries, std::span<const Answer> answers,
                  std::int64_t now);

/// The read that is asked for most: one key, of no calculation, that the memory tier has fresh. As
/// `read` and `settle` of it, with less on the way. False: nothing was counted; ask these.
[[nodiscard]] bool hit_in_memory(Engine& engine, std::string_view key, ValueSink& sink);

}  // namespace ashmemo::engine
