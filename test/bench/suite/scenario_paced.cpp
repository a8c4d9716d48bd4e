#include <atomic>
#include <exception>
#include <limits>
#include <thread>

#include <fmt/format.h>

#include "bench/entries.hpp"
#include "bench/program.hpp"
#include "bench/suite/bench.hpp"
#include "bench/suite/pacer.hpp"

// Puts at half the sustained rate, and each put evicts another entry. Measures how long a put takes
// and how much the puts slow down a reader.

namespace ashmemo::bench {
namespace {

constexpr double kShareOfRate = 0.5;

/// Puts new entries into a full file.
class Storm {
 public:
  Storm(const Contestant& contestant, const Setup& setup, double sustained)
      : contestant_(contestant),
        rate_(kShareOfRate * sustained),
        pairs_(ascending(setup.entries), kBatch, setup.value_bytes) {}

  /// Puts for `seconds` and adds the duration of each put to `latencies`.
  void run(double seconds, const std::atomic<bool>& stop, Latencies& latencies) {
    at_pace(rate_, seconds, stop, [&] {
      if (at_ == block_.size()) {
        block_ = pairs_.next();
        at_ = 0;
      }
      const Pair& pair = block_[at_++];
      latencies.add(timed([&] { contestant_->put(pair.first, pair.second); }));
    });
  }

 private:
  const Contestant& contestant_;
  const double rate_;
  PairBlock pairs_;
  std::span<const Pair> block_{};
  std::size_t at_ = 0;
};

/// Uses a separate file, so that the measured file keeps all its entries.
double find_rate(Bench& bench, const SystemType& type, const Setup& setup) {
  return sustained_rate(bench.files().open_filled(type, setup), setup, bench.settings().seconds);
}

struct Reads {
  Latencies latencies{1 << 20};
  std::size_t misses = 0;
  double commits_per_s = 0;
};

/// Single reads. Each is timed separately, because p99.9 is needed. It reads the half of the
/// entries that was stored last, because the storm does not evict it before the end.
Reads read_for(Reader& reader, const Setup& setup, double seconds) {
  Reads reads;
  KeyBlock block(late_half(setup.entries, kFillSeed), kBatch);
  const auto start = std::chrono::steady_clock::now();
  do {
    for (const std::string_view key : block.next()) {
      std::optional<std::string> value;
      reads.latencies.add(timed([&] { value = reader.get(key); }));
      reads.misses += value ? 0U : 1U;
      require(!value || is_right(key, *value, setup.value_bytes), "a value is wrong");
    }
  } while (std::chrono::steady_clock::now() - start < std::chrono::duration<double>(seconds));
  return reads;
}

/// As above while the storm runs on another thread.
Reads read_in(Storm& storm, System& system, Reader& reader, const Setup& setup, double seconds) {
  std::atomic<bool> stop{false};
  std::exception_ptr failed;
  std::thread writer([&] {
    try {
      Latencies puts(1 << 16);
      storm.run(std::numeric_limits<double>::infinity(), stop, puts);
    } catch (...) {
      failed = std::current_exception();
    }
  });
  (void)read_for(reader, setup, seconds / 10);  // until the worker keeps up with the storm
  const std::int64_t before = system.commits();
  Reads reads = read_for(reader, setup, seconds);
  reads.commits_per_s = static_cast<double>(system.commits() - before) / seconds;
  stop = true;
  writer.join();
  if (failed) std::rethrow_exception(failed);
  return reads;
}

void add_row(Bench& bench, Row row, Latencies& latencies) {
  set_times(row, latencies, 1);
  row.p999_us = static_cast<double>(latencies.at(0.999)) / 1'000;
  bench.rows().add(row);
}

void add_reads(Bench& bench, const char* variant, const Setup& setup, const char* system,
               Reads& reads) {
  const Row row = bench.row("read_under_write_storm", variant, system, setup.entries);
  add_row(bench, row, reads.latencies);
  const double missed =
      static_cast<double>(reads.misses) / static_cast<double>(reads.latencies.count());
  bench.note(fmt::format("{}, {}, {}: {:.1f} commits per second, {:.2f} % of the reads missed",
                         row.scenario, variant, system, reads.commits_per_s, 100 * missed));
}

Setup full(const Bench& bench) {
  Setup setup = bench.setup(bench.settings().entries);
  setup.evicting = true;
  return setup;
}

/// The reads of one system without and with the storm.
struct Phases {
  Reads idle;
  Reads storm;
};

Phases read_in_both(Bench& bench, const SystemType& type, const Setup& setup) {
  bench.notify(fmt::format("read_under_write_storm: {}", type.name));
  const double seconds = 2 * bench.settings().seconds;
  const double rate = find_rate(bench, type, setup);
  const Contestant contestant = bench.files().open_filled(type, setup);
  Storm storm(contestant, setup, rate);
  const auto reader = contestant->reader();
  (void)read_for(*reader, setup, seconds / 10);
  Reads idle = read_for(*reader, setup, seconds);
  return {std::move(idle), read_in(storm, *contestant, *reader, setup, seconds)};
}

}  // namespace

void put_paced(Bench& bench) {
  const Setup setup = full(bench);
  const double seconds = bench.settings().seconds;
  const std::atomic<bool> never{false};
  for (const SystemType& type : bench.systems()) {
    if (!type.evicts) continue;
    bench.notify(fmt::format("put_paced: {}", type.name));
    const double rate = find_rate(bench, type, setup);
    const Contestant contestant = bench.files().open_filled(type, setup);
    Storm storm(contestant, setup, rate);
    Latencies latencies(1 << 20);
    storm.run(seconds / 10, never, latencies);
    latencies.clear();
    storm.run(2 * seconds, never, latencies);
    Row row = bench.row("put_paced", "", type.name, setup.entries);
    row.survives = after_put(type, setup);
    add_row(bench, row, latencies);
    bench.note(fmt::format("put_paced, {}: {} puts per second, half of the sustained rate",
                           type.name, grouped(static_cast<std::int64_t>(rate / 2))));
  }
}

void read_under_write_storm(Bench& bench) {
  Setup setup = full(bench);
  setup.tier_bytes = 0;
  std::vector<std::pair<const char*, Phases>> all;
  for (const SystemType& type : bench.systems()) {
    if (type.evicts) all.emplace_back(type.name, read_in_both(bench, type, setup));
  }
  for (auto& [system, phases] : all) add_reads(bench, "idle", setup, system, phases.idle);
  for (auto& [system, phases] : all) add_reads(bench, "storm", setup, system, phases.storm);
}

}  // namespace ashmemo::bench
