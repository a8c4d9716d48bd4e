#include "bench/suite/bench.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>

namespace ashmemo::bench {
namespace {

// Of a smoke run, the sizes are divided by this.
constexpr std::size_t kSmaller = 100;

std::vector<SystemType> systems_to_be_had() {
  std::vector<SystemType> all;
  for (const SystemType& type : system_types()) {
    if (type.open != nullptr) all.push_back(type);
  }
  return all;
}

}  // namespace

std::span<const Scenario> scenarios() {
  static constexpr std::array all{
      Scenario{"hit_memory", "single gets that the memory tier can answer, uniform; also at 10,000",
               hit_memory},
      Scenario{"hit_store", "single gets, uniform, memory tier off", hit_store},
      Scenario{"zipf", "single gets, Zipf(0.99); a memory tier of a tenth of the data, and none",
               zipf_reads},
      Scenario{"get_many", "1 to 10,000 keys in one call, uniform, memory tier off", get_many},
      Scenario{"put", "single puts in bursts that fit the queue, flushed between them", put},
      Scenario{"put_paced", "single puts at half the sustained rate while each evicts another",
               put_paced},
      Scenario{"put_many", "1,000 a batch until they are in the file: fresh, and overwriting",
               put_many},
      Scenario{"touch", "marking single entries as read", touch},
      Scenario{"load", "2 calculations for 10,000 records: all hits, and 10 % misses", load},
      Scenario{"mixed", "95 % get, 5 % put, uniform, by 1, 2, 4 and 8 threads", mixed},
      Scenario{"two_threads", "2 threads reading from memory: one cache, and two", two_threads},
      Scenario{"read_under_write_storm",
               "single gets, memory tier off: idle, and while puts at half the rate evict",
               read_under_write_storm},
      Scenario{"open", "opening after a clean close, and the first read", open_and_read},
      Scenario{"stats", "stats(), against a get of LMDB", stats},
      Scenario{"version", "raising a calculation's version, until it is committed", version},
      Scenario{"memory", "anonymous memory after opening and reading, memory tier off", memory},
      Scenario{"scale", "hit_store, get_many and put_many with a page cache in proportion", scale},
      Scenario{"tuning", "what memory, page caches, durability and secure erasing cost and bring",
               tuning},
  };
  return all;
}

Bench::Bench(Settings settings)
    : settings_(std::move(settings)),
      watched_(std::getenv("ASHMEMO_WATCHED") != nullptr),
      systems_(systems_to_be_had()),
      files_(settings_.value_bytes, [this](const std::string& what) { notify(what); }) {}

// A line that is written over, if somebody is looking.
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
  return settings_.smoke ? std::max<std::size_t>(number / kSmaller, 1) : number;
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
    set_times(row, lane.latencies, lane.operations);
    rows_.add(std::move(row));
  }
}

}  // namespace ashmemo::bench
