#include "limits.hpp"

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace edge_sensor {
namespace {

using ashmemo::KiB;
using ashmemo::MiB;

constexpr std::int64_t kMaxBytes = 8 * MiB;
constexpr std::int64_t kLoweredMaxBytes = 2 * MiB;
constexpr std::int64_t kMaxEntries = 100;
constexpr std::int64_t kMemoryBytes = 1 * MiB;
constexpr std::int64_t kPutsPerCommit = 32;

void check(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error("broken promise: " + std::string(what));
}

/// Values of 1 to 20 KiB, one after the other. Keys are in the order of writing.
class Measurements {
 public:
  explicit Measurements(const std::string& file)
      : file_(file),
        cache_(file, {.limits = {.max_bytes = kMaxBytes},
                      .hooks = {.clock = std::make_shared<ashmemo::ManualClock>(),
                                .on_removal = [this](const auto& entry) { see_removal(entry); },
                                .worker = ashmemo::WorkerMode::manual},
                      .eviction = ashmemo::Eviction::fifo,
                      .memory_bytes = kMemoryBytes}) {}

  void write_until(std::int64_t bytes) {
    while (written_bytes_ < bytes) write_next();
    flush();
  }
  void set_limits(const ashmemo::Limits& limits) {
    cache_.set_limits(limits);
    flush();
  }
  /// The worker returns free pages to the system in small steps, between other work.
  void finish_maintenance() {
    while (cache_.run_maintenance()) watch_disk();
  }
  void compact() { cache_.compact(); }

  void print_row(std::string_view name) const {
    const ashmemo::Stats stats = cache_.stats();
    std::string oldest;
    cache_.for_each("measurement:", [&](const ashmemo::EntryInfo& entry) {
      oldest = entry.key;
      return false;  // the first key is enough
    });
    fmt::print("  {:<14}{:>8L}{:>12L}{:>12L}{:>11L}  {}\n", name, stats.entries, stats.bytes,
               on_disk(), stats.memory_bytes, oldest);
    check(stats.memory_bytes <= kMemoryBytes, "memory_bytes");
    check(stats.bytes <= cache_.limits().max_bytes.count(), "max_bytes");
    check(stats.entries <= cache_.limits().max_entries.count(), "max_entries");
  }
  void print_summary() const {
    check(evicted_ == cache_.stats().evicted, "on_removal reports each eviction");
    check(cache_.stats().entries + evicted_ == written_, "no entry is lost");
    fmt::print("  written {:L}, evicted {:L}, each of them the oldest\n", written_, evicted_);
    fmt::print("  on disk: maximum {:L}, promised {:L}\n", max_on_disk_, promised(kMaxBytes));
    check(max_on_disk_ < promised(kMaxBytes), "bytes on disk");
  }
  void check_disk(std::int64_t max_bytes) const {
    check(on_disk() < promised(max_bytes), "bytes on disk after max_bytes was lowered");
  }

 private:
  static std::string key_of(std::int64_t number) {
    return fmt::format("measurement:{:05}", number);
  }
  void write_next() {
    const std::string key = key_of(written_++);
    const std::string value(static_cast<std::size_t>(KiB) + random_() % (19 * KiB + 1), 'm');
    check(cache_.put(key, value), "put accepts the value");
    written_bytes_ += std::ssize(value);
    largest_entry_ = std::max(largest_entry_, cache_.entry(key).value().byte_size);
    watch_disk();
    if (written_ % kPutsPerCommit != 0) return;
    flush();
    // Reads copy the values to memory, which has space only for the latest ones.
    for (std::int64_t number = written_ - kPutsPerCommit; number < written_; ++number) {
      check(cache_.get<std::string>(key_of(number)).has_value(), "a new entry can be read");
    }
  }
  /// In manual mode the program does the work of the worker: commit, and evict to hold the limits.
  void flush() {
    cache_.flush();
    watch_disk();
  }
  void see_removal(const ashmemo::Removal& removal) {
    check(removal.cause == ashmemo::RemovalCause::evicted && removal.key == key_of(evicted_),
          "fifo evicts the oldest entry");
    ++evicted_;
    watch_disk();
  }
  void watch_disk() { max_on_disk_ = std::max(max_on_disk_, on_disk()); }
  /// Bytes of the cache file and of the two files beside it that belong to SQLite.
  [[nodiscard]] std::int64_t on_disk() const {
    std::int64_t sum = 0;
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::error_code missing;
      const std::uintmax_t bytes = std::filesystem::file_size(file_ + suffix, missing);
      if (!missing) sum += static_cast<std::int64_t>(bytes);
    }
    return sum;
  }
  [[nodiscard]] std::int64_t promised(std::int64_t max_bytes) const {
    return max_bytes / 4 * 5 + 16 * MiB + 2 * largest_entry_;
  }

  std::string file_;
  std::mt19937_64 random_{7};  // its numbers are the same on every machine
  std::int64_t written_ = 0;
  std::int64_t written_bytes_ = 0;
  std::int64_t largest_entry_ = 0;
  std::int64_t max_on_disk_ = 0;
  std::int64_t evicted_ = 0;
  ashmemo::Cache cache_;
};

void print_header(std::string_view first) {
  fmt::print("  {:<14}{:>8}{:>12}{:>12}{:>11}  {}\n", first, "entries", "bytes", "on disk",
             "in memory", "oldest");
}

}  // namespace

void show_limits(const std::string& cache_file) {
  Measurements measurements(cache_file);
  fmt::print("\nTen times as many bytes as max_bytes allows: {:L}\n", kMaxBytes);
  print_header("written");
  for (int row = 1; row <= 10; ++row) {
    measurements.write_until(row * kMaxBytes);
    measurements.print_row(fmt::format("{} MiB", row * kMaxBytes / MiB));
  }
  measurements.print_summary();

  fmt::print("\nLower limits while the cache is open: {:L} bytes, then {} entries\n",
             kLoweredMaxBytes, kMaxEntries);
  print_header("after");
  measurements.set_limits({.max_bytes = kLoweredMaxBytes});
  measurements.print_row("max_bytes");
  measurements.finish_maintenance();
  measurements.print_row("maintenance");
  measurements.compact();
  measurements.print_row("compact");
  measurements.check_disk(kLoweredMaxBytes);
  measurements.set_limits({.max_entries = kMaxEntries, .max_bytes = kLoweredMaxBytes});
  measurements.print_row("max_entries");
}

}  // namespace edge_sensor
