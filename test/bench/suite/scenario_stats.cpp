#include <chrono>

#include <fmt/format.h>

#include <ashmemo/cache.hpp>

#include "bench/suite/bench.hpp"
#include "bench/suite/sqlite_connection.hpp"
#include "bench/suite/system_ashmemo.hpp"

// Operations whose cost should not depend on the number of entries.

namespace ashmemo::bench {
namespace {

constexpr int kOpenings = 400;

/// Times opening and the first read, but not closing.
Lane open_lane(const SystemType& type, const ScratchDirectory& directory, const Setup& setup) {
  auto block = std::make_shared<KeyBlock>(uniform(setup.entries), 1);
  return {.system = type.name, .block = [&type, &directory, setup, block] {
            const std::string_view key = block->next().front();
            std::unique_ptr<System> system;
            std::unique_ptr<Reader> reader;
            std::optional<std::string> value;
            const Nanoseconds took = timed([&] {
              system = type.open(directory.path(), setup);
              reader = system->reader();
              value = reader->get(key);
            });
            require(value && is_right(key, *value, setup.value_bytes), "an entry is missing");
            return took;
          }};
}

void open_at(Bench& bench, std::size_t entries) {
  const Setup setup = bench.setup(entries);
  std::vector<std::unique_ptr<ScratchDirectory>> directories;
  std::vector<Lane> lanes;
  for (const SystemType* type : {&kAshmemo, &kRawSqlite}) {
    directories.push_back(bench.files().copy(*type, entries));
    lanes.push_back(open_lane(*type, *directories.back(), setup));
  }
  for (const auto& directory : directories)
    warm(*directory);  // later fills may have replaced it in the page cache
  warm_up(lanes, 0);
  bench.measure_rows(bench.row("open", "", "", entries), lanes,
                     {.count = static_cast<int>(bench.smaller(kOpenings)) + 2});
}

Lane count_lane(const Contestant& contestant) {
  return {.system = contestant.name(), .operations = kBlock, .block = [&contestant] {
            return timed([&] {
              for (std::size_t i = 0; i < kBlock; ++i) {
                require(contestant->count() > 0, "the entries were not counted");
              }
            });
          }};
}

void stats_at(Bench& bench, std::size_t entries) {
  const Setup setup = bench.setup(entries);
  std::vector<Contestant> contestants;
  for (const SystemType* type : {&kAshmemo, &kRawSqlite, &kLmdb}) {
    if (type->open != nullptr) contestants.push_back(bench.files().open_filled(*type, setup));
  }
  std::vector<Lane> lanes;
  for (const Contestant& contestant : contestants) lanes.push_back(count_lane(contestant));
  if (kLmdb.open != nullptr) {
    lanes.push_back(get_lane(contestants.back(), uniform(entries), setup.value_bytes));
    lanes.back().system = "lmdb_get";
  }
  warm_up(lanes, 0);
  bench.measure_rows(bench.row("stats", "", "", entries), lanes, bench.rounds());
}

}  // namespace

void open_and_read(Bench& bench) {
  for (const std::size_t entries : bench.sizes()) open_at(bench, entries);
}

void stats(Bench& bench) {
  for (const std::size_t entries : {bench.smaller(10'000), bench.settings().entries}) {
    stats_at(bench, entries);
  }
}

}  // namespace ashmemo::bench
