#include <array>

#include <fmt/format.h>

#include "bench/suite/bench.hpp"

// Several threads at once. What is compared is what they do together.

namespace ashmemo::bench {
namespace {

using Block = std::function<Nanoseconds()>;

constexpr std::array<std::size_t, 4> kThreads{1, 2, 4, 8};
constexpr std::size_t kPutsOf100 = 5;

/// The blocks of the threads of one contestant, and what they did.
struct Crew {
  std::string system;
  std::string variant{};
  std::vector<Block> blocks{};
  Latencies latencies{1 << 16};
  double blocks_per_s = 0;  // summed over the turns
};

/// As measure: short turns, each crew first as often as any other.
void measure_crews(std::span<Crew> crews, const Rounds& rounds) {
  for (int round = 0; round < rounds.count; ++round) {
    for (std::size_t i = 0; i < crews.size(); ++i) {
      Crew& crew = crews[(i + static_cast<std::size_t>(round)) % crews.size()];
      crew.blocks_per_s += run_threads(crew.blocks, rounds.seconds, crew.latencies) / rounds.count;
    }
  }
}

void add_rows(Bench& bench, const Row& like, std::span<Crew> crews) {
  for (Crew& crew : crews) {
    Row row = like;
    row.by = By::rate;
    row.system = crew.system;
    if (!crew.variant.empty()) row.variant = crew.variant;
    row.threads = crew.blocks.size();
    set_times(row, crew.latencies, kBlock);
    row.ops_per_s = crew.blocks_per_s * kBlock;
    bench.rows().add(row);
  }
}

/// Gets, and now and then a put.
Block mixed_block(const Contestant& contestant, const Setup& setup, std::uint64_t seed) {
  const auto reader = std::shared_ptr<Reader>(contestant->reader());
  const auto keys = std::make_shared<KeyBlock>(uniform(setup.entries, seed), kBlock);
  const auto pairs =
      std::make_shared<PairBlock>(uniform(setup.entries, ~seed), kBlock, setup.value_bytes);
  return [&contestant, reader, keys, pairs, turn = std::size_t{0}]() mutable {
    const auto wanted = keys->next();
    const auto given = pairs->next();
    return timed([&] {
      for (std::size_t i = 0; i < kBlock; ++i) {
        if (++turn % 100 < kPutsOf100) {
          contestant->put(given[i].first, given[i].second);
        } else {
          require(reader->get(wanted[i]).has_value(), "an entry is missing");
        }
      }
    });
  };
}

void mixed_by(Bench& bench, std::span<const Contestant> contestants, const Setup& setup,
              std::size_t threads) {
  std::vector<Crew> crews;
  for (const Contestant& contestant : contestants) {
    Crew& crew = crews.emplace_back(Crew{.system = contestant.name()});
    for (std::size_t i = 0; i < threads; ++i) {
      crew.blocks.push_back(mixed_block(contestant, setup, i + 1));
    }
  }
  bench.notify(fmt::format("mixed: {} threads", threads));
  measure_crews(crews, bench.rounds());
  add_rows(bench, bench.row("mixed", "", "", setup.entries), crews);
}

/// A thread on each of these, which may be the same.
Crew readers(const Contestant& first, const Contestant& second, const char* variant,
             const Setup& setup) {
  Crew crew{.system = first.name(), .variant = variant};
  crew.blocks.push_back(get_lane(first, uniform(setup.entries, 1), setup.value_bytes).block);
  crew.blocks.push_back(get_lane(second, uniform(setup.entries, 2), setup.value_bytes).block);
  return crew;
}

}  // namespace

void mixed(Bench& bench) {
  const Setup setup = bench.setup(bench.settings().entries);
  std::vector<Contestant> contestants;
  for (const SystemType& type : bench.systems()) {
    contestants.push_back(bench.files().open_filled(type, setup));
  }
  for (const std::size_t threads : kThreads) mixed_by(bench, contestants, setup, threads);
}

void two_threads(Bench& bench) {
  constexpr std::int64_t bytes_for_each = 1'000;
  Setup setup = bench.setup(bench.smaller(100'000));
  setup.tier_bytes =
      static_cast<std::int64_t>(setup.entries * (setup.value_bytes + bytes_for_each));
  std::vector<Contestant> contestants;
  for (const SystemType& type : bench.systems()) {
    for (int i = 0; i < 2; ++i) {
      contestants.push_back(bench.files().open_filled(type, setup));
      read_all(*contestants.back(), setup.entries);
    }
  }
  std::vector<Crew> crews;
  for (std::size_t i = 0; i < contestants.size(); i += 2) {
    crews.push_back(readers(contestants[i], contestants[i], "one", setup));
  }
  for (std::size_t i = 0; i < contestants.size(); i += 2) {
    crews.push_back(readers(contestants[i], contestants[i + 1], "two", setup));
  }
  bench.notify("two_threads: measuring");
  measure_crews(crews, bench.rounds());
  add_rows(bench, bench.row("two_threads", "", "", setup.entries), crews);
}

}  // namespace ashmemo::bench
