#include <algorithm>
#include <filesystem>
#include <mutex>

#include <ashmemo/cache.hpp>

#include "bench/suite/raw_reader.hpp"
#include "bench/suite/raw_writer.hpp"
#include "bench/suite/system.hpp"
#include "bench/suite/system_ashmemo.hpp"

// The baseline for the cache: plain SQLite on a cache file. The code is as fast as a program can be
// that needs only these operations.

namespace ashmemo::bench {
namespace {

class RawSystem final : public System {
 public:
  RawSystem(const std::string& directory, const Setup& setup)
      : path_(cache_file(directory)), setup_(setup) {
    // The cache creates the file, so both always have the same schema.
    if (!std::filesystem::exists(path_)) Cache(path_).close();
  }

  std::unique_ptr<Reader> reader() override {
    return std::make_unique<RawReader>(path_, setup_.page_cache_bytes, readers_);
  }
  void put(const std::string& key, const std::string& value) override {
    const std::lock_guard lock(mutex_);
    writer_locked().put(key, value);
    end_call_locked();
  }
  void put_many(std::span<const Pair> pairs) override {
    std::vector<const Pair*> order;
    order.reserve(pairs.size());
    for (const Pair& pair : pairs) order.push_back(&pair);
    std::sort(order.begin(), order.end(),
              [](const Pair* a, const Pair* b) { return a->first < b->first; });
    const std::lock_guard lock(mutex_);
    for (const Pair* pair : order) writer_locked().put(pair->first, pair->second);
    end_call_locked();
  }
  void flush() override {
    const std::lock_guard lock(mutex_);
    if (writer_) writer_->commit();
  }
  void touch(const std::string& key) override {
    const std::lock_guard lock(mutex_);
    writer_locked().touch(key);
  }
  std::int64_t count() override {
    const std::lock_guard lock(mutex_);
    return writer_locked().count();
  }
  std::int64_t commits() override {
    const std::lock_guard lock(mutex_);
    return writer_locked().commits();
  }

 private:
  RawWriter& writer_locked() {
    if (!writer_) writer_ = std::make_unique<RawWriter>(path_, setup_, readers_);
    return *writer_;
  }
  void end_call_locked() {
    if (setup_.survives != Survives::nothing) writer_->commit();
  }

  const std::string path_;
  const Setup setup_;
  RawReaders readers_;
  std::mutex mutex_;  // guards the writer
  std::unique_ptr<RawWriter> writer_;
};

std::unique_ptr<System> open(const std::string& directory, const Setup& setup) {
  return std::make_unique<RawSystem>(directory, setup);
}

}  // namespace

const SystemType kRawSqlite{
    "raw_sqlite",
    open,
    true,
    true,
    Survives::nothing,
    Survives::power_cut,
    "file and settings of the cache; read transaction stays open; single puts also in\n"
    "transactions of 1,000 rows; evicts first in, first out; \"each in the file\": a\n"
    "transaction for each call; \"synced\": synchronous=FULL, too"};

}  // namespace ashmemo::bench
