// A gateway for sensors with little memory and a flash card. Each write wears the card out. First
// the same day with default settings and with settings for such a device. Then a limit in bytes:
// the program watches the disk and checks what the cache promises.

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <fstream>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../common/program.hpp"
#include "../common/temporary_directory.hpp"
#include "limits.hpp"

namespace edge_sensor {
namespace {

using namespace std::chrono_literals;
using ashmemo::KiB;
using ashmemo::MiB;

struct Settings {
  ashmemo::Options options{};
  ashmemo::CachePolicy policy{};
};

/// For a gateway that runs for years with one flash card.
Settings edge_settings() {
  return {
      .options =
          {
              .limits = {.max_bytes = 2 * MiB},
              // Many results share a commit, which writes each page once. A crash loses the results
              // of the last ten minutes. They are then computed again.
              .timing = {.touch_interval = 24h,
                         .flush_interval = 10min,
                         .maintenance_interval = 10min},
              .durability = ashmemo::Durability::relaxed,  // the others write at each put
              .eviction = ashmemo::Eviction::fifo,         // never moves an entry in the queue
              .memory_bytes = 256 * KiB,
              .queue_bytes = 512 * KiB,
              .reader_cache_bytes = 128 * KiB,
              .writer_cache_bytes = 512 * KiB,
              .hint_bytes = 64 * KiB,
          },
      // fifo does not need the time of the last read, so reads cause no writes.
      .policy = {.eviction = ashmemo::Eviction::fifo},
  };
}

constexpr std::int64_t kSensors = 6;
constexpr std::size_t kMinutesShown = 30;  // on the gateway's display
constexpr int kMinutesPerDay = 24 * 60;

/// One minute of readings of one sensor.
struct Window {
  std::int64_t sensor = 0;
  std::int64_t minute = 0;
  std::vector<double> readings;
};

double average_of(const Window& window) {
  const double sum = std::accumulate(window.readings.begin(), window.readings.end(), 0.0);
  return sum / static_cast<double>(window.readings.size());
}

/// Distance of the last reading from the average, in standard deviations.
double anomaly_of(const Window& window) {
  const double average = average_of(window);
  double squares = 0;
  for (const double reading : window.readings) squares += std::pow(reading - average, 2);
  const double deviation = std::sqrt(squares / static_cast<double>(window.readings.size()));
  return deviation == 0 ? 0 : std::abs(window.readings.back() - average) / deviation;
}

/// A day takes a few seconds, because the program moves the clock. The program also does the work
/// of the worker each time the flush interval has passed.
class Gateway {
 public:
  Gateway(const std::string& file, Settings settings)
      : flush_interval_(settings.options.timing.flush_interval.count()),
        cache_(file, in_manual_mode(std::move(settings.options), clock_)) {
    windows_.cache_calculation("average", settings.policy);
    windows_.cache_calculation("anomaly", settings.policy);
  }

  void run_minute(std::int64_t minute) {
    receive(minute);
    show();
    clock_->advance(1min);
    if (clock_->steady_now() - flushed_at_ < flush_interval_) return;
    flushed_at_ = clock_->steady_now();
    cache_.flush();
  }
  [[nodiscard]] ashmemo::Stats stats() const { return cache_.stats(); }

 private:
  static ashmemo::Options in_manual_mode(ashmemo::Options options,
                                         const std::shared_ptr<ashmemo::ManualClock>& clock) {
    options.hooks.clock = clock;
    options.hooks.worker = ashmemo::WorkerMode::manual;
    return options;
  }
  void receive(std::int64_t minute) {
    for (std::int64_t sensor = 0; sensor < kSensors; ++sensor) {
      std::vector<double> readings;
      for (int i = 0; i < 60; ++i) {
        readings.push_back(20 + static_cast<double>(random_() % 1000) / 500);
      }
      shown_.push_back({sensor, minute, std::move(readings)});
      if (shown_.size() > kMinutesShown * kSensors) shown_.pop_front();
    }
  }
  /// Shows the last half hour, and checks the first and the last result.
  void show() {
    const auto [averages, anomalies] = windows_.load(shown_, average_, anomaly_);
    if (averages.front() != average_of(shown_.front()) ||
        anomalies.back() != anomaly_of(shown_.back())) {
      throw std::runtime_error("wrong result");
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

/// The bytes that this process has passed to the system's write calls. 0 if the system does not
/// count them; Linux does.
std::int64_t bytes_written() {
  std::ifstream counts("/proc/self/io");
  std::int64_t number = 0;
  for (std::string name; counts >> name >> number;) {
    if (name == "wchar:") return number;
  }
  return 0;
}

struct Outcome {
  std::int64_t memory = 0;   ///< maximum of memory tier, queue, page caches and hints
  std::int64_t written = 0;  ///< by the system's count
  ashmemo::Stats stats{};
};

Outcome run_day(const Settings& settings) {
  const example::TemporaryDirectory directory;
  const ashmemo::Options& o = settings.options;
  Outcome outcome{.memory = o.memory_bytes + o.queue_bytes + o.reader_cache_bytes +
                            o.writer_cache_bytes + o.hint_bytes,
                  .written = -bytes_written()};
  {
    Gateway gateway(directory.file("sensors.cache.db"), settings);
    for (int minute = 0; minute < kMinutesPerDay; ++minute) gateway.run_minute(minute);
    outcome.stats = gateway.stats();
  }  // closes the cache, which writes the rest
  outcome.written += bytes_written();
  return outcome;
}

void print_row(std::string_view name, std::int64_t usual, std::int64_t edge) {
  fmt::print("  {:<34}{:>14L}{:>14L}\n", name, usual, edge);
}

void compare_settings() {
  const Outcome usual = run_day({});
  const Outcome edge = run_day(edge_settings());
  const ashmemo::Stats& a = usual.stats;
  const ashmemo::Stats& b = edge.stats;
  fmt::print("One day of {} sensors; each minute the display shows the last half hour\n", kSensors);
  fmt::print("  {:<34}{:>14}{:>14}\n", "", "default", "edge");
  print_row("results asked for", a.hits + a.misses, b.hits + b.misses);
  print_row("computed", a.computed, b.computed);
  print_row("entries at the end", a.entries, b.entries);
  print_row("evicted", a.evicted, b.evicted);
  print_row("commits", a.commits, b.commits);
  print_row("touches written", a.touches_written, b.touches_written);
  print_row("bytes of memory, maximum", usual.memory, edge.memory);
  print_row("bytes of the file", a.file_bytes, b.file_bytes);
  print_row("bytes of its log", a.wal_bytes, b.wal_bytes);
  print_row("bytes of all entries written", a.bytes_written, b.bytes_written);
  print_row("bytes passed to write calls", usual.written, edge.written);
}

void run() {
  compare_settings();
  const example::TemporaryDirectory directory;
  show_limits(directory.file("measurements.cache.db"));
}

}  // namespace
}  // namespace edge_sensor

int main(int argc, char** argv) {
  return example::run_program("edge_sensor", "A cache on a small device, and its limits.", argc,
                              argv, edge_sensor::run);
}
