#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <ashmemo/cache.hpp>
#include <nlohmann/json.hpp>

#include "bench/latencies.hpp"
#include "bench/pacing_scenario.hpp"
#include "bench/program.hpp"

// Measures how much slower single reads are while the worker deletes many entries in the background
// than while the worker is idle. One thread reads as quickly as it can.

namespace ashmemo::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Arguments {
  std::size_t entries = 1'000'000;
  double seconds = 0;
  double idle_seconds = 20;
  bool json = false;
};

constexpr double kShares[] = {0.5, 0.99, 0.999};
constexpr const char* kShareNames[] = {"p50", "p99", "p999"};

/// The reads during one phase of the worker: idle or deleting.
struct Phase {
  Latencies latencies{std::size_t{1} << 24};
  double seconds = 0;
  std::int64_t commits = 0;
  std::int64_t hits = 0;
  std::int64_t peak_wal_bytes = 0;
};

class Reader {
 public:
  explicit Reader(Scenario& scenario)
      : cache_(scenario.cache()), keys_(scenario.keys()), any_(0, keys_.size() - 1) {}

  /// Reads until `done` returns true. It calls `done` after every 1,000 reads; this is not timed.
  Phase read_until(const std::function<bool(double seconds)>& done) {
    constexpr int kReadsBetween = 1'000;
    Phase phase;
    const Stats before = cache_.stats();
    const auto start = SteadyClock::now();
    do {
      for (int i = 0; i < kReadsBetween; ++i) phase.latencies.add(read_one());
      phase.seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
      phase.peak_wal_bytes = std::max(phase.peak_wal_bytes, cache_.stats().wal_bytes);
    } while (!done(phase.seconds));
    const Stats after = cache_.stats();
    phase.commits = after.commits - before.commits;
    phase.hits = after.hits - before.hits;
    return phase;
  }

 private:
  std::int64_t read_one() {
    const std::string& key = keys_[any_(random_)];
    const auto start = SteadyClock::now();
    const auto value = cache_.get<std::string>(key);
    return std::chrono::nanoseconds(SteadyClock::now() - start).count();
  }

  Cache& cache_;
  const std::vector<std::string>& keys_;
  std::mt19937_64 random_{1};
  std::uniform_int_distribution<std::size_t> any_;
};

class Output {
 public:
  explicit Output(bool json) : json_(json) {
    if (json_) return;
    fmt::print("{:18} {:16} {:>8} {:>11} {:>7} {:>9} {:>9} {:>9} {:>10} {:>10} {:>11}\n", "", "",
               "seconds", "reads", "hits %", "p50 us", "p99 us", "p99.9 us", "deleted/s",
               "commits/s", "WAL bytes");
  }

  void add(const char* scenario, const char* during, Phase& phase, std::int64_t deleted) const {
    const auto reads = static_cast<std::int64_t>(phase.latencies.count());
    const auto each_second = [&](std::int64_t count) {
      return static_cast<double>(count) / phase.seconds;
    };
    if (json_) {
      nlohmann::ordered_json json{
          {"scenario", scenario},     {"during", during},
          {"seconds", phase.seconds}, {"reads", reads},
          {"hits", phase.hits},       {"deleted", deleted},
          {"commits", phase.commits}, {"peak_wal_bytes", phase.peak_wal_bytes}};
      for (std::size_t i = 0; i < std::size(kShares); ++i) {
        json[fmt::format("{}_ns", kShareNames[i])] = phase.latencies.at(kShares[i]);
      }
      fmt::print("{}\n", json.dump());
    } else {
      const auto us = [&](double share) {
        return static_cast<double>(phase.latencies.at(share)) / 1000;
      };
      fmt::print(
          "{:18} {:16} {:8.1f} {:>11} {:7.1f} {:9.1f} {:9.1f} {:9.1f} {:>10} {:10.1f} {:>11}\n",
          scenario, during, phase.seconds, grouped(reads),
          100 * static_cast<double>(phase.hits) / static_cast<double>(reads), us(kShares[0]),
          us(kShares[1]), us(kShares[2]), grouped(static_cast<std::int64_t>(each_second(deleted))),
          each_second(phase.commits), grouped(phase.peak_wal_bytes));
    }
    std::fflush(stdout);
  }

  void compare(const char* scenario, Phase& idle, Phase& deleting) const {
    if (json_) return;
    const auto ratio = [&](double share) {
      return static_cast<double>(deleting.latencies.at(share)) /
             static_cast<double>(std::max<std::int64_t>(idle.latencies.at(share), 1));
    };
    fmt::print("{:18} {:16} {:8} {:11} {:7} {:8.1f}x {:8.1f}x {:8.1f}x\n", scenario, "ratio", "",
               "", "", ratio(kShares[0]), ratio(kShares[1]), ratio(kShares[2]));
  }

 private:
  bool json_;
};

void measure(Scenario& scenario, const Arguments& arguments, const Output& output) {
  Reader reader(scenario);
  (void)reader.read_until([](double seconds) { return seconds >= 1; });  // fills the page caches
  Phase idle = reader.read_until([&](double s) { return s >= arguments.idle_seconds; });
  output.add(scenario.name(), "idle", idle, 0);

  // Write the touches of the reads so far, because they are not part of the deletion.
  scenario.cache().flush();
  scenario.begin();
  while (scenario.deleted() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::int64_t before = scenario.deleted();
  Phase deleting = reader.read_until([&](double seconds) {
    return scenario.deleted() >= scenario.to_delete() ||
           (arguments.seconds > 0 && seconds >= arguments.seconds);
  });
  output.add(scenario.name(), "deleting", deleting, scenario.deleted() - before);
  output.compare(scenario.name(), idle, deleting);
}

void run(const Arguments& arguments) {
  const Output output(arguments.json);
  for (const auto make : {expiring_together, lowered_limit}) {
    const auto scenario = make(arguments.entries);
    measure(*scenario, arguments, output);
  }
}

}  // namespace
}  // namespace ashmemo::bench

int main(int argc, char** argv) {
  CLI::App app("Measures reads while the worker deletes in the background.", "pacing");
  ashmemo::bench::Arguments arguments;
  app.add_option("--entries", arguments.entries, "number of entries to delete")
      ->check(CLI::Range(10'000, 100'000'000))
      ->capture_default_str();
  app.add_option("--seconds", arguments.seconds,
                 "seconds of deletion to measure; 0: until all entries are deleted")
      ->capture_default_str();
  app.add_option("--idle-seconds", arguments.idle_seconds, "seconds to measure before the deletion")
      ->capture_default_str();
  app.add_flag("--json", arguments.json, "print one JSON object per line instead of the table");
  return ashmemo::bench::run_program(app, argc, argv, [&] { ashmemo::bench::run(arguments); });
}
