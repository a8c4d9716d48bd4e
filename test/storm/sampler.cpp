#include "storm/sampler.hpp"

#include <sys/stat.h>

#include <utility>

namespace ashmemo::test {
namespace {

// What is measured here happens in its own time, on real threads and a real disk, and nobody tells
// of it: so this waits, unlike every other test. A checkpoint takes longer than this, so no size
// that lasts is missed; without any wait the sampler would take a core from what it measures.
constexpr std::chrono::microseconds kBetweenSamples{200};

std::int64_t size_of(const std::string& path) {
  struct stat state {};
  return ::stat(path.c_str(), &state) == 0 ? state.st_size : 0;
}

}  // namespace

// The log first: it gets shorter only after the file has grown, so the sum is never of sizes that
// were not there together.
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

bool wait_until_small(const std::string& path, std::int64_t most, std::chrono::seconds at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  while (disk_use(path).sum() > most) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace ashmemo::test
