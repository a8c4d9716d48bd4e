#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/cache_file.hpp"
#include "cli/commands.hpp"
#include "cli/entry.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace ashmemo::cli {

const char* const kStatsHelp =
    R"(Bytes are the space that entries use in the file. Hits (including stale ones)
and the time saved are counted since the file was created. Those of the last
minute may not be in the file yet. Expired entries that are not removed yet
have a row of their own. The limits of the application are not in the file.

JSON: file, entries, bytes, file_bytes, wal_bytes, health, and calculations, a
list with the columns of the view cache_by_calculation except retired.

Examples:
  ashmemo stats blog.cache.db
  ashmemo stats blog.cache.db --json | jq .entries)";

namespace {

// The numbers in a file can be so large that their sum overflows.
using detail::add_saturated;
using detail::subtract_saturated;

struct Sum {
  std::int64_t entries = 0;
  std::int64_t bytes = 0;

  void add(std::int64_t entry_bytes) {
    ++entries;
    bytes = add_saturated(bytes, entry_bytes);
  }
};

/// One row of the table.
struct Line {
  std::string name;
  Sum sum;
  std::optional<StoredCalculation> calculation;  // nullopt: entries of no calculation
};

std::vector<Line> lines_of(const Cache& cache, const Stats& stats) {
  std::map<std::int64_t, Sum> sums;  // by the id of the calculation; 0: put directly
  Sum all;
  visit_all(cache, {}, [&](const EntryInfo& entry) {
    sums[entry.calculation_id.value_or(0)].add(entry.byte_size);
    all.add(entry.byte_size);
  });
  std::vector<Line> lines;
  for (StoredCalculation& each : cache.calculations()) {
    lines.push_back({name_of(each), sums[each.id], std::move(each)});
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.sum.bytes > b.sum.bytes; });
  lines.push_back({"(put directly)", sums[0], {}});  // this name is in cache_by_calculation, too
  // Expired, or of an older version. Small differences come from an application that writes now.
  const Sum rest{subtract_saturated(stats.entries, all.entries),
                 subtract_saturated(stats.bytes, all.bytes)};
  if (rest.entries > 0 && rest.bytes > 0) lines.push_back({"(to be removed)", rest, {}});
  require_complete(cache);
  return lines;
}

std::int64_t hits_of(const CalculationStats& stats) {
  return add_saturated(stats.hits, stats.stale_hits);
}

std::int64_t lookups_of(const CalculationStats& stats) {
  return add_saturated(hits_of(stats), stats.misses);
}

std::optional<double> hit_ratio_of(const CalculationStats& stats) {
  if (lookups_of(stats) <= 0) return std::nullopt;
  return static_cast<double>(hits_of(stats)) / static_cast<double>(lookups_of(stats));
}

std::string percent_of(const CalculationStats& stats) {
  const auto ratio = hit_ratio_of(stats);
  return ratio ? fmt::format("{:.1f} %", 100 * *ratio) : "-";
}

CalculationStats total_of(const std::vector<Line>& lines) {
  CalculationStats total;
  for (const Line& line : lines) {
    if (!line.calculation) continue;
    const CalculationStats& stats = line.calculation->stats;
    total.hits = add_saturated(total.hits, hits_of(stats));
    total.misses = add_saturated(total.misses, stats.misses);
    total.saved = Duration::microseconds(add_saturated(total.saved.count(), stats.saved.count()));
  }
  return total;
}

void print_text(const std::string& file, const Stats& stats, const Health& health,
                const std::vector<Line>& lines) {
  const CalculationStats total = total_of(lines);
  print_property("file", escaped(file));
  print_property("entries", fmt::format("{}, {}", grouped(stats.entries), bytes_text(stats.bytes)));
  print_property("file size", bytes_text(stats.file_bytes));
  print_property("log size", bytes_text(stats.wal_bytes));
  print_property("hits", fmt::format("{} of {} ({})", grouped(hits_of(total)),
                                     grouped(lookups_of(total)), percent_of(total)));
  print_property("saved", time_text(total.saved.count()));
  print_property("health", to_string(health.state));
  fmt::print("\n");

  std::vector<Row> rows{{"calculation", "entries", "bytes", "hits", "hit ratio", "saved"}};
  for (const auto& [name, sum, calculation] : lines) {
    rows.push_back({name, grouped(sum.entries), size_text(sum.bytes),
                    calculation ? grouped(hits_of(calculation->stats)) : "-",
                    calculation ? percent_of(calculation->stats) : "-",
                    calculation ? time_text(calculation->stats.saved.count()) : "-"});
  }
  print_table(rows);
}

Json json_of(const Line& line) {
  const StoredCalculation one = line.calculation.value_or(StoredCalculation());
  const auto if_known = [&line](const auto& value) {
    return line.calculation ? Json(value) : Json();
  };
  const auto hit_ratio = hit_ratio_of(one.stats);
  return {{"resource", if_known(one.resource)},
          {"calculation", line.calculation ? one.name : line.name},
          {"version", if_known(one.version)},
          {"policy", if_known(one.policy)},
          {"entries", line.sum.entries},
          {"bytes", line.sum.bytes},
          {"hits", if_known(one.stats.hits)},
          {"stale_hits", if_known(one.stats.stale_hits)},
          {"misses", if_known(one.stats.misses)},
          {"hit_ratio", hit_ratio ? Json(*hit_ratio) : Json()},
          {"computed", if_known(one.stats.computed)},
          {"failed", if_known(one.stats.failed)},
          {"seconds_saved", if_known(static_cast<double>(one.stats.saved.count()) / 1e6)},
          {"calculation_id", if_known(one.id)}};
}

}  // namespace

Exit stats(const Arguments& arguments) {
  const Cache cache = open_for_reading(arguments.file);
  const Stats stats = cache.stats();
  const Health health = cache.health();
  const std::vector<Line> lines = lines_of(cache, stats);
  if (!arguments.json) {
    print_text(arguments.file, stats, health, lines);
    return Exit::ok;
  }
  Json calculations = Json::array();
  for (const Line& line : lines) calculations.push_back(json_of(line));
  print_json({{"file", arguments.file},
              {"entries", stats.entries},
              {"bytes", stats.bytes},
              {"file_bytes", stats.file_bytes},
              {"wal_bytes", stats.wal_bytes},
              {"health", to_string(health.state)},
              {"calculations", std::move(calculations)}});
  return Exit::ok;
}

}  // namespace ashmemo::cli
