#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/value.hpp>

#include "engine/engine.hpp"
#include "engine/freshness.hpp"

// The write path: what callers hand to the worker, and what they wait for.

namespace ashmemo::engine {

/// One value to keep.
struct NewEntry {
  std::string_view key;
  std::optional<Value> value;  // moved out; none: it cannot be kept, and what is there goes
  Lifetimes lifetimes;
  std::int64_t calculation_id = 0;
  Value record_version;
  std::int64_t cost_us = 0;
  const InFlight* flight = nullptr;  // that computed it: once superseded, the value is not kept
};

/// Keeps the entries, in order; returns how many were taken (`relaxed`) or are in the file
/// (`commit`, `power`). Waits at most `max_wait` for room for one of them; the first that finds
/// none, and from there on each that would have to wait, is dropped and counted. An entry over the
/// single-entry limit is refused and counted, and the older value of its key goes: the caller has
/// replaced it, and must not read it again. While there is no store none is taken, but the memory
/// tier has them until there is one again.
std::size_t put(Engine& engine, std::span<NewEntry> entries);

/// Removes the keys, and what the range removals cover, and waits for the commit; how many live
/// entries the keys had.
std::size_t erase(Engine& engine, std::span<const std::string_view> keys,
                  std::span<const RangePtr> ranges = {});

/// Queues a range command and waits for it. False: not done yet, because the store refuses, or
/// because this is the worker's own thread.
bool run_range(Engine& engine, const RangePtr& range);

/// Queues a range command without waiting for it. Returns the command to wait for (see
/// WriteQueue::add).
RangePtr queue_range(Engine& engine, const RangePtr& range);

}  // namespace ashmemo::engine
