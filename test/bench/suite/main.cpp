#include <algorithm>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "bench/program.hpp"
#include "bench/suite/bench.hpp"

// Compares ashmemo with plain SQLite and with other embedded key-value stores; see --help.

namespace ashmemo::bench {
namespace {

constexpr const char* kHow =
    "All systems are measured in one run, in short turns (A B C, B C A, ...). Each has its own "
    "file, filled in random order of the keys; TMPDIR chooses the disk. Operations of less than "
    "about 2 us are timed in blocks of 32, because reading the clock also takes time: their p50 "
    "and p99 are those of blocks. Keys are made outside of the timed part. Every value is copied "
    "and checked, and has a ttl of one day. The script pins the process to the first two "
    "processors that it may use, one for the caller and one for the worker, or to those in "
    "ASHMEMO_BENCH_CPUS.";

struct Arguments {
  Settings settings;
  std::vector<std::string> names;
  std::string json;
  std::string summary;
  std::string plot;
  std::string from;
  bool list = false;
  // The scenario `memory` runs this program again with these.
  std::string memory_of;
  std::string memory_in;
  std::size_t memory_readers = 1;
  bool memory_writing = false;
};

void check_name(const std::string& name) {
  const auto all = scenarios();
  if (std::any_of(all.begin(), all.end(), [&](const Scenario& one) { return one.name == name; })) {
    return;
  }
  throw CLI::ValidationError(fmt::format("unknown scenario: '{}' (see --list)", name));
}

void list() {
  for (const Scenario& scenario : scenarios()) {
    fmt::print("{:<23} {}\n", scenario.name, scenario.description);
  }
}

/// Aligns the other lines with the first.
std::string indented(std::string text) {
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    text.insert(at + 1, 22, ' ');
  }
  return text;
}

void print_head() {
  const char* pinned = std::getenv("ASHMEMO_BENCH_CPUS");
  fmt::print("{}\n\n", pinned == nullptr ? std::string("not pinned to processors")
                                         : fmt::format("pinned to processors {}", pinned));
  for (const SystemType& type : system_types()) {
    fmt::print(
        "{:<21} {}\n", type.name,
        type.open == nullptr ? "skipped: its library is not installed" : indented(type.settings));
  }
  fmt::print("\n");
}

bool is_wanted(const Scenario& scenario, const std::vector<std::string>& names) {
  return names.empty() || std::find(names.begin(), names.end(), scenario.name) != names.end();
}

/// Runs one scenario. If it fails, the results of the other scenarios remain.
bool run_scenario(const Scenario& scenario, Bench& bench) {
  bench.begin(scenario.name);
  const std::size_t before = bench.rows().all().size();
  bool done = true;
  try {
    scenario.run(bench);
  } catch (const std::exception& error) {
    bench.note(fmt::format("{} FAILED: {}", scenario.name, error.what()));
    done = false;
  }
  bench.end();
  print_table_rows(bench.rows(), before);
  return done;
}

/// Prints and writes what depends on all results. The JSON file is first, because the others can be
/// made from it.
void report(const Rows& rows, const Arguments& arguments) {
  print_budgets(rows);
  if (!arguments.json.empty()) write_json(rows, arguments.json);
  if (!arguments.summary.empty()) write_summary(rows, arguments.summary);
  if (!arguments.plot.empty()) write_plot(rows, arguments.plot);
}

/// Reports the results of an earlier run.
void report_again(const Arguments& arguments) {
  const Rows rows = read_json(arguments.from);
  print_table_head();
  print_table_rows(rows, 0);
  print_table_foot();
  report(rows, arguments);
}

void run(const Arguments& arguments) {
  if (arguments.list) return list();
  if (!arguments.from.empty()) return report_again(arguments);
  if (!arguments.memory_of.empty()) {
    return print_anonymous_bytes(arguments.memory_of, arguments.memory_in, arguments.settings,
                                 arguments.memory_readers, arguments.memory_writing);
  }
  for (const std::string& name : arguments.names) check_name(name);
  print_head();
  Bench bench(arguments.settings);
  print_table_head();
  bool failed = false;
  for (const Scenario& scenario : scenarios()) {
    if (is_wanted(scenario, arguments.names)) failed |= !run_scenario(scenario, bench);
  }
  print_table_foot();
  for (const std::string& note : bench.notes()) fmt::print("{}\n", note);
  report(bench.rows(), arguments);
  if (failed) throw std::runtime_error("a scenario failed");
}

void add_options(CLI::App& app, Arguments& arguments) {
  Settings& settings = arguments.settings;
  app.add_option("scenario", arguments.names, "scenarios to run; default: all (see --list)");
  app.add_flag("--list", arguments.list, "print the scenarios with a description");
  app.add_option("--entries", settings.entries,
                 "entries in the file; above 1,000,000 also an additional size for open and scale")
      ->check(CLI::Range(1'000, 100'000'000))
      ->capture_default_str();
  app.add_option("--value", settings.value_bytes, "bytes per value")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "seconds for each system and measurement")
      ->check(CLI::Range(0.01, 3'600.0))
      ->capture_default_str();
  app.add_option("--json", arguments.json,
                 "write the results to this file, one JSON object per line");
  app.add_option("--summary", arguments.summary,
                 "write a Markdown table of the main results to this file");
  app.add_option("--plot", arguments.plot,
                 "draw the ratios of that table with gnuplot and write them to this SVG file");
  app.add_option("--from", arguments.from,
                 "measure nothing, and report the results in this file of --json")
      ->check(CLI::ExistingFile);
  app.add_flag("--smoke", settings.smoke, "very small sizes, only to see that the benchmark works");
  app.add_option("--memory-of", arguments.memory_of)->group("");
  app.add_option("--memory-in", arguments.memory_in)->group("");
  app.add_option("--memory-readers", arguments.memory_readers)->group("");
  app.add_flag("--memory-writing", arguments.memory_writing)->group("");
  app.footer(kHow);
}

/// Sets the small defaults of a smoke run.
void make_small(const CLI::App& app, Settings& settings) {
  if (!settings.smoke) return;
  if (app.count("--entries") == 0) settings.entries = 2'000;
  if (app.count("--seconds") == 0) settings.seconds = 0.02;
}

}  // namespace
}  // namespace ashmemo::bench

int main(int argc, char** argv) {
  CLI::App app("Compares ashmemo with plain SQLite and other embedded stores.", "run");
  ashmemo::bench::Arguments arguments;
  arguments.settings.program = argv[0];
  ashmemo::bench::add_options(app, arguments);
  return ashmemo::bench::run_program(app, argc, argv, [&] {
    ashmemo::bench::make_small(app, arguments.settings);
    ashmemo::bench::run(arguments);
  });
}
