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
  std::size_t least;  // bytes of a value; from here to `most` evenly by their logarithm
  std::size_t most;
  std::int64_t max_bytes;  // of the cache: few enough that the storm reaches them soon
  bool giants = false;     // and now and then one almost as large as an entry may be
  std::size_t first = 0;   // the cache is full of values of so many bytes before
};

/// A real cache, on the machine's clock, whose worker has its thread.
[[nodiscard]] Options storm_options(std::int64_t max_bytes = 64 * MiB);

/// Threads that write, overwrite, remove and read as quickly as the cache lets them, from now until
/// the end of this object.
class Storm {
 public:
  Storm(Cache& cache, Kind kind);
  ~Storm();
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  [[nodiscard]] std::int64_t written() const noexcept { return written_; }
  /// What the largest entry costs that was put so far.
  [[nodiscard]] std::int64_t largest_entry() const noexcept { return largest_; }

 private:
  class Caller;
  void start(const std::function<void(Caller&)>& step);

  Cache& cache_;
  const Kind kind_;
  std::atomic<std::int64_t> written_{0};
  std::atomic<std::int64_t> largest_{0};
  std::atomic<bool> stopping_{false};
  std::shared_mutex queue_;  // held while something is put into the cache's queue
  std::vector<std::thread> threads_;
};

}  // namespace ashmemo::test
