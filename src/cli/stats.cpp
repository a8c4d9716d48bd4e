#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "cli/calculations.hpp"
#include "cli/commands.hpp"
#include "cli/format.hpp"
#include "cli/open.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace ashmemo::cli {

const char* const kStatsHelp =
    R"(Bytes are what entries cost in the file. Hits (stale ones too) and what they
saved were counted since the file was begun; those of the last minute may
not be written yet. Entries that are over and not yet removed stand in a row
of their own. The application's limits are not in the file.

JSON: file, entries, bytes, file_bytes, wal_bytes, health, calculations: a
list with the columns of the view cache_by_calculation, but for retired.

Examples:
  ashmemo stats blog.cache.db
  ashmemo stats blog.cache.db --json | jq .entries)";

namespace {

using Json = nlohmann::ordered_json;
using detail::add_saturated;  // what a file holds may be any number
using detail::subtract_saturated;

constexpr const char* kDirect = "(put directly)";    // as the view cache_by_calculation says
constexpr const char* kLeaving = "(to be removed)";  // expired, or of an older version

struct Sum {
  std::int64_t entries = 0;
  std::int64_t bytes = 0;
};

/// One row of the table; without a calculation: what belongs to none.
struct Line {
  std::string name;
  Sum sum;
  std::optional<StoredCalculation> calculation;
};

struct Report {
  Stats stats;
  Health health;
  std::vector<Line> lines;
};

Report report_of(const Cache& cache) {
  Report report{cache.stats(), cache.health(), {}};
  std::map<std::int64_t, Sum> sums;  // by calculation; 0: put directly
  Sum all;
  visit_all(cache, {}, [&](const EntryInfo& entry) {
    for (Sum* sum : {&all, &sums[entry.calculation_id.value_or(0)]}) {
      sum->entries += 1;
      sum->bytes = add_saturated(sum->bytes, entry.byte_size);
    }
  });
  for (StoredCalculation& each : cache.calculations()) {
    report.lines.push_back({name_of(each), sums[each.id], std::move(each)});
  }
  std::stable_sort(report.lines.begin(), report.lines.end(),
                   [](const Line& a, const Line& b) { return a.sum.bytes > b.sum.bytes; });
  report.lines.push_back({kDirect, sums[0], {}});
  const Sum rest{subtract_saturated(report.stats.entries, all.entries),
                 subtract_saturated(report.stats.bytes, all.bytes)};
  // An application that writes meanwhile makes these sums differ by a few.
  if (rest.entries > 0 && rest.bytes > 0) report.lines.push_back({kLeaving, rest, {}});
  require_read(cache);
  return report;
}

CalculationStats total_of(const std::vector<Line>& lines) {
  CalculationStats total;
  std::int64_t saved = 0;
  for (const Line& line : lines) {
    if (!line.calculation) continue;
    const CalculationStats& stats = line.calculation->stats;
    total.hits = add_saturated(total.hits, stats.hits);
    total.stale_hits = add_saturated(total.stale_hits, stats.stale_hits);
    total.misses = add_saturated(total.misses, stats.misses);
    saved = add_saturated(saved, stats.saved.count());
  }
  total.saved = Duration::microseconds(saved);
  return total;
}

std::int64_t answered(const CalculationStats& stats) {
  return add_saturated(stats.hits, stats.stale_hits);
}

std::int64_t asked(const CalculationStats& stats) {
  return add_saturated(answered(stats), stats.misses);
}

std::string ratio_of(const CalculationStats& stats) {
  return percent_text(answered(stats), asked(stats));
}

std::string saved_text(Duration saved) {
  return saved.count() == 0 ? "0 s" : cost_text(saved.count());
}

std::string facts_of(const std::string& file, const Report& report) {
  const CalculationStats total = total_of(report.lines);
  Facts facts;
  facts.add("file", printable(file));
  facts.add("entries",
            fmt::format("{}, {}", grouped(report.stats.entries), bytes_text(report.stats.bytes)));
  facts.add("file size", bytes_text(report.stats.file_bytes));
  facts.add("log size", bytes_text(report.stats.wal_bytes));
  facts.add("hits", fmt::format("{} of {} ({})", grouped(answered(total)), grouped(asked(total)),
                                ratio_of(total)));
  facts.add("saved", saved_text(total.saved));
  facts.add("health", std::string(to_string(report.health.state)));
  return facts.text();
}

Table table_of(const Report& report) {
  Table table({"calculation", "entries", "bytes", "hits", "hit ratio", "saved"});
  for (const Line& line : report.lines) {
    Table::Row row{line.name, grouped(line.sum.entries), size_text(line.sum.bytes), "-", "-", "-"};
    if (line.calculation) {
      const CalculationStats& stats = line.calculation->stats;
      row[3] = grouped(answered(stats));
      row[4] = ratio_of(stats);
      row[5] = saved_text(stats.saved);
    }
    table.add(std::move(row));
  }
  return table;
}

Json json_of(const Line& line) {
  Json json{{"resource", nullptr}, {"calculation", line.name},
            {"version", nullptr},  {"policy", nullptr},
            {"entries", 0},        {"bytes", 0}};
  for (const char* name : {"hits", "stale_hits", "misses", "hit_ratio", "computed", "failed",
                           "seconds_saved", "calculation_id"}) {
    json[name] = nullptr;
  }
  json["entries"] = line.sum.entries;
  json["bytes"] = line.sum.bytes;
  if (!line.calculation) return json;
  const StoredCalculation& one = *line.calculation;
  json["resource"] = one.resource;
  json["calculation"] = one.name;
  json["version"] = one.version;
  json["policy"] = one.policy;
  json["hits"] = one.stats.hits;
  json["stale_hits"] = one.stats.stale_hits;
  json["misses"] = one.stats.misses;
  if (const std::int64_t all = asked(one.stats); all > 0) {
    json["hit_ratio"] = static_cast<double>(answered(one.stats)) / static_cast<double>(all);
  }
  json["computed"] = one.stats.computed;
  json["failed"] = one.stats.failed;
  json["seconds_saved"] = static_cast<double>(one.stats.saved.count()) / 1e6;
  json["calculation_id"] = one.id;
  return json;
}

Json json_of(const std::string& file, const Report& report) {
  Json json{{"file", file},
            {"entries", report.stats.entries},
            {"bytes", report.stats.bytes},
            {"file_bytes", report.stats.file_bytes},
            {"wal_bytes", report.stats.wal_bytes},
            {"health", to_string(report.health.state)},
            {"calculations", Json::array()}};
  for (const Line& line : report.lines) json["calculations"].push_back(json_of(line));
  return json;
}

}  // namespace

Exit stats(const Common& options) {
  const Cache cache = open_for_reading(options.file);
  const Report report = report_of(cache);
  if (options.json) {
    write_json(json_of(options.file, report));
  } else {
    print(facts_of(options.file, report) + '\n' + table_of(report).text(screen()));
  }
  return Exit::ok;
}

}  // namespace ashmemo::cli
