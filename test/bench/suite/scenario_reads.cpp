#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "bench/program.hpp"
#include "bench/suite/bench.hpp"
#include "bench/suite/system_ashmemo.hpp"

// Reading single entries and batches of them.

namespace ashmemo::bench {
namespace {

constexpr std::size_t kFewEntries = 10'000;
constexpr std::array<std::size_t, 5> kBatchSizes{1, 10, 100, 1'000, 10'000};
constexpr const char* kWithoutTier = "ashmemo_no_tier";

/// These systems with the same entries.
std::vector<Contestant> open_all(Bench& bench, const Setup& setup,
                                 std::span<const SystemType> types) {
  std::vector<Contestant> all;
  for (const SystemType& type : types) {
    all.push_back(bench.files().open_filled(type, setup));
  }
  return all;
}

void warm_up_reads(Bench& bench, std::span<Lane> lanes) {
  warm_up(lanes, bench.settings().seconds / 4);
}

/// Single gets of keys that were never stored. They are between stored keys in the order of keys.
Lane miss_lane(const Contestant& contestant, const Chooser& choose) {
  auto reader = std::shared_ptr<Reader>(contestant->reader());
  return {.system = contestant.name(),
          .operations = kBlock,
          .block = [reader, block = KeyBlock(choose, kBlock, "title")]() mutable {
            const auto keys = block.next();
            std::size_t found = 0;
            const Nanoseconds took = timed([&] {
              for (const std::string_view key : keys) found += reader->get(key) ? 1U : 0U;
            });
            require(found == 0, "a key that was never stored has a value");
            return took;
          }};
}

void single_gets(Bench& bench, const char* scenario, const Setup& setup,
                 std::span<const SystemType> types) {
  const auto contestants = open_all(bench, setup, types);
  std::vector<Lane> lanes;
  for (const Contestant& contestant : contestants) {
    bench.notify(fmt::format("{}: warming up {}", scenario, contestant.name()));
    if (setup.tier_bytes != 0) read_all(*contestant, setup.entries);
    lanes.push_back(get_lane(contestant, uniform(setup.entries), setup.value_bytes));
  }
  warm_up_reads(bench, lanes);
  bench.measure_rows(bench.row(scenario, "", "", setup.entries), lanes, bench.rounds());
}

void batches(Bench& bench, std::span<const Contestant> contestants, const Setup& setup,
             std::size_t keys) {
  std::vector<Lane> lanes;
  for (const Contestant& contestant : contestants) {
    lanes.push_back(get_many_lane(contestant, uniform(setup.entries), keys, setup.value_bytes));
  }
  warm_up_reads(bench, lanes);
  const std::string variant = fmt::format("{} keys", grouped(static_cast<std::int64_t>(keys)));
  bench.measure_rows(bench.row("get_many", variant, "", setup.entries), lanes, bench.rounds());
}

}  // namespace

Lane get_lane(const Contestant& contestant, const Chooser& choose, std::size_t value_bytes) {
  auto reader = std::shared_ptr<Reader>(contestant->reader());
  return {.system = contestant.name(),
          .operations = kBlock,
          .block = [reader, value_bytes, block = KeyBlock(choose, kBlock)]() mutable {
            const auto keys = block.next();
            std::size_t right = 0;
            const Nanoseconds took = timed([&] {
              for (const std::string_view key : keys) {
                const auto value = reader->get(key);
                right += value && is_right(key, *value, value_bytes) ? 1U : 0U;
              }
            });
            require(right == keys.size(), "an entry is missing or wrong");
            return took;
          }};
}

Lane get_many_lane(const Contestant& contestant, const Chooser& choose, std::size_t keys,
                   std::size_t value_bytes) {
  auto reader = std::shared_ptr<Reader>(contestant->reader());
  // Several small batches are timed together in one block.
  const std::size_t batches = std::max<std::size_t>(kBlock / keys, 1);
  return {.system = contestant.name(),
          .operations = batches * keys,
          .block = [=, block = KeyBlock(choose, batches * keys)]() mutable {
            const auto all = block.next();
            std::size_t right = 0;
            const Nanoseconds took = timed([&] {
              for (std::size_t i = 0; i < batches; ++i) {
                const auto some = all.subspan(i * keys, keys);
                right += count_right(some, reader->get_many(some), value_bytes);
              }
            });
            require(right == all.size(), "an entry is missing");
            return took;
          }};
}

void read_all(System& system, std::size_t entries) {
  const auto reader = system.reader();
  // Twice, because a memory tier may keep only entries that are read again.
  for (int pass = 0; pass < 2; ++pass) {
    KeyBlock block(ascending(0), kBatch);
    for (std::size_t done = 0; done < entries; done += kBatch) {
      (void)reader->get_many(block.next().first(std::min(kBatch, entries - done)));
    }
  }
}

void hit_memory(Bench& bench) {
  for (const std::size_t entries : {bench.smaller(kFewEntries), bench.settings().entries}) {
    Setup setup = bench.setup(entries);
    setup.tier_bytes = tier_for_all(setup);
    single_gets(bench, "hit_memory", setup, bench.systems());
  }
}

void hit_store(Bench& bench) {
  Setup setup = bench.setup(bench.settings().entries);
  setup.tier_bytes = 0;
  single_gets(bench, "hit_store", setup, bench.systems());
  // The other systems would need a long time to be filled.
  constexpr std::size_t many = 1'000'000;
  const std::array few_systems{kAshmemo, kRawSqlite};
  setup.entries = bench.smaller(many);
  if (setup.entries > bench.settings().entries) single_gets(bench, "hit_store", setup, few_systems);
}

void miss(Bench& bench) {
  const Setup setup = bench.setup(bench.settings().entries);
  const auto contestants = open_all(bench, setup, bench.systems());
  std::vector<Lane> lanes;
  for (const Contestant& contestant : contestants) {
    bench.notify(fmt::format("miss: warming up {}", contestant.name()));
    read_all(*contestant, setup.entries);
    lanes.push_back(miss_lane(contestant, uniform(setup.entries)));
  }
  warm_up_reads(bench, lanes);
  bench.measure_rows(bench.row("miss", "", "", setup.entries), lanes, bench.rounds());
}

void zipf_reads(Bench& bench) {
  Setup setup = bench.setup(bench.settings().entries);
  setup.tier_bytes = tier_for_a_tenth(setup);
  auto contestants = open_all(bench, setup, bench.systems());
  setup.tier_bytes = 0;
  contestants.push_back(bench.files().open_filled(kAshmemo, setup));
  std::vector<Lane> lanes;
  for (const Contestant& contestant : contestants) {
    lanes.push_back(get_lane(contestant, zipf(setup.entries), setup.value_bytes));
  }
  lanes.back().system = kWithoutTier;
  warm_up(lanes, bench.settings().seconds);
  bench.measure_rows(bench.row("zipf", "", "", setup.entries), lanes, bench.rounds());
}

void get_many(Bench& bench) {
  Setup setup = bench.setup(bench.settings().entries);
  setup.tier_bytes = 0;
  const auto contestants = open_all(bench, setup, bench.systems());
  for (const std::size_t keys : kBatchSizes) {
    batches(bench, contestants, setup, keys);
  }
}

void touch(Bench& bench) {
  const Setup setup = bench.setup(bench.settings().entries);
  std::vector<Contestant> contestants;
  for (const SystemType& type : bench.systems()) {
    if (type.touches) contestants.push_back(bench.files().open_filled(type, setup));
  }
  std::vector<Lane> lanes;
  for (const Contestant& contestant : contestants) {
    const auto block = std::make_shared<PairBlock>(uniform(setup.entries), kBlock, 1);
    lanes.push_back({.system = contestant.name(),
                     .operations = kBlock,
                     .survives = Survives::nothing,
                     .block =
                         [&contestant, block] {
                           const auto pairs = block->next();
                           return timed([&] {
                             for (const Pair& pair : pairs) contestant->touch(pair.first);
                           });
                         },
                     .after_turn = [&contestant] { contestant->flush(); }});
  }
  bench.measure_rows(bench.row("touch", "", "", setup.entries), lanes, bench.rounds());
}

}  // namespace ashmemo::bench
