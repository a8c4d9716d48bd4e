#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/program.hpp"
#include "bench/replay.hpp"
#include "bench/trace.hpp"

// Measures the hit ratio of a real cache on a real file for a recorded trace of requests, for each
// given eviction policy and capacity.

namespace ashmemo::bench {
namespace {

struct Arguments {
  std::vector<std::string> policies;
  std::vector<std::string> capacities;
  bool by_bytes = false;
  bool in_memory = false;
  std::int64_t ttl_seconds = 0;
  std::int64_t requests_per_version = 0;
  bool json = false;
  std::vector<std::string> traces;
};

// The names of all policies. The enum has a name for each number up to the last one.
std::vector<std::string> known_policies() {
  std::vector<std::string> names;
  for (int number = 0; to_string(Eviction(number)) != "?"; ++number) {
    names.emplace_back(to_string(Eviction(number)));
  }
  return names;
}

Eviction parse_policy(const std::string& text) {
  if (const auto policy = eviction_from(text)) return *policy;
  throw CLI::ValidationError("--policy", fmt::format("unknown policy: '{}' (known: {})", text,
                                                     fmt::join(known_policies(), " ")));
}

// Not `strtod`, because its result depends on the locale.
double parse_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

Capacity parse_capacity(const std::string& text) {
  const bool is_share = text.ends_with('%');
  const double number =
      parse_number(std::string_view(text).substr(0, text.size() - (is_share ? 1 : 0)));
  if (is_share && number > 0 && number <= 100) return {.share = number / 100};
  if (!is_share && number >= 1 && number <= 1e15) {
    return {.amount = static_cast<std::int64_t>(number)};
  }
  throw CLI::ValidationError("--capacity", "not a share (10%) or a number: '" + text + "'");
}

void declare(CLI::App& app, Arguments& arguments) {
  app.add_option("--policy", arguments.policies,
                 fmt::format("{}, or a list: fifo,lru", fmt::join(known_policies(), ", ")))
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--capacity", arguments.capacities,
                 "a share of all keys of the trace (10%) or a number, or a list: 1%,10%")
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_flag(
      "--bytes", arguments.by_bytes,
      "the capacity counts bytes in the file, and values have the sizes in the trace; otherwise "
      "the capacity counts entries, and every value has 100 bytes");
  CLI::Option* const memory = app.add_flag(
      "--memory", arguments.in_memory,
      "measure the memory tier in front of a file that contains all entries; the capacity is "
      "a share of the memory that copies of all entries need");
  app.add_option("--ttl", arguments.ttl_seconds,
                 "seconds that a value lives, with one request a second; default: for ever")
      ->check(CLI::PositiveNumber)
      ->excludes(memory);
  app.add_option("--change-after", arguments.requests_per_version,
                 "a key changes after this number of its requests, so that its next request is a "
                 "miss and overwrites a live value; default: never")
      ->check(CLI::PositiveNumber)
      ->excludes(memory);
  app.add_flag("--json", arguments.json, "print one JSON object per line instead of the table");
  app.add_option("TRACE", arguments.traces,
                 "a file with lines of 'key' or 'key size', plain or gzip")
      ->required()
      ->check(CLI::ExistingFile);
}

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

nlohmann::ordered_json to_json(const Trace& trace, const Setting& setting, const Result& result) {
  return {{"trace", trace.name},
          {"policy", to_string(setting.policy)},
          {"by", setting.by_bytes ? "bytes" : "entries"},
          {"capacity", result.capacity},
          {"requests", result.requests},
          {"hits", result.hits},
          {"requested_bytes", result.requested_bytes},
          {"hit_bytes", result.hit_bytes},
          {"peak_entries", result.peak_entries},
          {"evictions", result.evictions},
          {"expired", result.expired},
          {"overwrites", result.overwrites},
          {"touches_written", result.touches_written},
          {"touches_dropped", result.touches_dropped},
          {"bytes_written", result.bytes_written},
          {"seconds", result.seconds}};
}

class Output {
 public:
  Output(bool json, const std::vector<Trace>& traces) : json_(json) {
    for (const Trace& trace : traces) name_width_ = std::max(name_width_, trace.name.size());
    if (!json_) {
      fmt::print(
          "{:{}}  {:6} {:>11} {:>10} {:>10} {:>7} {:>7} {:>10} {:>10} {:>10} {:>10} {:>7} {:>14} "
          "{:>8}\n",
          "trace", name_width_, "policy", "capacity", "requests", "hits", "hits %", "bytes %",
          "evictions", "expired", "overwrites", "touches", "dropped", "bytes written", "seconds");
    }
  }

  void add(const Trace& trace, const Setting& setting, const Result& result) const {
    if (json_) {
      fmt::print("{}\n", to_json(trace, setting, result).dump());
    } else {
      fmt::print(
          "{:{}}  {:6} {:11} {:10} {:10} {:7.2f} {:7.2f} {:10} {:10} {:10} {:10} {:7} {:14} "
          "{:8.1f}\n",
          trace.name, name_width_, to_string(setting.policy), result.capacity, result.requests,
          result.hits, 100 * ratio(result.hits, result.requests),
          100 * ratio(result.hit_bytes, result.requested_bytes), result.evictions, result.expired,
          result.overwrites, result.touches_written, result.touches_dropped, result.bytes_written,
          result.seconds);
    }
    std::fflush(stdout);
  }

 private:
  bool json_;
  std::size_t name_width_ = 5;
};

// One line that is overwritten. Printed only if standard error is a terminal.
class ProgressLine {
 public:
  void show(const Trace& trace, const Setting& setting, double share) const {
    if (!is_terminal_) return;
    fmt::print(stderr, "\r{} {} {:3.0f}%\x1b[K", trace.name, to_string(setting.policy),
               100 * share);
  }
  void clear() const {
    if (is_terminal_) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  bool is_terminal_ = isatty(STDERR_FILENO) == 1;
};

void run_in_memory(const Arguments& arguments, const std::vector<Trace>& traces) {
  for (const Trace& trace : traces) {
    for (const std::string& text : arguments.capacities) {
      const MemoryResult result = replay_in_memory(trace, parse_capacity(text).share);
      if (arguments.json) {
        fmt::print("{}\n", nlohmann::ordered_json{{"trace", trace.name},
                                                  {"memory_bytes", result.memory_bytes},
                                                  {"peak_entries", result.peak_entries},
                                                  {"requests", result.requests},
                                                  {"hits", result.hits}}
                               .dump());
      } else {
        fmt::print("{:16} {:>4}  {:>11} bytes  {:>8} entries  {:>10} requests  {:6.2f} % hits\n",
                   trace.name, text, grouped(result.memory_bytes), grouped(result.peak_entries),
                   grouped(result.requests), 100 * ratio(result.hits, result.requests));
      }
      std::fflush(stdout);
    }
  }
}

void run(const Arguments& arguments) {
  if (arguments.policies.empty() && !arguments.in_memory) {
    throw CLI::RequiredError("--policy");
  }
  std::vector<Setting> settings;
  for (const std::string& capacity : arguments.capacities) {
    for (const std::string& policy : arguments.policies) {
      settings.push_back({parse_policy(policy), parse_capacity(capacity), arguments.by_bytes,
                          arguments.ttl_seconds, arguments.requests_per_version});
    }
  }
  std::vector<Trace> traces;
  for (const std::string& path : arguments.traces) traces.push_back(read_trace(path));

  if (arguments.in_memory) return run_in_memory(arguments, traces);
  const ProgressLine line;
  const Output output(arguments.json, traces);
  for (const Trace& trace : traces) {
    for (const Setting& setting : settings) {
      const Result result =
          replay(trace, setting, [&](double share) { line.show(trace, setting, share); });
      line.clear();
      output.add(trace, setting, result);
    }
  }
}

}  // namespace
}  // namespace ashmemo::bench

int main(int argc, char** argv) {
  CLI::App app("Replays request traces through a real cache and prints its hit ratio.",
               "hit_ratio");
  ashmemo::bench::Arguments arguments;
  ashmemo::bench::declare(app, arguments);
  return ashmemo::bench::run_program(app, argc, argv, [&] { ashmemo::bench::run(arguments); });
}
