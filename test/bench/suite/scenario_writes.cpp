#include <algorithm>

#include <fmt/format.h>

#include "bench/suite/bench.hpp"
#include "bench/written_bytes.hpp"

// Writing single entries and batches of them.

namespace ashmemo::bench {
namespace {

constexpr std::size_t kBurst = 5'000;  // puts, far below the capacity of the queue
constexpr std::size_t kBatchesOfBlock = 10;

/// Puts in blocks. The queue is flushed between the bursts, outside of the timed part. A put that
/// waits for the disk is timed alone.
Lane put_lane(const Contestant& contestant, const Setup& setup) {
  const std::size_t puts = setup.survives == Survives::power_cut ? 1 : kBlock;
  const auto block =
      std::make_shared<PairBlock>(uniform(setup.entries, 3), puts, setup.value_bytes);
  return {.system = contestant.name(),
          .operations = puts,
          .survives = after_put(contestant.type(), setup),
          .block =
              [&contestant, block, puts, done = std::size_t{0}]() mutable {
                if ((done += puts) % (kBurst / puts * puts) == 0) contestant->flush();
                const auto pairs = block->next();
                return timed([&] {
                  for (const auto& [key, value] : pairs) contestant->put(key, value);
                });
              },
          .after_turn = [&contestant] { contestant->flush(); }};
}

/// The rows of a block that is timed until it is in the file.
std::size_t rows_of_block(const Setup& setup) {
  return std::min(setup.entries, kBatchesOfBlock * kBatch);
}

/// Writes all entries once. Returns the bytes that were written to the log for each.
double log_bytes_of(Lane lane, const Setup& setup, const WriteCounter& counter) {
  const std::int64_t before = counter.so_far().wal;
  std::size_t written = 0;
  for (; written < setup.entries; written += lane.operations) (void)lane.block();
  return static_cast<double>(counter.so_far().wal - before) / static_cast<double>(written);
}

void single_puts(Bench& bench, const char* variant, Survives survives) {
  Setup setup = bench.setup(bench.settings().entries);
  setup.survives = survives;
  const auto types = bench.systems_that_survive(survives);
  std::vector<Contestant> contestants;
  std::vector<Lane> lanes;
  for (const SystemType& type : types) {
    contestants.push_back(bench.files().open_filled(type, setup));
  }
  for (const Contestant& contestant : contestants) lanes.push_back(put_lane(contestant, setup));
  bench.measure_rows(bench.row("put", variant, "", setup.entries), lanes, bench.rounds());
}

}  // namespace

Lane put_many_lane(const Contestant& contestant, const Chooser& choose, std::size_t rows,
                   const Setup& setup) {
  const auto block = std::make_shared<PairBlock>(choose, rows, setup.value_bytes);
  return {.system = contestant.name(),
          .operations = rows,
          .survives = after_flush(contestant.type(), setup),
          .block = [&contestant, block] {
            const auto pairs = block->next();
            return timed([&] {
              for (std::size_t at = 0; at < pairs.size(); at += kBatch) {
                contestant->put_many(pairs.subspan(at, std::min(kBatch, pairs.size() - at)));
              }
              contestant->flush();
            });
          }};
}

void fresh_and_overwriting(Bench& bench, const char* scenario, const char* variant,
                           const Setup& setup, std::span<const SystemType> types,
                           const Rounds& rounds) {
  std::vector<Contestant> contestants;
  std::vector<Lane> fresh;
  std::vector<Lane> overwriting;
  const std::size_t rows = rows_of_block(setup);
  for (const SystemType& type : types) {
    contestants.push_back(Files::open_empty(type, setup));
  }
  for (const Contestant& contestant : contestants) {
    fresh.push_back(put_many_lane(contestant, shuffled(setup.entries), rows, setup));
    overwriting.push_back(put_many_lane(contestant, shuffled(setup.entries, 2), rows, setup));
  }
  Row like = bench.row(scenario, fmt::format(fmt::runtime(variant), "fresh"), "", setup.entries);
  like.by = By::mean;
  bench.measure_rows(like, fresh, {.count = static_cast<int>(setup.entries / rows)});
  like.variant = fmt::format(fmt::runtime(variant), "overwriting");
  bench.measure_rows(like, overwriting, rounds);
}

void put(Bench& bench) {
  single_puts(bench, "", Survives::nothing);
  single_puts(bench, "each in the file", Survives::process_crash);
  single_puts(bench, "each synced", Survives::power_cut);
}

void put_many(Bench& bench) {
  Setup setup = bench.setup(bench.settings().entries);
  fresh_and_overwriting(bench, "put_many", "{}", setup, bench.systems(), bench.rounds());
  setup.survives = Survives::power_cut;
  fresh_and_overwriting(bench, "put_many", "{}, synced", setup,
                        bench.systems_that_survive(setup.survives), bench.rounds());
}

// Only one system is open at a time, so all bytes are those of this system.
void log_bytes(Bench& bench) {
  const WriteCounter counter;
  const Setup setup = bench.setup(bench.settings().entries);
  std::vector<Row> overwriting;
  for (const SystemType* type : {&kAshmemo, &kRawSqlite}) {
    bench.notify(fmt::format("log_bytes: {}", type->name));
    const Contestant contestant = Files::open_empty(*type, setup);
    const auto measured = [&](const char* variant, std::uint64_t seed) {
      const auto order = shuffled(setup.entries, seed);
      Row row = bench.row("log_bytes", variant, type->name, setup.entries);
      row.survives = after_flush(*type, setup);
      row.log_bytes = log_bytes_of(put_many_lane(contestant, order, rows_of_block(setup), setup),
                                   setup, counter);
      return row;
    };
    bench.rows().add(measured("fresh", 1));
    overwriting.push_back(measured("overwriting", 2));
  }
  for (Row& row : overwriting) bench.rows().add(std::move(row));
}

}  // namespace ashmemo::bench
