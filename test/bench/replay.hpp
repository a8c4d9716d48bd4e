#pragma once

#include <cstdint>
#include <functional>

#include <ashmemo/options.hpp>

#include "bench/trace.hpp"

namespace ashmemo::bench {

/// A share of the space that all keys of a trace need, or a number of entries or bytes.
struct Capacity {
  double share = 0;  // 0.1 for 10%; 0: use `amount`
  std::int64_t amount = 0;
};

struct Setting {
  Eviction policy = Eviction::lru;
  Capacity capacity;
  bool by_bytes = false;  // the limit is in bytes, and values have the sizes in the trace
  // Each request comes one second after the one before it. 0: values never expire.
  std::int64_t ttl_seconds = 0;
  // A key changes after this many of its requests, so that its next request is a miss and a put
  // over a live value. 0: never.
  std::int64_t requests_per_version = 0;
};

/// The result for a memory tier in front of a file that contains all entries.
struct MemoryResult {
  std::int64_t memory_bytes = 0;
  std::int64_t peak_entries = 0;  // in the tier at one time
  std::int64_t requests = 0;
  std::int64_t hits = 0;  // answered by the tier
};

struct Result {
  std::int64_t capacity = 0;  // entries, or bytes
  std::int64_t requests = 0;
  std::int64_t hits = 0;
  std::int64_t requested_bytes = 0;  // of values
  std::int64_t hit_bytes = 0;
  std::int64_t peak_entries = 0;  // live at one time, including pending entries
  std::int64_t evictions = 0;
  std::int64_t expired = 0;     // rows that were removed because they had expired
  std::int64_t overwrites = 0;  // puts over a row, live or expired
  std::int64_t touches_written = 0;
  std::int64_t touches_dropped = 0;
  std::int64_t bytes_written = 0;
  double seconds = 0;
};

/// Receives the finished share, from 0 to 1.
using Progress = std::function<void(double)>;

/// Runs the whole trace through a new cache with its own file. Each request is a get, and a put if
/// the get misses. A request of a key that has changed is only a put. Throws std::runtime_error if
/// the cache exceeds its limit at any time, or if `Cache::check` finds a problem at the end.
[[nodiscard]] Result replay(const Trace& trace, const Setting& setting, const Progress& progress);

/// As replay, but the file has no limit. The memory tier has this share of the memory that copies
/// of all entries need.
[[nodiscard]] MemoryResult replay_in_memory(const Trace& trace, double share);

}  // namespace ashmemo::bench
