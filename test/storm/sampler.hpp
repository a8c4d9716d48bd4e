#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace ashmemo::test {

/// The sizes of a cache's files, as the file system reports them.
struct DiskUse {
  std::int64_t file = 0;
  std::int64_t log = 0;     // -wal
  std::int64_t shared = 0;  // -shm

  [[nodiscard]] std::int64_t sum() const noexcept { return file + log + shared; }
};

/// Calls only stat(). Opening and closing a file would release this process's locks on it.
[[nodiscard]] DiskUse disk_use(const std::string& path);

/// Measures the files of a cache repeatedly on its own thread.
class Sampler {
 public:
  explicit Sampler(std::string path);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// The sizes with the largest sum so far.
  [[nodiscard]] DiskUse highest() const;

 private:
  void run();

  const std::string path_;
  mutable std::mutex mutex_;
  DiskUse highest_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// Waits until the files take at most `max_bytes`. Does not call the cache. False after `max_wait`.
[[nodiscard]] bool wait_until_small(const std::string& path, std::int64_t max_bytes,
                                    std::chrono::seconds max_wait);

}  // namespace ashmemo::test
