#include <stdio.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/suite/bench.hpp"
#include "bench/suite/system_ashmemo.hpp"

// The peak of anonymous memory: of one reader, of one reader with a writer, and of four readers
// with a writer. A new process is measured, because this process has memory of other scenarios.

namespace ashmemo::bench {
namespace {

constexpr std::size_t kEntries = 1'000'000;
constexpr std::size_t kReads = 200'000;  // per thread
constexpr std::size_t kWrites = 200'000;

/// The anonymous memory as Linux counts it. 0 on other systems.
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

/// The largest measured value. Threads: any.
class Peak {
 public:
  void measure() {
    const std::int64_t now = anonymous_bytes();
    std::int64_t peak = bytes_;
    while (peak < now && !bytes_.compare_exchange_weak(peak, now)) {
    }
  }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

 private:
  std::atomic<std::int64_t> bytes_{0};
};

std::int64_t run_child(const std::string& command) {
  FILE* const answer = popen(command.c_str(), "r");
  require(answer != nullptr, "could not start the measured process");
  long long bytes = 0;
  const bool read = fscanf(answer, "%lld", &bytes) == 1;
  require(pclose(answer) == 0 && read, "the measured process failed");
  return bytes;
}

std::string quoted(const std::string& text) { return fmt::format("'{}'", text); }

void read_some(System& system, const Setup& setup, std::uint64_t seed, Peak& peak) {
  const auto reader = system.reader();
  KeyBlock block(uniform(setup.entries, seed), kBatch);
  for (std::size_t done = 0; done < std::min(kReads, setup.entries); done += kBatch) {
    const auto keys = block.next();
    for (const std::string_view key : keys.first(kBatch / 2)) (void)reader->get(key);
    (void)reader->get_many(keys.subspan(kBatch / 2));
    peak.measure();
  }
}

void write_some(System& system, const Setup& setup, Peak& peak) {
  PairBlock block(uniform(setup.entries), kBatch, setup.value_bytes);
  for (std::size_t done = 0; done < std::min(kWrites, setup.entries); done += kBatch) {
    const auto pairs = block.next();
    for (const Pair& pair : pairs.first(kBatch / 2)) system.put(pair.first, pair.second);
    system.put_many(pairs.subspan(kBatch / 2));
    peak.measure();
  }
  system.flush();
}

void work(System& system, const Setup& setup, std::size_t readers, bool writing, Peak& peak) {
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < readers; ++i) {
    threads.emplace_back([&, i] { read_some(system, setup, i + 1, peak); });
  }
  if (writing) threads.emplace_back([&] { write_some(system, setup, peak); });
  read_some(system, setup, 1, peak);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

void print_anonymous_bytes(std::string_view system, const std::string& directory,
                           const Settings& settings, std::size_t readers, bool writing) {
  const Setup setup{
      .entries = settings.entries, .value_bytes = settings.value_bytes, .tier_bytes = 0};
  const auto opened = system_type(system).open(directory, setup);
  Peak peak;
  work(*opened, setup, readers, writing, peak);
  fmt::print("{}\n", peak.bytes());
}

void memory(Bench& bench) {
  const std::size_t entries = bench.smaller(kEntries);
  const auto add = [&](const SystemType& type, std::size_t readers, bool writing) {
    const auto directory = bench.files().copy(type, entries);
    Row row = bench.row("memory", writing ? "and a writer" : "", type.name, entries);
    row.threads = readers;
    row.bytes = run_child(fmt::format(
        "{} --memory-of {} --memory-in {} --entries {} --value {} --memory-readers {}{}",
        quoted(bench.settings().program), type.name, quoted(directory->path()), entries,
        row.value_bytes, readers, writing ? " --memory-writing" : ""));
    bench.rows().add(row);
  };
  for (const SystemType* type : {&kAshmemo, &kRawSqlite}) add(*type, 1, false);
  for (const std::size_t readers : {std::size_t{1}, std::size_t{4}}) {
    for (const SystemType* type : {&kAshmemo, &kRawSqlite}) add(*type, readers, true);
  }
}

}  // namespace ashmemo::bench
