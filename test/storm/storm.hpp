#pragma once

#include <ashmemo/cache.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace ashmemo::test {

/// The values that a storm stores.
struct Kind {
  std::string name;
  std::size_t min_value_bytes;  // value sizes are distributed evenly by their logarithm
  std::size_t max_value_bytes;
  std::int64_t max_bytes;  // the cache's limit, small enough to be reached soon
  bool giants = false;     // put an entry of almost max_entry_bytes now and then
  std::size_t first = 0;   // the storm begins with a cache full of values of this size
};

/// Options with the machine's clock and a worker thread.
[[nodiscard]] Options storm_options(std::int64_t max_bytes = 64 * MiB);

/// Threads that write, overwrite, remove and read as fast as possible until the destructor stops
/// them.
class Storm {
 public:
  Storm(Cache& cache, Kind kind);
  ~Storm();
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  [[nodiscard]] std::int64_t written() const noexcept { return written_; }
  /// The largest byte_size of an entry so far.
  [[nodiscard]] std::int64_t largest_entry() const noexcept { return largest_; }

 private:
  class Caller;
  void start(const std::function<void(Caller&)>& step);

  Cache& cache_;
  const Kind kind_;
  std::atomic<std::int64_t> written_{0};
  std::atomic<std::int64_t> largest_{0};
  std::atomic<bool> stopping_{false};
  std::shared_mutex queue_;  // puts hold it shared, the put of a giant exclusively
  std::vector<std::thread> threads_;
};

}  // namespace ashmemo::test
