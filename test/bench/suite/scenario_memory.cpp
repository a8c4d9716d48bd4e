#include <stdio.h>

#include <fstream>

#include <fmt/format.h>

#include "bench/suite/bench.hpp"
#include "bench/suite/system_ashmemo.hpp"

// Anonymous memory, asked of a process that did nothing else: this one has the keys of other
// scenarios and what their files left behind.

namespace ashmemo::bench {
namespace {

constexpr std::size_t kEntries = 1'000'000;
constexpr std::size_t kReads = 200'000;

/// As the system counts it; 0 where it does not say.
std::int64_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  std::string name;
  while (status >> name) {
    std::int64_t kibibytes = 0;
    if (name == "RssAnon:" && status >> kibibytes) return kibibytes * 1024;
    status.ignore(1 << 20, '\n');
  }
  return 0;
}

std::int64_t ask_child(const std::string& command) {
  FILE* const answer = popen(command.c_str(), "r");
  require(answer != nullptr, "could not start the program that is measured");
  long long bytes = 0;
  const bool read = fscanf(answer, "%lld", &bytes) == 1;
  require(pclose(answer) == 0 && read, "the program that is measured has failed");
  return bytes;
}

std::string quoted(const std::string& text) { return fmt::format("'{}'", text); }

}  // namespace

void print_anonymous_bytes(std::string_view system, const std::string& directory,
                           const Settings& settings) {
  const Setup setup{
      .entries = settings.entries, .value_bytes = settings.value_bytes, .tier_bytes = 0};
  const auto opened = system_type(system).open(directory, setup);
  const auto reader = opened->reader();
  KeyBlock block(uniform(setup.entries), kBatch);
  for (std::size_t done = 0; done < std::min(kReads, setup.entries); done += kBatch) {
    const auto keys = block.next();
    for (const std::string_view key : keys.first(kBatch / 2)) (void)reader->get(key);
    (void)reader->get_many(keys.subspan(kBatch / 2));
  }
  fmt::print("{}\n", anonymous_bytes());
}

void memory(Bench& bench) {
  const std::size_t entries = bench.smaller(kEntries);
  for (const SystemType* type : {&kAshmemo, &kRawSqlite}) {
    const auto directory = bench.files().copy(*type, entries);
    Row row = bench.row("memory", "", type->name, entries);
    row.bytes = ask_child(fmt::format("{} --memory-of {} --memory-in {} --entries {} --value {}",
                                      quoted(bench.settings().program), type->name,
                                      quoted(directory->path()), entries, row.value_bytes));
    bench.rows().add(row);
  }
}

}  // namespace ashmemo::bench
