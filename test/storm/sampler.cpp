#include "storm/sampler.hpp"

#include <sys/stat.h>

#include <utility>

namespace ashmemo::test {
namespace {

// The sampler sleeps, unlike other tests: nothing notifies it when a file grows. A checkpoint takes
// longer than this interval, so every size that lasts is seen. Without sleeping, the sampler would
// take a core from the cache that it measures.
constexpr std::chrono::microseconds kBetweenSamples{200};

std::int64_t size_of(const std::string& path) {
  struct stat state {};
  return ::stat(path.c_str(), &state) == 0 ? state.st_size : 0;
}

}  // namespace

// Reads the log first. The log shrinks only after the file has grown, so both sizes existed at the
// same time.
DiskUse disk_use(const std::string& path) {
  DiskUse use;
  use.log = size_of(path + "-wal");
  use.shared = size_of(path + "-shm");
  use.file = size_of(path);
  return use;
}

Sampler::Sampler(std::string path) : path_(std::move(path)), thread_([this] { run(); }) {}

Sampler::~Sampler() {
  stopping_ = true;
  thread_.join();
}

DiskUse Sampler::highest() const {
  const std::lock_guard lock(mutex_);
  return highest_;
}

void Sampler::run() {
  while (!stopping_) {
    const DiskUse now = disk_use(path_);
    {
      const std::lock_guard lock(mutex_);
      if (now.sum() > highest_.sum()) highest_ = now;
    }
    std::this_thread::sleep_for(kBetweenSamples);
  }
}

bool wait_until_small(const std::string& path, std::int64_t max_bytes,
                      std::chrono::seconds max_wait) {
  const auto deadline = std::chrono::steady_clock::now() + max_wait;
  while (disk_use(path).sum() > max_bytes) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace ashmemo::test
