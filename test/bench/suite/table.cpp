#include <cstdio>

#include <fmt/format.h>

#include "bench/program.hpp"
#include "bench/suite/row.hpp"

namespace ashmemo::bench {
namespace {

constexpr const char* kLine =
    "{:<34} {:<21} {:>10} {:>7} {:>7} {:>12} {:>12} {:>12} {:>12} {:>7} {:>7} {:>7}  {}\n";

std::string microseconds(double us) {
  if (us >= 1'000) return grouped(static_cast<std::int64_t>(us));
  return fmt::format("{:.{}f}", us, us < 10 ? 3 : 1);
}

std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string ratio(const Row& row, const Row* to) {
  if (to == nullptr || to == &row || to->compared() <= 0) return "";
  return fmt::format("{:.2f}", row.compared() / to->compared());
}

/// What the scenario measures instead of the median, if it measures bytes.
std::string median_or_bytes(const Row& row) {
  if (row.bytes) return megabytes(*row.bytes);
  if (row.log_bytes) {
    return grouped(static_cast<std::int64_t>(*row.log_bytes + 0.5)) + " B";
  }
  return microseconds(row.p50_us);
}

std::string scaling_of(const Rows& rows, const Row& row) {
  const auto scaling = rows.scaling_of(row);
  return scaling ? fmt::format("{:.2f}", *scaling) : "";
}

std::string name_of(const Row& row) {
  return row.variant.empty() ? row.scenario : fmt::format("{}, {}", row.scenario, row.variant);
}

std::string group_of(const Row& row) {
  return fmt::format("{} {} {}", name_of(row), row.entries, row.threads);
}

void print_row(const Rows& rows, const Row& row) {
  const bool times = !row.bytes && !row.log_bytes;
  fmt::print(kLine, name_of(row), row.system, grouped(static_cast<std::int64_t>(row.entries)),
             row.value_bytes, row.threads, times ? microseconds(row.mean_us) : "",
             median_or_bytes(row), times ? microseconds(row.p99_us) : "",
             times ? grouped(static_cast<std::int64_t>(row.ops_per_s)) : "",
             ratio(row, rows.raw_row_for(row)), ratio(row, rows.best_peer_row_for(row)),
             scaling_of(rows, row), row.survives ? to_string(*row.survives) : "");
  if (!row.p999_us) return;
  fmt::print(kLine, "", "  p99.9", "", "", "", "", "", microseconds(*row.p999_us), "", "", "", "",
             "");
}

}  // namespace

void print_table_head() {
  fmt::print(kLine, "scenario", "system", "entries", "bytes", "threads", "mean us", "p50 us",
             "p99 us", "ops/s", "x raw", "x peer", "x one", "survives");
}

void print_table_rows(const Rows& rows, std::size_t from) {
  std::string before;
  for (const Row& row : rows.all().subspan(from)) {
    if (before != group_of(row)) fmt::print("\n");
    before = group_of(row);
    print_row(rows, row);
  }
  std::fflush(stdout);
}

void print_table_foot() {
  fmt::print(R"(
Times are per operation, or per key in a batch; bytes are those of a value. x raw, x peer: ratio to
raw_sqlite and to the best of the other libraries; below 1, ashmemo is better. The ratio compares
medians, except means for sustained writes and loads, and rates for several threads. x one: rate
relative to one thread. survives: the worst event that the writes survive once the timed part has
ended; a power cut is worse than a crash of the process.
)");
}

}  // namespace ashmemo::bench
