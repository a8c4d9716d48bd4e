#include <atomic>
#include <exception>
#include <limits>
#include <thread>

#include <fmt/format.h>

#include "bench/entries.hpp"
#include "bench/program.hpp"
#include "bench/suite/bench.hpp"
#include "bench/suite/pacer.hpp"

// Writing at half the rate that could go on for ever, each put evicting another entry: how long a
// put takes, and what it does to those who read.

namespace ashmemo::bench {
namespace {

constexpr double kShareOfRate = 0.5;

/// New entries in a full file.
class Storm {
 public:
  Storm(const Contestant& contestant, const Setup& setup, double rate_seconds)
      : contestant_(contestant),
        rate_(kShareOfRate * sustained_rate(contestant, setup, rate_seconds)),
        // Past those that were put to find the rate.
        pairs_(ascending(setup.entries + kFarAway), kBatch, setup.value_bytes) {}

  [[nodiscard]] double rate() const { return rate_; }

  /// Puts for so long; what each took is added to `latencies`.
  void blow(double seconds, const std::atomic<bool>& stop, Latencies& latencies) {
    at_pace(rate_, seconds, stop, [&] {
      if (at_ == block_.size()) {
        block_ = pairs_.next();
        at_ = 0;
      }
      const auto& [key, value] = block_[at_++];
      latencies.add(timed([&] { contestant_->put(key, value); }));
    });
  }

 private:
  static constexpr std::size_t kFarAway = 100'000'000;
  const Contestant& contestant_;
  const double rate_;
  PairBlock pairs_;
  std::span<const Pair> block_{};
  std::size_t at_ = 0;
};

std::vector<Contestant> open_evicting(Bench& bench, Setup setup) {
  setup.evicting = true;
  std::vector<Contestant> all;
  for (const SystemType& type : bench.systems()) {
    if (type.evicts) all.push_back(bench.files().open_filled(type, setup));
  }
  return all;
}

/// Single reads, each timed by itself: the slowest of a thousand is wanted. They may miss.
Latencies read_for(Reader& reader, const Setup& setup, double seconds) {
  Latencies latencies(1 << 20);
  KeyBlock block(uniform(setup.entries), kBatch);
  const auto start = std::chrono::steady_clock::now();
  do {
    for (const std::string_view key : block.next()) {
      std::optional<std::string> value;
      latencies.add(timed([&] { value = reader.get(key); }));
      require(!value || is_right(key, *value, setup.value_bytes), "a value is wrong");
    }
  } while (std::chrono::steady_clock::now() - start < std::chrono::duration<double>(seconds));
  return latencies;
}

/// As above while the storm blows on a thread of its own.
Latencies read_in(Storm& storm, Reader& reader, const Setup& setup, double seconds) {
  std::atomic<bool> stop{false};
  std::exception_ptr failed;
  std::thread writer([&] {
    try {
      Latencies puts(1 << 16);
      storm.blow(std::numeric_limits<double>::infinity(), stop, puts);
    } catch (...) {
      failed = std::current_exception();
    }
  });
  (void)read_for(reader, setup, seconds / 10);  // the worker has caught up with its pace
  Latencies latencies = read_for(reader, setup, seconds);
  stop = true;
  writer.join();
  if (failed) std::rethrow_exception(failed);
  return latencies;
}

void add_row(Bench& bench, Row row, Latencies& latencies, bool with_slowest) {
  set_times(row, latencies, 1);
  if (with_slowest) row.p999_us = static_cast<double>(latencies.at(0.999)) / 1'000;
  bench.rows().add(row);
}

}  // namespace

void put_paced(Bench& bench) {
  const Setup setup = bench.setup(bench.settings().entries);
  const double seconds = bench.settings().seconds;
  const std::atomic<bool> never{false};
  for (const Contestant& contestant : open_evicting(bench, setup)) {
    bench.tell(fmt::format("put_paced: {}", contestant.name()));
    Storm storm(contestant, setup, seconds);
    Latencies latencies(1 << 20);
    storm.blow(seconds / 10, never, latencies);
    latencies.clear();
    storm.blow(2 * seconds, never, latencies);
    contestant->flush();
    add_row(bench, bench.row("put_paced", "", contestant.name(), setup.entries), latencies, true);
  }
}

void read_under_write_storm(Bench& bench) {
  Setup setup = bench.setup(bench.settings().entries);
  setup.tier_bytes = 0;
  const double seconds = 2 * bench.settings().seconds;
  for (const Contestant& contestant : open_evicting(bench, setup)) {
    bench.tell(fmt::format("read_under_write_storm: {}", contestant.name()));
    Storm storm(contestant, setup, bench.settings().seconds);
    const auto reader = contestant->reader();
    (void)read_for(*reader, setup, seconds / 10);
    Latencies idle = read_for(*reader, setup, seconds);
    Latencies stormy = read_in(storm, *reader, setup, seconds);
    Row row = bench.row("read_under_write_storm", "idle", contestant.name(), setup.entries);
    add_row(bench, row, idle, true);
    row.variant = "storm";
    add_row(bench, row, stormy, true);
  }
}

}  // namespace ashmemo::bench
