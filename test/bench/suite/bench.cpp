#include "bench/suite/bench.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>

namespace ashmemo::bench {
namespace {

// A smoke run divides the sizes by this.
constexpr std::size_t kSmokeDivisor = 100;

std::vector<SystemType> available_systems() {
  std::vector<SystemType> all;
  for (const SystemType& type : system_types()) {
    if (type.open != nullptr) all.push_back(type);
  }
  return all;
}

}  // namespace

std::span<const Scenario> scenarios() {
  static constexpr std::array all{
      Scenario{"hit_memory",
               "single gets answered by the memory tier, uniform; also with 10,000 entries",
               hit_memory},
      Scenario{
          "hit_store",
          "single gets, uniform, memory tier off; ashmemo and plain SQLite also with 1,000,000 "
          "entries",
          hit_store},
      Scenario{"miss", "single gets of keys that were never stored, uniform", miss},
      Scenario{"zipf",
               "single gets, Zipf(0.99); with a memory tier of a tenth of the data and without",
               zipf_reads},
      Scenario{"get_many", "1 to 10,000 keys in one call, uniform, memory tier off", get_many},
      Scenario{"page",
               "get_many of 100 records with random ids that were stored together, memory tier off",
               page},
      Scenario{"put",
               "single puts: in bursts that fit the queue, each in the file, and each synced", put},
      Scenario{"put_paced", "single puts at half the sustained rate; each put evicts another entry",
               put_paced},
      Scenario{"put_many",
               "batches of 1,000, new keys and existing keys: until they are in the file, and "
               "each synced",
               put_many},
      Scenario{"log_bytes", "bytes that put_many writes to the write-ahead log for a row",
               log_bytes},
      Scenario{"touch", "single calls that mark an entry as read", touch},
      Scenario{"load", "2 calculations for 10,000 records: all hits, and 10 % misses", load},
      Scenario{"mixed", "95 % get, 5 % put, uniform, by 1, 2, 4 and 8 threads", mixed},
      Scenario{"threads",
               "single gets by 1, 2, 4, 8 and 16 threads: from memory, from the file, and mixed",
               threads},
      Scenario{"two_threads", "2 threads that read from memory: on one cache and on two caches",
               two_threads},
      Scenario{"read_under_write_storm",
               "single gets, memory tier off: idle and during puts that evict",
               read_under_write_storm},
      Scenario{"open", "opening after a clean close, with the first read", open_and_read},
      Scenario{"stats", "stats(), compared with a get of LMDB", stats},
      Scenario{"version", "raising the version of a calculation, until it is committed", version},
      Scenario{"memory", "peak of anonymous memory for readers and writers, memory tier off",
               memory},
      Scenario{"scale", "get, get_many and put_many, page cache in proportion to the entries",
               scale},
      Scenario{"tuning", "different memory, hints, page caches, durability and secure erasing",
               tuning},
  };
  return all;
}

Bench::Bench(Settings settings)
    : settings_(std::move(settings)),
      watched_(std::getenv("ASHMEMO_WATCHED") != nullptr),
      systems_(available_systems()),
      files_(settings_.value_bytes, [this](const std::string& what) { notify(what); }) {}

std::vector<SystemType> Bench::systems_that_survive(Survives worst) const {
  std::vector<SystemType> able;
  for (const SystemType& type : systems_) {
    if (type.most >= worst) able.push_back(type);
  }
  return able;
}

// One line that is overwritten, if the user watches the run on a terminal.
void Bench::notify(const std::string& what) const {
  if (watched_) fmt::print(stderr, "\r\033[K{}", what);
}

void Bench::begin(std::string_view scenario) const {
  if (watched_) return notify(std::string(scenario));
  fmt::print(stderr, "{}\n", scenario);
}

void Bench::end() const {
  if (watched_) fmt::print(stderr, "\r\033[K");
}

std::size_t Bench::smaller(std::size_t number) const {
  return settings_.smoke ? std::max<std::size_t>(number / kSmokeDivisor, 1) : number;
}

std::vector<std::size_t> Bench::sizes() const {
  std::vector<std::size_t> all{smaller(10'000), smaller(100'000), smaller(1'000'000)};
  if (settings_.entries > all.back()) all.push_back(settings_.entries);
  return all;
}

Row Bench::row(std::string_view scenario, std::string_view variant, std::string_view system,
               std::size_t entries) const {
  Row row;
  row.scenario = scenario;
  row.variant = variant;
  row.system = system;
  row.entries = entries;
  row.value_bytes = settings_.value_bytes;
  return row;
}

void Bench::measure_rows(const Row& like, std::span<Lane> lanes, const Rounds& rounds) {
  notify(fmt::format("{} {}: measuring", like.scenario, like.variant));
  measure(lanes, rounds);
  for (Lane& lane : lanes) {
    Row row = like;
    row.system = lane.system;
    row.survives = lane.survives;
    set_times(row, lane.latencies, lane.operations);
    rows_.add(std::move(row));
  }
}

}  // namespace ashmemo::bench
