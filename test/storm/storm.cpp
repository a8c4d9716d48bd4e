#include "storm/storm.hpp"

#include <fmt/format.h>

#include <ashmemo/error.hpp>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <random>
#include <utility>

namespace ashmemo::test {
namespace {

constexpr std::uint64_t kRepeatedKeys = 20'000;
constexpr std::size_t kBatchBytes = 512 * 1024;
constexpr std::size_t kLargestBatch = 500;

// Consecutive numbers give keys that are far from each other in the index.
std::string key_of(std::uint64_t number) {
  return fmt::format("storm:{:016x}", number * 0x9E3779B97F4A7C15U);
}

}  // namespace

/// The calls of one thread.
class Storm::Caller {
 public:
  Caller(Storm& storm, std::uint64_t number)
      : storm_(storm), random_(number), next_key_(number << 40U) {}

  void write() {
    const int dice = any(10'000);
    if (dice < 2) {
      (void)storm_.cache_.erase(repeated_key());
    } else if (dice < 4) {
      (void)storm_.cache_.erase_many(repeated_keys(50));
    } else if (dice < 6) {
      flush();
    } else if (storm_.kind_.giants && dice < 30) {
      put_giant();
    } else if (const std::shared_lock lock(storm_.queue_); dice < 1000) {
      put_batch();
    } else {
      put(key(), size());
    }
  }

  void read() {
    const int dice = any(100'000);
    if (dice < 100) {
      (void)storm_.cache_.get_many<std::string>(repeated_keys(10'000));
    } else if (dice < 101) {
      (void)storm_.cache_.erase_prefix("storm:" + std::to_string(any(10)) +
                                       std::to_string(any(10)));
    } else {
      (void)storm_.cache_.get<std::string>(repeated_key());
    }
  }

 private:
  int any(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  std::string repeated_key() { return key_of(random_() % kRepeatedKeys); }
  std::string key() { return any(4) == 0 ? repeated_key() : key_of(++next_key_); }

  std::vector<std::string> repeated_keys(int count) {
    std::vector<std::string> keys;
    while (static_cast<int>(keys.size()) < count) keys.push_back(repeated_key());
    return keys;
  }

  std::size_t size() {
    const auto min_bytes = static_cast<double>(storm_.kind_.min_value_bytes);
    const auto max_bytes = static_cast<double>(storm_.kind_.max_value_bytes);
    std::uniform_real_distribution<double> share(0, 1);
    return static_cast<std::size_t>(min_bytes * std::pow(max_bytes / min_bytes, share(random_)));
  }

  PutOptions options() {
    PutOptions options;
    if (any(8) == 0) options.ttl = std::chrono::milliseconds(200 + any(2000));
    return options;
  }

  void put(const std::string& key, std::size_t size) {
    if (!storm_.cache_.put(key, std::string(size, 'v'), options())) return;
    ++storm_.written_;
    note_size(key, size);
  }

  // Fails while a foreign reader keeps the log at its limit.
  void flush() {
    try {
      storm_.cache_.flush();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::store_failed) throw;
    }
  }

  // In a storm the queue rarely has space for a giant. So the other threads wait while this one
  // flushes and puts.
  void put_giant() {
    const std::unique_lock alone(storm_.queue_);
    flush();
    put(key(), static_cast<std::size_t>(storm_.cache_.limits().max_entry_bytes.count()) * 99 / 100);
  }

  void put_batch() {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (std::size_t bytes = 0; bytes < kBatchBytes && pairs.size() < kLargestBatch;) {
      pairs.emplace_back(key(), std::string(size(), 'v'));
      bytes += pairs.back().second.size();
    }
    storm_.written_ += static_cast<std::int64_t>(storm_.cache_.put_many(pairs, options()));
    for (const auto& [key, value] : pairs) note_size(key, value.size());
  }

  // Asks for byte_size only if this value is larger than all values of this thread so far.
  void note_size(const std::string& key, std::size_t size) {
    if (size <= largest_value_) return;
    const auto entry = storm_.cache_.entry(key);
    if (!entry) return;
    largest_value_ = size;
    std::int64_t before = storm_.largest_;
    while (before < entry->byte_size &&
           !storm_.largest_.compare_exchange_weak(before, entry->byte_size)) {
    }
  }

  Storm& storm_;
  std::mt19937_64 random_;
  std::uint64_t next_key_;
  std::size_t largest_value_ = 0;
};

Options storm_options(std::int64_t max_bytes) {
  Options options;
  options.limits.max_bytes = max_bytes;
  options.limits.max_entry_bytes = max_bytes / 8;
  options.timing.touch_interval = std::chrono::milliseconds(500);
  options.timing.maintenance_interval = std::chrono::seconds(1);
  return options;
}

Storm::Storm(Cache& cache, Kind kind) : cache_(cache), kind_(std::move(kind)) {
  start([](Caller& caller) { caller.write(); });
  start([](Caller& caller) { caller.write(); });
  start([](Caller& caller) { caller.read(); });
}

Storm::~Storm() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
}

void Storm::start(const std::function<void(Caller&)>& step) {
  threads_.emplace_back([this, step, number = threads_.size() + 1] {
    Caller caller(*this, number);
    while (!stopping_) step(caller);
  });
}

}  // namespace ashmemo::test
