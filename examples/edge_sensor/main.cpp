// A gateway for sensors, with little memory and a flash card that each write wears out: the same
// readings with default settings, and with settings for such a device. Prints (what
// the system counts differs a little each time):
//
// == begin
// A day of 6 sensors; each minute the last half hour is shown
//
//                                         by default  for the edge
//   results asked for                        513,180       513,180
//   computed                                  17,280        17,280
//   entries at the end                        17,280         9,301
//   evicted                                        0         7,979
//   commits                                    4,320           355
//   touches written                          495,900             0
//   bytes
//     of memory, at most                  37,748,736     1,441,792
//     of the file                          3,080,192     1,376,256
//     of its log                           4,194,304     4,194,304
//     of the entries written               3,845,880     3,845,880
//     written, by the system's count     189,241,415    24,616,143
//
// Of a flash card that is 7.7 times less wear
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../arguments.hpp"
#include "../grouped.hpp"
#include "../temporary_directory.hpp"
#include "bytes_written.hpp"

namespace edge_sensor {
namespace {

using namespace std::chrono_literals;
using ashmemo::KiB;
using ashmemo::MiB;
using example::grouped;

/// How a gateway is set that lives for years on a flash card.
struct Settings {
  ashmemo::Options options;
  ashmemo::CachePolicy policy;
};

Settings for_the_edge() {
  return {
      .options =
          {
              .limits = {.max_bytes = 2 * MiB},
              // Many results share a commit, which writes each page once. A crash loses those of
              // the last ten minutes: they are then computed again.
              .timing = {.touch_interval = 24h,
                         .flush_interval = 10min,
                         .maintenance_interval = 10min},
              .durability = ashmemo::Durability::relaxed,  // the others write at each put
              .eviction = ashmemo::Eviction::fifo,         // nothing is moved in the queue
              .memory_bytes = 256 * KiB,
              .queue_bytes = 512 * KiB,
              .reader_cache_bytes = 128 * KiB,
              .writer_cache_bytes = 512 * KiB,
          },
      // Under fifo nobody asks when a window was read last: reads leave no marks to be written.
      .policy = {.eviction = ashmemo::Eviction::fifo},
  };
}

constexpr std::int64_t kSensors = 6;
constexpr std::size_t kShown = 30;  // windows of each sensor, on the gateway's display
constexpr int kMinutes = 24 * 60;

/// A minute of readings of one sensor.
struct Window {
  std::int64_t sensor = 0;
  std::int64_t minute = 0;
  std::vector<double> readings;
};

double average_of(const Window& window) {
  const double sum = std::accumulate(window.readings.begin(), window.readings.end(), 0.0);
  return sum / static_cast<double>(window.readings.size());
}

/// How far the last reading is from the others, in standard deviations.
double anomaly_of(const Window& window) {
  const double average = average_of(window);
  double squares = 0;
  for (const double reading : window.readings) squares += std::pow(reading - average, 2);
  const double deviation = std::sqrt(squares / static_cast<double>(window.readings.size()));
  return deviation == 0 ? 0 : std::abs(window.readings.back() - average) / deviation;
}

/// A day passes in a moment: the clock is moved by hand, and the worker, which else is a thread,
/// works when the flush interval has passed.
class Gateway {
 public:
  Gateway(const std::string& file, Settings settings)
      : flush_interval_(settings.options.timing.flush_interval.count()),
        cache_(file, at_hand(std::move(settings.options), clock_)) {
    windows_.cache_calculation("average", settings.policy);
    windows_.cache_calculation("anomaly", settings.policy);
  }

  void serve_minute(std::int64_t minute) {
    receive(minute);
    show();
    clock_->advance(1min);
    if (clock_->steady_now() - flushed_at_ < flush_interval_) return;
    flushed_at_ = clock_->steady_now();
    cache_.flush();
  }
  [[nodiscard]] ashmemo::Stats stats() const { return cache_.stats(); }

 private:
  static ashmemo::Options at_hand(ashmemo::Options options,
                                  const std::shared_ptr<ashmemo::ManualClock>& clock) {
    options.hooks.clock = clock;
    options.hooks.worker = ashmemo::WorkerMode::manual;
    return options;
  }
  /// Each sensor sends a minute of readings.
  void receive(std::int64_t minute) {
    for (std::int64_t sensor = 0; sensor < kSensors; ++sensor) {
      std::vector<double> readings;
      for (int i = 0; i < 60; ++i) {
        readings.push_back(20 + static_cast<double>(random_() % 1000) / 500);
      }
      shown_.push_back({sensor, minute, std::move(readings)});
      if (shown_.size() > kShown * kSensors) shown_.pop_front();
    }
  }
  /// The display shows the last half hour anew. Here it also looks whether the first and the last
  /// result are right.
  void show() {
    const auto [averages, anomalies] = windows_.load(shown_, average_, anomaly_);
    if (averages.front() != average_of(shown_.front()) ||
        anomalies.back() != anomaly_of(shown_.back())) {
      throw std::runtime_error("a wrong result");
    }
  }

  std::mt19937_64 random_{7};
  std::deque<Window> shown_;
  std::shared_ptr<ashmemo::ManualClock> clock_ = std::make_shared<ashmemo::ManualClock>();
  std::int64_t flush_interval_ = 0;
  std::int64_t flushed_at_ = 0;
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Window>& windows_ =
      registry_.resource<Window>("Window", &Window::sensor, &Window::minute);
  ashmemo::Calculation<Window, double> average_ = windows_.calculation("average", average_of);
  ashmemo::Calculation<Window, double> anomaly_ = windows_.calculation("anomaly", anomaly_of);
};

// ------------------------------------------------------------------------------------ side by side

struct Outcome {
  std::int64_t memory = 0;  ///< the most that its tier, queue and page caches may take
  ashmemo::Stats stats;
  std::optional<std::int64_t> written;  ///< by the system's count
};

Outcome run_for_a_day(const Settings& settings) {
  const example::TemporaryDirectory directory;
  const std::optional<std::int64_t> before = bytes_written();
  Outcome outcome;
  {
    Gateway gateway(directory.file("sensors.cache.db"), settings);
    for (int minute = 0; minute < kMinutes; ++minute) gateway.serve_minute(minute);
    outcome.stats = gateway.stats();
  }  // closed: what waited is written
  if (before) outcome.written = *bytes_written() - *before;
  const ashmemo::Options& o = settings.options;
  outcome.memory = o.memory_bytes + o.queue_bytes + o.reader_cache_bytes + o.writer_cache_bytes;
  return outcome;
}

void show_row(std::string_view name, std::int64_t usual, std::int64_t edge) {
  fmt::print("  {:<34}{:>14}{:>14}\n", name, grouped(usual), grouped(edge));
}

void show(const Outcome& usual, const Outcome& edge) {
  const ashmemo::Stats& a = usual.stats;
  const ashmemo::Stats& b = edge.stats;
  fmt::print("A day of {} sensors; each minute the last half hour is shown\n\n", kSensors);
  fmt::print("  {:<34}{:>14}{:>14}\n", "", "by default", "for the edge");
  show_row("results asked for", a.hits + a.misses, b.hits + b.misses);
  show_row("computed", a.computed, b.computed);
  show_row("entries at the end", a.entries, b.entries);
  show_row("evicted", a.evicted, b.evicted);
  show_row("commits", a.commits, b.commits);
  show_row("touches written", a.touches_written, b.touches_written);
  fmt::print("  bytes\n");
  show_row("  of memory, at most", usual.memory, edge.memory);
  show_row("  of the file", a.file_bytes, b.file_bytes);
  show_row("  of its log", a.wal_bytes, b.wal_bytes);
  show_row("  of the entries written", a.bytes_written, b.bytes_written);
  if (!usual.written || !edge.written) return;
  show_row("  written, by the system's count", *usual.written, *edge.written);
  fmt::print("\nOf a flash card that is {:.1f} times less wear\n",
             static_cast<double>(*usual.written) / static_cast<double>(*edge.written));
}

}  // namespace
}  // namespace edge_sensor

int main(int argc, char** argv) {
  const auto refused = example::refuse_arguments(
      argc, argv, "edge_sensor: a cache with settings for a small device");
  if (refused) return *refused;
  using namespace edge_sensor;
  try {
    const Outcome usual = run_for_a_day({});
    show(usual, run_for_a_day(for_the_edge()));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "edge_sensor: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
