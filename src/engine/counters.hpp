#pragma once

#include <atomic>
#include <cstdint>

namespace ashmemo::engine {

/// One number that many threads add to and somebody reads now and then. Relaxed: the numbers of
/// Stats need not be of one moment.
class Counter {
 public:
  void add(std::int64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
  /// What was added since the last call.
  std::int64_t take() noexcept { return value_.exchange(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// What Stats tells, as it is counted. See there for what each one means.
struct Counters {
  Counter hits, stale_hits, misses, expired_misses, undecodable, unread, computed, joined,
      uncached_keys;
  Counter puts, refused, dropped, unencodable, superseded;
  Counter erased, replaced, expired, evicted;
  Counter touches_marked, touches_coalesced, touches_written, touches_dropped;
  Counter commits, bytes_written, worker_errors, saved_us;
};

}  // namespace ashmemo::engine
