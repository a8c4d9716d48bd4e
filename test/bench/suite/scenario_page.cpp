#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "bench/suite/bench.hpp"

// Reading pages of records that were stored together. The ids of a page are random, so its keys are
// far from each other in the order of the keys, but its rows may be neighbours in the file.

namespace ashmemo::bench {
namespace {

constexpr std::size_t kRecords = 100;  // of a page

enum class Queue : std::uint8_t { idle, full };

/// Stores all pages, one put_many for each. With an idle queue each page is in the file before the
/// next one is stored. Otherwise the pages are stored as fast as the system accepts them.
void store_pages(System& system, const Setup& setup, Queue queue) {
  PairBlock pages(shuffled(setup.entries, kFillSeed), kRecords, setup.value_bytes);
  for (std::size_t done = 0; done < setup.entries; done += kRecords) {
    system.put_many(pages.next().first(std::min(kRecords, setup.entries - done)));
    if (queue == Queue::idle) system.flush();
  }
  system.flush();
}

void read_pages(Bench& bench, const char* variant, Queue queue) {
  Setup setup = bench.setup(bench.settings().entries);
  setup.tier_bytes = 0;
  std::vector<Contestant> contestants;
  for (const SystemType* type : {&kAshmemo, &kRawSqlite}) {
    bench.notify(fmt::format("page, {}: storing with {}", variant, type->name));
    contestants.push_back(Files::open_empty(*type, setup));
    store_pages(*contestants.back(), setup, queue);
  }
  std::vector<Lane> lanes;
  for (const Contestant& contestant : contestants) {
    lanes.push_back(get_many_lane(contestant, groups(setup.entries, kRecords, kFillSeed), kRecords,
                                  setup.value_bytes));
  }
  warm_up(lanes, bench.settings().seconds / 4);
  bench.measure_rows(bench.row("page", variant, "", setup.entries), lanes, bench.rounds());
}

}  // namespace

void page(Bench& bench) {
  read_pages(bench, "stored into an idle queue", Queue::idle);
  read_pages(bench, "stored into a full queue", Queue::full);
}

}  // namespace ashmemo::bench
