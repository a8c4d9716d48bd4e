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

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

/// A label's value may be anything, once these three are escaped.
std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    text += c == '\n' ? "\\n" : std::string(1, c);
  }
  return text;
}

/// Builds the text: a family of samples is a name with help and type, and a line for each set of
/// labels. Counters end in _total; times are in seconds, sizes in bytes.
class Writer {
 public:
  explicit Writer(std::string_view file) : file_(file) {}

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = fmt::format("ashmemo_{}", name);
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, type);
  }
  template <class Number>
  void sample(Number value, const Labels& labels = {}) {
    text_ += fmt::format("{}{{cache=\"{}\"", name_, escaped(file_));
    for (const auto& label : labels) {
      text_ += fmt::format(",{}=\"{}\"", label.first, escaped(label.second));
    }
    text_ += fmt::format("}} {}\n", value);
  }
  void counter(std::string_view name, std::int64_t value, std::string_view help) {
    family(name, "counter", help);
    sample(value);
  }
  void gauge(std::string_view name, std::int64_t value, std::string_view help) {
    family(name, "gauge", help);
    sample(value);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string_view file_;
  std::string name_;
  std::string text_;
};

double in_seconds(ashmemo::Duration length) { return static_cast<double>(length.count()) * 1e-6; }

void write_contents(Writer& to, const ashmemo::Stats& stats) {
  to.gauge("entries", stats.entries, "Entries in the file.");
  to.gauge("entries_size_bytes", stats.bytes, "What the entries cost in the file.");
  to.gauge("file_size_bytes", stats.file_bytes, "Size of the file.");
  to.gauge("wal_size_bytes", stats.wal_bytes, "Size of the file's write-ahead log.");
  to.gauge("queue_size_bytes", stats.queue_bytes, "Writes accepted and not yet committed.");
  to.gauge("memory_entries", stats.memory_entries, "Copies of entries in memory.");
  to.gauge("memory_size_bytes", stats.memory_bytes, "What the copies in memory take.");
}

void write_work(Writer& to, const ashmemo::Stats& stats) {
  to.family("requests_total", "counter", "Keys asked for, by what answered.");
  to.sample(stats.hits, {{"result", "hit"}});
  to.sample(stats.stale_hits, {{"result", "stale_hit"}});
  to.sample(stats.misses, {{"result", "miss"}});
  to.counter("memory_hits_total", stats.memory_hits, "Hits that were answered from memory.");
  to.counter("computed_total", stats.computed, "Results that were computed.");
  to.counter("puts_total", stats.puts, "Values offered to be kept.");
  to.family("puts_not_kept_total", "counter", "Values that were offered and not kept, by reason.");
  to.sample(stats.refused, {{"reason", "refused"}});
  to.sample(stats.dropped, {{"reason", "dropped"}});
  to.family("removals_total", "counter", "Entries that left the file, by cause.");
  to.sample(stats.erased, {{"cause", "erased"}});
  to.sample(stats.replaced, {{"cause", "replaced"}});
  to.sample(stats.expired, {{"cause", "expired"}});
  to.sample(stats.evicted, {{"cause", "evicted"}});
  to.counter("commits_total", stats.commits, "Transactions committed.");
  to.counter("written_bytes_total", stats.bytes_written, "Bytes of the entries written.");
  to.family("saved_seconds_total", "counter", "Time that computing the hits would have taken.");
  to.sample(in_seconds(stats.saved));
}

void write_calculations(Writer& to, const std::vector<Snapshot::Calculation>& calculations) {
  const auto each = [&](std::string_view name, std::string_view help, auto value) {
    to.family(name, "counter", help);
    for (const Snapshot::Calculation& one : calculations) {
      to.sample(value(one.stats), {{"resource", one.resource}, {"calculation", one.name}});
    }
  };
  using Stats = ashmemo::CalculationStats;
  each("calculation_hits_total", "Hits of one calculation.", [](const Stats& s) { return s.hits; });
  each("calculation_misses_total", "Misses of one calculation.",
       [](const Stats& s) { return s.misses; });
  each("calculation_failed_total", "Records for which one calculation failed.",
       [](const Stats& s) { return s.failed; });
  each("calculation_saved_seconds_total", "Time that computing one calculation's hits takes.",
       [](const Stats& s) { return in_seconds(s.saved); });
}

void write_health(Writer& to, const Snapshot& snapshot) {
  using ashmemo::HealthState;
  to.family("health", "gauge", "1 for the state that the cache is in, 0 for the others.");
  for (const HealthState state :
       {HealthState::ok, HealthState::degraded, HealthState::unavailable, HealthState::closed}) {
    to.sample(snapshot.health.state == state ? 1 : 0, {{"state", to_string(state)}});
  }
  if (snapshot.notices.empty()) return;
  to.family("notices_total", "counter", "Faults and changes of state told, by kind.");
  for (const auto& [kind, count] : snapshot.notices) to.sample(count, {{"kind", kind}});
}

}  // namespace

std::string to_prometheus(const Snapshot& snapshot) {
  Writer to(snapshot.file);
  to.family("info", "gauge", "1, with the library's version.");
  to.sample(1, {{"version", ashmemo::version()}});
  write_health(to, snapshot);
  write_contents(to, snapshot.stats);
  write_work(to, snapshot.stats);
  write_calculations(to, snapshot.calculations);
  return to.take();
}

void write_atomically(const std::string& file, const std::string& text) {
  // Beside it, for a file is renamed within one file system; with an ending that node_exporter,
  // which reads all of *.prom, does not look at.
  const std::string temporary = fmt::format("{}.{}.tmp", file, ::getpid());
  std::ofstream output(temporary, std::ios::binary);
  output << text;
  output.close();
  if (output && std::rename(temporary.c_str(), file.c_str()) == 0) return;
  (void)std::remove(temporary.c_str());
  throw std::runtime_error(file + ": cannot be written; does its directory exist?");
}

}  // namespace monitoring
