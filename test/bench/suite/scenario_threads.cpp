#include <array>

#include <fmt/format.h>

#include "bench/suite/bench.hpp"
#include "bench/suite/system_ashmemo.hpp"

// Several threads at once. The comparison uses their total rate.

namespace ashmemo::bench {
namespace {

using Block = std::function<Nanoseconds()>;

constexpr std::array<std::size_t, 4> kThreads{1, 2, 4, 8};
constexpr std::array<std::size_t, 5> kReaders{1, 2, 4, 8, 16};
constexpr std::size_t kPutsOf100 = 5;

/// The threads of one contestant: one block per thread, and their results.
struct ThreadGroup {
  std::string system;
  std::string variant{};
  std::optional<Survives> survives{};
  std::vector<Block> blocks{};
  Latencies latencies{1 << 16};
  double blocks_per_s = 0;  // mean over the turns
};

/// Measures in short turns. Each group is the first of a round equally often, as in `measure`.
void measure_groups(std::span<ThreadGroup> groups, const Rounds& rounds) {
  for (int round = 0; round < rounds.count; ++round) {
    for (std::size_t i = 0; i < groups.size(); ++i) {
      ThreadGroup& group = groups[(i + static_cast<std::size_t>(round)) % groups.size()];
      group.blocks_per_s +=
          run_threads(group.blocks, rounds.seconds, group.latencies) / rounds.count;
    }
  }
}

void add_rows(Bench& bench, const Row& like, std::span<ThreadGroup> groups) {
  for (ThreadGroup& group : groups) {
    Row row = like;
    row.by = By::rate;
    row.system = group.system;
    if (!group.variant.empty()) row.variant = group.variant;
    row.survives = group.survives;
    row.threads = group.blocks.size();
    set_times(row, group.latencies, kBlock);
    row.ops_per_s = group.blocks_per_s * kBlock;
    bench.rows().add(row);
  }
}

/// 95 % gets and 5 % puts.
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

void measure_mixed(Bench& bench, std::span<const Contestant> contestants, const Setup& setup,
                   std::size_t threads) {
  std::vector<ThreadGroup> groups;
  for (const Contestant& contestant : contestants) {
    ThreadGroup& group = groups.emplace_back(
        ThreadGroup{.system = contestant.name(), .survives = after_put(contestant.type(), setup)});
    for (std::size_t i = 0; i < threads; ++i) {
      group.blocks.push_back(mixed_block(contestant, setup, i + 1));
    }
  }
  bench.notify(fmt::format("mixed: {} threads", threads));
  measure_groups(groups, bench.rounds());
  add_rows(bench, bench.row("mixed", "", "", setup.entries), groups);
}

/// Measures all numbers of threads in the same rounds, because their rates are compared.
void measure_readers(Bench& bench, const char* variant, const Setup& setup,
                     Chooser (*choose)(std::size_t count, std::uint64_t seed)) {
  bench.notify(fmt::format("threads, {}", variant));
  std::vector<Contestant> contestants;
  for (const SystemType* type : {&kAshmemo, &kRawSqlite}) {
    contestants.push_back(bench.files().open_filled(*type, setup));
    if (setup.tier_bytes != 0) read_all(*contestants.back(), setup.entries);
  }
  std::vector<ThreadGroup> groups;
  for (const std::size_t threads : kReaders) {
    for (const Contestant& contestant : contestants) {
      ThreadGroup& group = groups.emplace_back(ThreadGroup{.system = contestant.name()});
      for (std::size_t i = 0; i < threads; ++i) {
        const Chooser keys = choose(setup.entries, i + 1);
        group.blocks.push_back(get_lane(contestant, keys, setup.value_bytes).block);
      }
    }
  }
  measure_groups(groups, bench.rounds());
  add_rows(bench, bench.row("threads", variant, "", setup.entries), groups);
}

/// Two threads that read, one on each contestant. Both may be the same contestant.
ThreadGroup readers(const Contestant& first, const Contestant& second, const char* variant,
                    const Setup& setup) {
  ThreadGroup group{.system = first.name(), .variant = variant};
  group.blocks.push_back(get_lane(first, uniform(setup.entries, 1), setup.value_bytes).block);
  group.blocks.push_back(get_lane(second, uniform(setup.entries, 2), setup.value_bytes).block);
  return group;
}

}  // namespace

void mixed(Bench& bench) {
  const Setup setup = bench.setup(bench.settings().entries);
  std::vector<Contestant> contestants;
  for (const SystemType& type : bench.systems()) {
    contestants.push_back(bench.files().open_filled(type, setup));
  }
  for (const std::size_t threads : kThreads) measure_mixed(bench, contestants, setup, threads);
}

void threads(Bench& bench) {
  Setup setup = bench.setup(bench.settings().entries);
  setup.tier_bytes = tier_for_all(setup);
  measure_readers(bench, "memory", setup, uniform);
  setup.tier_bytes = 0;
  measure_readers(bench, "file", setup, uniform);
  setup.tier_bytes = tier_for_a_tenth(setup);
  measure_readers(bench, "mixed", setup, zipf);
}

void two_threads(Bench& bench) {
  Setup setup = bench.setup(bench.smaller(100'000));
  setup.tier_bytes = tier_for_all(setup);
  std::vector<Contestant> contestants;
  for (const SystemType& type : bench.systems()) {
    for (int i = 0; i < 2; ++i) {
      contestants.push_back(bench.files().open_filled(type, setup));
      read_all(*contestants.back(), setup.entries);
    }
  }
  std::vector<ThreadGroup> groups;
  for (std::size_t i = 0; i < contestants.size(); i += 2) {
    groups.push_back(readers(contestants[i], contestants[i], "one", setup));
  }
  for (std::size_t i = 0; i < contestants.size(); i += 2) {
    groups.push_back(readers(contestants[i], contestants[i + 1], "two", setup));
  }
  bench.notify("two_threads: measuring");
  measure_groups(groups, bench.rounds());
  add_rows(bench, bench.row("two_threads", "", "", setup.entries), groups);
}

}  // namespace ashmemo::bench
