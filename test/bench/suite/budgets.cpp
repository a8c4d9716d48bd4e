#include <algorithm>
#include <cstdio>
#include <optional>

#include <fmt/format.h>

#include "bench/program.hpp"
#include "bench/suite/row.hpp"

// The performance goals of the project, compared with the results of this run.

namespace ashmemo::bench {
namespace {

struct Budget {
  std::string what;
  std::optional<double> measured;  // nullopt: the rows were not measured
  double limit = 0;
  bool at_least = false;
};
using Budgets = std::vector<Budget>;

constexpr const char* kOurs = "ashmemo";

std::optional<double> ratio(const Row* row, const Row* to, double Row::*number) {
  if (row == nullptr || to == nullptr || to->*number <= 0) return std::nullopt;
  return row->*number / (to->*number);
}

std::optional<double> percentiles_999(const Row* row, const Row* to) {
  if (row == nullptr || to == nullptr || !row->p999_us || !to->p999_us) return std::nullopt;
  return *row->p999_us / *to->p999_us;
}

/// The rows of ashmemo in one scenario, fewest entries first.
std::vector<const Row*> ours(const Rows& rows, std::string_view scenario,
                             std::string_view variant = "") {
  std::vector<const Row*> found;
  for (const Row& row : rows.all()) {
    if (row.scenario == scenario && row.variant == variant && row.system == kOurs) {
      found.push_back(&row);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Row* a, const Row* b) { return a->entries < b->entries; });
  return found;
}

/// The row of ashmemo in the scenario `threads`. The script pins the process to two processors.
const Row* with_threads(const Rows& rows, std::string_view variant, std::size_t threads) {
  for (const Row* row : ours(rows, "threads", variant)) {
    if (row->threads == threads) return row;
  }
  return nullptr;
}

std::string at(std::string_view what, const Row& row) {
  return fmt::format("{}, {} entries", what, grouped(static_cast<std::int64_t>(row.entries)));
}

void add_reads(const Rows& rows, Budgets& budgets) {
  constexpr std::size_t few = 10'000;
  for (const Row* row : ours(rows, "hit_memory")) {
    const Row* lmdb = rows.find("hit_memory", "", "lmdb", row->entries);
    budgets.push_back({at("get from memory / LMDB's get", *row), ratio(row, lmdb, &Row::p50_us),
                       row->entries <= few ? 0.36 : 0.6});
  }
  for (const Row* row : ours(rows, "hit_store")) {
    budgets.push_back({at("get from the file / raw", *row),
                       ratio(row, rows.raw_row_for(*row), &Row::p50_us), 0.8});
  }
  for (const Row* row : ours(rows, "miss")) {
    budgets.push_back({"get of a key that was never stored / raw",
                       ratio(row, rows.raw_row_for(*row), &Row::p50_us), 1.15});
  }
  for (const Row* row : ours(rows, "get_many", "100 keys")) {
    budgets.push_back({"get_many of 100, random keys / raw",
                       ratio(row, rows.raw_row_for(*row), &Row::p50_us), 0.8});
  }
  for (const char* variant : {"stored into an idle queue", "stored into a full queue"}) {
    for (const Row* row : ours(rows, "page", variant)) {
      budgets.push_back({fmt::format("page of 100, {} / raw", variant),
                         ratio(row, rows.raw_row_for(*row), &Row::p50_us), 0.65});
    }
  }
  const Row* zipf = rows.find("zipf", "", kOurs);
  budgets.push_back({"Zipf reads, a tier of a tenth / none",
                     ratio(zipf, rows.find("zipf", "", "ashmemo_no_tier"), &Row::mean_us), 0.5});
  budgets.push_back({"Zipf reads, a tier of a tenth / LMDB",
                     ratio(zipf, rows.find("zipf", "", "lmdb"), &Row::p50_us), 2.2});
}

void add_writes(const Rows& rows, Budgets& budgets) {
  budgets.push_back(
      {"put in bursts / LevelDB's put",
       ratio(rows.find("put", "", kOurs), rows.find("put", "", "leveldb"), &Row::p50_us), 0.25});
  if (const Row* paced = rows.find("put_paced", "", kOurs)) {
    budgets.push_back({"paced put while evicting, p99 / p50", paced->p99_us / paced->p50_us, 20});
  }
  struct Bulk {
    const char* kind;
    double raw;
    double persistent_cache;
    double log_bytes;
  };
  for (const Bulk& bulk : {Bulk{"fresh", 0.7, 1, 900}, Bulk{"overwriting", 0.4, 1.5, 3'500}}) {
    const Row* row = rows.find("put_many", bulk.kind, kOurs);
    const Row* raw = rows.find("put_many", bulk.kind, "raw_sqlite");
    const Row* persistent = rows.find("put_many", bulk.kind, "persistent_cache_cpp");
    budgets.push_back({fmt::format("put_many of 1,000, {} / raw", bulk.kind),
                       ratio(row, raw, &Row::mean_us), bulk.raw});
    budgets.push_back({fmt::format("put_many of 1,000, {} / persistent-cache-cpp", bulk.kind),
                       ratio(row, persistent, &Row::mean_us), bulk.persistent_cache});
    if (const Row* log = rows.find("log_bytes", bulk.kind, kOurs)) {
      budgets.push_back(
          {fmt::format("log bytes a row, {}", bulk.kind), log->log_bytes, bulk.log_bytes});
    }
  }
  const Row* idle = rows.find("read_under_write_storm", "idle", kOurs);
  const Row* storm = rows.find("read_under_write_storm", "storm", kOurs);
  budgets.push_back({"get in a write storm, p99 / idle", ratio(storm, idle, &Row::p99_us), 3});
  budgets.push_back({"get in a write storm, p99.9 / idle", percentiles_999(storm, idle), 10});
}

void add_others(const Rows& rows, Budgets& budgets) {
  for (const char* variant : {"all hits", "all hits, no tier"}) {
    budgets.push_back({fmt::format("load, {} / its get_many", variant),
                       ratio(rows.find("load", variant, kOurs),
                             rows.find("load", variant, "ashmemo_get_many"), &Row::mean_us),
                       1.5});
  }
  budgets.push_back({"2 threads on one cache / on two, rate",
                     ratio(rows.find("two_threads", "one", kOurs),
                           rows.find("two_threads", "two", kOurs), &Row::ops_per_s),
                     0.9, true});
  for (const char* variant : {"memory", "file", "mixed"}) {
    const Row* two = with_threads(rows, variant, 2);
    const Row* most = with_threads(rows, variant, 16);
    budgets.push_back({fmt::format("16 threads / 2, {}, rate", variant),
                       ratio(most, two, &Row::ops_per_s), 0.9, true});
  }
  for (const Row* row : ours(rows, "open")) {
    budgets.push_back({at("open and first read / raw", *row),
                       ratio(row, rows.raw_row_for(*row), &Row::p50_us), 1.6});
  }
  // This budget is for the largest size. `add_growth` compares the sizes.
  const auto stats = ours(rows, "stats");
  if (!stats.empty()) {
    const Row* get = rows.find("stats", "", "lmdb_get", stats.back()->entries);
    budgets.push_back(
        {at("stats() / LMDB's get", *stats.back()), ratio(stats.back(), get, &Row::p50_us), 5});
  }
  // Each thread that reads has its own page cache, so the budget is for one reader.
  for (const std::string variant : {"", "and a writer"}) {
    for (const Row* row : ours(rows, "memory", variant)) {
      if (row->threads > 1) continue;
      constexpr double mebibyte = 1 << 20;
      const auto what = "MiB of memory, a reader" + (variant.empty() ? "" : ' ' + variant);
      budgets.push_back({at(what, *row), static_cast<double>(*row->bytes) / mebibyte,
                         variant.empty() ? 12.0 : 36.0});
    }
  }
}

/// Compares ashmemo at the largest size with ashmemo at a smaller size. Measurements vary from run
/// to run, so a cost counts as flat if it grows by at most half.
void add_growth(const Rows& rows, Budgets& budgets) {
  constexpr double flat = 1.5;
  const auto growth = [&](const char* scenario, const char* variant, std::size_t from,
                          double limit) {
    const auto sizes = ours(rows, scenario, variant);
    if (sizes.size() <= from) return;
    budgets.push_back({fmt::format("{} {}: {} entries / {}", scenario, variant,
                                   grouped(static_cast<std::int64_t>(sizes.back()->entries)),
                                   grouped(static_cast<std::int64_t>(sizes[from]->entries))),
                       ratio(sizes.back(), sizes[from], &Row::p50_us), limit});
  };
  growth("open", "", 0, flat);
  growth("stats", "", 0, flat);
  growth("version", "", 0, flat);
  growth("scale", "get_many of 100", 1, 2);
}

bool is_met(const Budget& budget) {
  return budget.at_least ? *budget.measured >= budget.limit : *budget.measured <= budget.limit;
}

}  // namespace

void print_budgets(const Rows& rows) {
  Budgets budgets;
  add_reads(rows, budgets);
  add_writes(rows, budgets);
  add_others(rows, budgets);
  add_growth(rows, budgets);
  std::erase_if(budgets, [](const Budget& budget) { return !budget.measured; });
  if (budgets.empty()) return;
  fmt::print("\n{:<56} {:>11} {:>10}\n", "budget", "goal", "measured");
  for (const Budget& budget : budgets) {
    fmt::print("{:<56} {:>3} {:>7.2f} {:>10.2f}  {}\n", budget.what,
               budget.at_least ? ">=" : "<=", budget.limit, *budget.measured,
               is_met(budget) ? "met" : "NOT met");
  }
  std::fflush(stdout);
}

}  // namespace ashmemo::bench
