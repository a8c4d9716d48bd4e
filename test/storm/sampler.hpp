#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace ashmemo::test {

/// What a cache takes on the disk, as the file system says.
struct DiskUse {
  std::int64_t file = 0;
  std::int64_t log = 0;     // -wal
  std::int64_t shared = 0;  // -shm

  [[nodiscard]] std::int64_t sum() const noexcept { return file + log + shared; }
};

/// Asks stat only. To open one of the files, and close it, would cost this process its locks.
[[nodiscard]] DiskUse disk_use(const std::string& path);

/// Looks at the files of a cache again and again, from a thread of its own.
class Sampler {
 public:
  explicit Sampler(std::string path);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  [[nodiscard]] DiskUse highest() const;

 private:
  void run();

  const std::string path_;
  mutable std::mutex mutex_;
  DiskUse highest_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// Waits until the files take no more than `most` bytes, without a call to the cache. False: they
/// still took more when the time was over.
[[nodiscard]] bool wait_until_small(const std::string& path, std::int64_t most,
                                    std::chrono::seconds at_most);

}  // namespace ashmemo::test
