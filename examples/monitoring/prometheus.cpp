#include "prometheus.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace monitoring {
namespace {

using ashmemo::CalculationStats;
using ashmemo::HealthState;
using ashmemo::Stats;

std::string label(std::string_view name, std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c == '\n' ? "\\n" : std::string(1, c);
  }
  return fmt::format("{}=\"{}\"", name, escaped);
}

/// Writes lines "ashmemo_NAME{cache="FILE",LABELS} VALUE". Prometheus wants a help text and a type
/// before the first sample of a name. A name that ends in _total is a counter.
class Writer {
 public:
  explicit Writer(const std::string& file) : cache_(label("cache", file)) {}

  template <class Number>
  void sample(std::string_view name, std::string_view help, const std::string& labels,
              Number value) {
    if (name != name_) {
      text_ += fmt::format("# HELP ashmemo_{} {}\n# TYPE ashmemo_{} {}\n", name, help, name,
                           name.ends_with("_total") ? "counter" : "gauge");
      name_ = name;
    }
    text_ += fmt::format("ashmemo_{}{{{}{}{}}} {}\n", name, cache_, labels.empty() ? "" : ",",
                         labels, value);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string cache_;
  std::string name_;  ///< of the latest sample
  std::string text_;
};

double in_seconds(ashmemo::Duration length) { return static_cast<double>(length.count()) * 1e-6; }

void write_stats(Writer& to, const Stats& stats) {
  struct Metric {
    const char* name;
    const char* help;
    std::int64_t Stats::*value;
    std::string labels{};
  };
  const Metric metrics[] = {
      {"entries", "Entries in the file.", &Stats::entries},
      {"entries_size_bytes", "Bytes of the entries in the file.", &Stats::bytes},
      {"file_size_bytes", "Size of the file.", &Stats::file_bytes},
      {"wal_size_bytes", "Size of the write-ahead log.", &Stats::wal_bytes},
      {"queue_size_bytes", "Writes accepted and not yet committed.", &Stats::queue_bytes},
      {"memory_entries", "Copies of entries in memory.", &Stats::memory_entries},
      {"memory_size_bytes", "Bytes of the copies in memory.", &Stats::memory_bytes},
      {"requests_total", "Keys asked for, by result.", &Stats::hits, label("result", "hit")},
      {"requests_total", "", &Stats::stale_hits, label("result", "stale_hit")},
      {"requests_total", "", &Stats::misses, label("result", "miss")},
      {"memory_hits_total", "Hits answered from memory.", &Stats::memory_hits},
      {"hint_hits_total", "Rows found by their remembered places.", &Stats::hint_hits},
      {"wrong_hints_total", "Remembered places without the row.", &Stats::wrong_hints},
      {"computed_total", "Results computed.", &Stats::computed},
      {"puts_total", "Values offered to the cache.", &Stats::puts},
      {"puts_not_kept_total", "Values offered and not kept, by reason.", &Stats::refused,
       label("reason", "refused")},
      {"puts_not_kept_total", "", &Stats::dropped, label("reason", "dropped")},
      {"removals_total", "Entries removed from the file, by cause.", &Stats::erased,
       label("cause", "erased")},
      {"removals_total", "", &Stats::replaced, label("cause", "replaced")},
      {"removals_total", "", &Stats::expired, label("cause", "expired")},
      {"removals_total", "", &Stats::evicted, label("cause", "evicted")},
      {"commits_total", "Transactions committed.", &Stats::commits},
      {"written_bytes_total", "Bytes of the entries written.", &Stats::bytes_written},
  };
  for (const Metric& metric : metrics) {
    to.sample(metric.name, metric.help, metric.labels, stats.*metric.value);
  }
  to.sample("saved_seconds_total", "Time that computing the hits would take.", "",
            in_seconds(stats.saved));
}

void write_calculations(Writer& to, const std::vector<Snapshot::Calculation>& calculations) {
  const auto write = [&](std::string_view name, std::string_view help, auto value_of) {
    for (const Snapshot::Calculation& one : calculations) {
      to.sample(name, help, label("resource", one.resource) + "," + label("calculation", one.name),
                value_of(one.stats));
    }
  };
  write("calculation_hits_total", "Hits of one calculation.",
        [](const CalculationStats& stats) { return stats.hits; });
  write("calculation_misses_total", "Misses of one calculation.",
        [](const CalculationStats& stats) { return stats.misses; });
  write("calculation_failed_total", "Records for which one calculation failed.",
        [](const CalculationStats& stats) { return stats.failed; });
  write("calculation_saved_seconds_total", "Time that computing one calculation's hits would take.",
        [](const CalculationStats& stats) { return in_seconds(stats.saved); });
}

}  // namespace

std::string to_prometheus(const Snapshot& snapshot) {
  Writer to(snapshot.file);
  to.sample("info", "1, with the version of the library.", label("version", ashmemo::version()), 1);
  for (const HealthState state :
       {HealthState::ok, HealthState::degraded, HealthState::unavailable, HealthState::closed}) {
    to.sample("health", "1 for the current state of the cache, 0 for the others.",
              label("state", to_string(state)), snapshot.health.state == state ? 1 : 0);
  }
  for (const auto& [kind, count] : snapshot.notices) {
    to.sample("notices_total", "Notices of faults and changes of state, by kind.",
              label("kind", kind), count);
  }
  write_stats(to, snapshot.stats);
  write_calculations(to, snapshot.calculations);
  return to.take();
}

void write_atomically(const std::string& file, const std::string& text) {
  // In the same directory, because rename works only within a file system. node_exporter reads all
  // *.prom files, so the temporary name ends differently.
  const std::string temporary = fmt::format("{}.{}.tmp", file, ::getpid());
  std::ofstream output(temporary, std::ios::binary);
  output << text;
  output.close();
  if (output && std::rename(temporary.c_str(), file.c_str()) == 0) return;
  (void)std::remove(temporary.c_str());
  throw std::runtime_error(file + ": cannot be written; does its directory exist?");
}

}  // namespace monitoring
