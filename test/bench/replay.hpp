#pragma once

#include <cstdint>
#include <functional>

#include <ashmemo/options.hpp>

#include "bench/trace.hpp"

namespace ashmemo::bench {

/// A part of what all keys of a trace would need, or a plain number of entries (or bytes).
struct Capacity {
  double share = 0;  // 0.1 for 10%; 0: `amount` holds
  std::int64_t amount = 0;
};

struct Setting {
  Eviction policy = Eviction::lru;
  Capacity capacity;
  bool by_bytes = false;  // the limit is in bytes, and values have the sizes that the trace says
};

/// The memory tier's part, in front of a file that holds everything.
struct MemoryResult {
  std::int64_t memory_bytes = 0;
  std::int64_t most_entries = 0;  // that the tier ever had at once
  std::int64_t requests = 0;
  std::int64_t hits = 0;  // that it answered
};

struct Result {
  std::int64_t capacity = 0;  // entries, or bytes
  std::int64_t requests = 0;
  std::int64_t hits = 0;
  std::int64_t requested_bytes = 0;  // of values
  std::int64_t hit_bytes = 0;
  std::int64_t most_entries = 0;  // that were ever live at once, pending ones included
  std::int64_t evictions = 0;
  std::int64_t touches_written = 0;
  std::int64_t touches_dropped = 0;
  std::int64_t bytes_written = 0;
  double seconds = 0;
};

/// How far it is: from 0 to 1.
using Progress = std::function<void(double)>;

/// Runs the whole trace through a new cache on a file of its own: get, and on a miss put. Throws
/// std::runtime_error if the cache is ever over its limit, or if its file is not all right in the
/// end.
[[nodiscard]] Result replay(const Trace& trace, const Setting& setting, const Progress& progress);

/// As replay, with a memory tier of a share of what copies of all entries would take, and no limit
/// to the file.
[[nodiscard]] MemoryResult replay_in_memory(const Trace& trace, double share);

}  // namespace ashmemo::bench
