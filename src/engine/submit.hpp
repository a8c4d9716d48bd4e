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

// The write path: callers queue writes and removals for the worker, and wait for them.

namespace ashmemo::engine {

/// One value to store.
struct NewEntry {
  std::string_view key;
  std::optional<Value> value;  // nullopt: it cannot be stored, and the older value ends
  Lifetimes lifetimes;
  std::int64_t calculation_id = 0;
  Value record_version;
  std::int64_t cost_us = 0;
  bool is_touched = true;  // reads of the calculation's results are marked
  const InFlight* flight =
      nullptr;  // the computation; if it is superseded, the value is not stored
};

/// Stores the entries in order. Returns how many were accepted (`relaxed`) or committed (`commit`,
/// `power`).
///
/// Waits at most `max_wait` for space in the queue. After one entry found no space in that time, it
/// and each later entry that would have to wait are dropped and counted. No other caller waits
/// either until the store has accepted a write. The memory tier keeps the dropped results of
/// calculations. An entry over the limit for one entry is refused and counted, and the older value
/// of its key is removed, because the caller has replaced it. Without a store no entry is accepted,
/// but the memory tier keeps them until there is a store again.
std::size_t put(Engine& engine, std::span<NewEntry> entries);

/// Removes the keys and the entries that `ranges` cover, and waits for the commit. Returns how many
/// of the keys had a live entry.
std::size_t erase(Engine& engine, std::span<const std::string_view> keys,
                  std::span<const RangePtr> ranges = {});

/// Queues a range command and waits for it. Returns false if it is not done, because the store
/// refuses to write or because this is a hook.
bool run_range(Engine& engine, const RangePtr& range);

/// Queues a range command without waiting for it. Returns the command to wait for (see
/// WriteQueue::add).
RangePtr queue_range(Engine& engine, const RangePtr& range);

}  // namespace ashmemo::engine
