#include <algorithm>

#include <fmt/format.h>

#include "bench/suite/bench.hpp"

// Writing single entries and batches of them.

namespace ashmemo::bench {
namespace {

constexpr std::size_t kBurst = 5'000;  // puts, far below the capacity of the queue
constexpr std::size_t kBatchesOfBlock = 10;

/// Puts in blocks. The queue is flushed between the bursts, outside of the timed part.
Lane put_lane(const Contestant& contestant, const Setup& setup) {
  const auto block =
      std::make_shared<PairBlock>(uniform(setup.entries, 3), kBlock, setup.value_bytes);
  return {.system = contestant.name(),
          .operations = kBlock,
          .block =
              [&contestant, block, done = std::size_t{0}]() mutable {
                if ((done += kBlock) % (kBurst / kBlock * kBlock) == 0) contestant->flush();
                const auto pairs = block->next();
                return timed([&] {
                  for (const auto& [key, value] : pairs) contestant->put(key, value);
                });
              },
          .after_turn = [&contestant] { contestant->flush(); }};
}

}  // namespace

Lane put_many_lane(const Contestant& contestant, const Chooser& choose, std::size_t rows,
                   std::size_t value_bytes) {
  const auto block = std::make_shared<PairBlock>(choose, rows, value_bytes);
  return {.system = contestant.name(), .operations = rows, .block = [&contestant, block] {
            const auto pairs = block->next();
            return timed([&] {
              for (std::size_t at = 0; at < pairs.size(); at += kBatch) {
                contestant->put_many(pairs.subspan(at, std::min(kBatch, pairs.size() - at)));
              }
              contestant->flush();
            });
          }};
}

void fresh_and_overwriting(Bench& bench, const char* scenario, const char* prefix,
                           const Setup& setup, std::span<const SystemType> types,
                           const Rounds& rounds) {
  std::vector<Contestant> contestants;
  std::vector<Lane> fresh;
  std::vector<Lane> overwriting;
  const std::size_t rows = std::min(setup.entries, kBatchesOfBlock * kBatch);
  for (const SystemType& type : types) {
    contestants.push_back(Files::open_empty(type, setup));
  }
  for (const Contestant& contestant : contestants) {
    fresh.push_back(put_many_lane(contestant, shuffled(setup.entries), rows, setup.value_bytes));
    overwriting.push_back(
        put_many_lane(contestant, shuffled(setup.entries, 2), rows, setup.value_bytes));
  }
  Row like = bench.row(scenario, fmt::format("{}fresh", prefix), "", setup.entries);
  like.by = By::mean;
  bench.measure_rows(like, fresh, {.count = static_cast<int>(setup.entries / rows)});
  like.variant = fmt::format("{}overwriting", prefix);
  bench.measure_rows(like, overwriting, rounds);
}

void put(Bench& bench) {
  const Setup setup = bench.setup(bench.settings().entries);
  std::vector<Contestant> contestants;
  std::vector<Lane> lanes;
  for (const SystemType& type : bench.systems()) {
    contestants.push_back(bench.files().open_filled(type, setup));
  }
  for (const Contestant& contestant : contestants) lanes.push_back(put_lane(contestant, setup));
  bench.measure_rows(bench.row("put", "", "", setup.entries), lanes, bench.rounds());
}

void put_many(Bench& bench) {
  fresh_and_overwriting(bench, "put_many", "", bench.setup(bench.settings().entries),
                        bench.systems(), bench.rounds());
}

}  // namespace ashmemo::bench
