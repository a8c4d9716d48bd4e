#include "bench/replay.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ashmemo/cache.hpp>
#include <ashmemo/clock.hpp>

#include "bench/scratch_directory.hpp"

namespace ashmemo::bench {
namespace {

constexpr std::size_t kProgressEvery = 1000;

// All work happens on this thread, and the cache writes the touch of every read.
Options options_of(Eviction policy, const Limits& limits) {
  Options options;
  options.limits = limits;
  options.timing.touch_interval = Duration();
  options.hooks.clock = std::make_shared<ManualClock>();
  options.hooks.worker = WorkerMode::manual;
  options.eviction = policy;
  return options;
}

std::int64_t value_size(const Trace::Request& request, const Setting& setting) {
  return setting.by_bytes ? request.size : kDefaultSize;
}

std::string value_of(std::int64_t size) { return std::string(static_cast<std::size_t>(size), 'v'); }

// The size of all entries of the trace in a cache file, as `Cache::entry` reports it. Each key is
// put once. The cache may evict an entry as soon as its size is known.
std::int64_t bytes_of_all_keys(const Trace& trace) {
  const ScratchDirectory directory;
  Cache cache(
      directory.file("sizes.db"),
      options_of(Eviction::fifo,
                 {.max_entries = unlimited, .max_bytes = 128 * MiB, .max_entry_bytes = 64 * MiB}));
  std::vector<bool> seen(trace.keys.size());
  std::int64_t bytes = 0;
  for (const Trace::Request& request : trace.requests) {
    if (seen[request.key]) continue;
    seen[request.key] = true;
    const std::string& key = trace.keys[request.key];
    cache.put(key, value_of(request.size));
    const auto entry = cache.entry(key);
    if (!entry)
      throw std::runtime_error(
          fmt::format("{}: the cache did not keep the value of {}", trace.name, key));
    bytes += entry->byte_size;
  }
  return bytes;
}

std::int64_t resolve(const Capacity& capacity, const Trace& trace, bool by_bytes) {
  if (capacity.share <= 0) return capacity.amount;
  const auto whole =
      by_bytes ? bytes_of_all_keys(trace) : static_cast<std::int64_t>(trace.keys.size());
  return std::max<std::int64_t>(
      static_cast<std::int64_t>(static_cast<double>(whole) * capacity.share), 1);
}

Limits limits_of(std::int64_t capacity, bool by_bytes) {
  if (!by_bytes) return {.max_entries = capacity, .max_bytes = unlimited, .max_entry_bytes = MiB};
  return {.max_entries = unlimited, .max_bytes = capacity, .max_entry_bytes = capacity};
}

class Replay {
 public:
  Replay(const Trace& trace, const Setting& setting)
      : trace_(trace),
        setting_(setting),
        capacity_(resolve(setting.capacity, trace, setting.by_bytes)),
        cache_(directory_.file("cache.db"), options()),
        requests_(setting.requests_per_version > 0 ? trace.keys.size() : 0) {
    result_.capacity = capacity_;
    if (setting.ttl_seconds > 0) put_options_.ttl = std::chrono::seconds(setting.ttl_seconds);
  }

  Result run(const Progress& progress) {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < trace_.requests.size(); ++i) {
      request(trace_.requests[i]);
      if (i % kProgressEvery == 0) {
        progress(static_cast<double>(i) / static_cast<double>(trace_.requests.size()));
      }
    }
    cache_.flush();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    result_.seconds = took.count();
    take_stats();
    check_file();
    return result_;
  }

 private:
  [[nodiscard]] Options options() const {
    Options chosen = options_of(setting_.policy, limits_of(capacity_, setting_.by_bytes));
    chosen.hooks.clock = clock_;
    return chosen;
  }

  void request(const Trace::Request& request) {
    const std::string& key = trace_.keys[request.key];
    const std::int64_t size = value_size(request, setting_);
    if (put_options_.ttl) clock_->advance(std::chrono::seconds(1));
    ++result_.requests;
    result_.requested_bytes += size;
    if (!has_changed(request.key) && cache_.get<std::string>(key)) {
      ++result_.hits;
      result_.hit_bytes += size;
      return;
    }
    cache_.put(key, value_of(size), put_options_);
    pump();
  }

  /// Counts a request of the key.
  bool has_changed(std::uint32_t key) {
    if (setting_.requests_per_version == 0) return false;
    const std::int64_t earlier = requests_[key]++;
    return earlier > 0 && earlier % setting_.requests_per_version == 0;
  }

  // Runs the worker until the entry is in the file and the cache is within its limit. It calls
  // `flush` and not `run_maintenance`, because that truncates the log each time and waits for the
  // disk.
  void pump() {
    cache_.flush();
    const Stats stats = cache_.stats();
    result_.peak_entries = std::max(result_.peak_entries, stats.entries);
    if (stats.queue_bytes != 0) fail("accepted writes remain in the queue after flush");
    if (!holds_limit(stats)) {
      fail(fmt::format("over the limit: {} entries, {} bytes", stats.entries, stats.bytes));
    }
  }

  [[nodiscard]] bool holds_limit(const Stats& stats) const {
    return (setting_.by_bytes ? stats.bytes : stats.entries) <= capacity_;
  }

  void take_stats() {
    const Stats stats = cache_.stats();
    result_.evictions = stats.evicted;
    result_.expired = stats.expired;
    result_.overwrites = stats.replaced;
    result_.touches_written = stats.touches_written;
    result_.touches_dropped = stats.touches_dropped;
    result_.bytes_written = stats.bytes_written;
    if (stats.hits != result_.hits) fail(fmt::format("stats() reports {} hits", stats.hits));
  }

  // The totals that the cache compared with its limit must match the rows.
  void check_file() {
    const CheckReport report = cache_.check();
    if (report.ok) return;
    fail(fmt::format("check() found {} problems; totals are wrong by {} entries, {} bytes",
                     report.problems.size(), report.entries_off_by, report.bytes_off_by));
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(fmt::format("{}, {}, capacity {}, request {}: {}", trace_.name,
                                         to_string(setting_.policy), capacity_, result_.requests,
                                         what));
  }

  const Trace& trace_;
  const Setting setting_;
  const ScratchDirectory directory_;
  const std::int64_t capacity_;
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  Cache cache_;
  std::vector<std::int64_t> requests_;  // of each key; empty if no key changes
  PutOptions put_options_;
  Result result_;
};

}  // namespace

namespace {

// One copy of an entry with a value of kDefaultSize bytes, including its place in the tier's
// tables.
constexpr double kCopyBytes = 200;

}  // namespace

MemoryResult replay_in_memory(const Trace& trace, double share) {
  const ScratchDirectory directory;
  Options options = options_of(Eviction::fifo, {.max_bytes = unlimited});
  const auto bytes =
      static_cast<std::int64_t>(static_cast<double>(trace.keys.size()) * share * kCopyBytes);
  options.memory_bytes = std::max(bytes, 64 * KiB);
  Cache cache(directory.file("cache.db"), options);
  MemoryResult result{.memory_bytes = options.memory_bytes};
  for (const Trace::Request& request : trace.requests) {
    const std::string& key = trace.keys[request.key];
    ++result.requests;
    if (cache.get<std::string>(key)) continue;
    cache.put(key, value_of(kDefaultSize));
    cache.flush();
    (void)cache.get<std::string>(key);  // reads the file and fills the tier
    result.peak_entries = std::max(result.peak_entries, cache.stats().memory_entries);
  }
  result.hits = cache.stats().memory_hits;
  return result;
}

Result replay(const Trace& trace, const Setting& setting, const Progress& progress) {
  return Replay(trace, setting).run(progress);
}

}  // namespace ashmemo::bench
