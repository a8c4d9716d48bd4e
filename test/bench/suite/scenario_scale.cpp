#include <algorithm>
#include <array>

#include "bench/suite/bench.hpp"

// The same work on growing numbers of entries, with page caches in proportion.

namespace ashmemo::bench {
namespace {

// The ratio of the default page cache to the 300,000 entries of the other scenarios.
constexpr std::int64_t kCacheBytesOfEntry = (4 << 20) / 300'000;
constexpr std::int64_t kMinCacheBytes = 256 << 10;
constexpr std::size_t kKeys = 100;

std::vector<SystemType> systems_that_scale() {
  std::vector<SystemType> all;
  for (const SystemType* type : {&kAshmemo, &kRawSqlite, &kLmdb}) {
    if (type->open != nullptr) all.push_back(*type);
  }
  return all;
}

void reads(Bench& bench, const Setup& setup, std::span<const SystemType> types) {
  std::vector<Contestant> contestants;
  for (const SystemType& type : types) {
    contestants.push_back(bench.files().open_filled(type, setup));
  }
  std::vector<Lane> single;
  std::vector<Lane> batches;
  for (const Contestant& contestant : contestants) {
    single.push_back(get_lane(contestant, uniform(setup.entries), setup.value_bytes));
    batches.push_back(
        get_many_lane(contestant, uniform(setup.entries, 2), kKeys, setup.value_bytes));
  }
  warm_up(single, bench.settings().seconds / 4);
  bench.measure_rows(bench.row("scale", "get", "", setup.entries), single, bench.rounds());
  bench.measure_rows(bench.row("scale", "get_many of 100", "", setup.entries), batches,
                     bench.rounds());
}

}  // namespace

void scale(Bench& bench) {
  const auto types = systems_that_scale();
  for (const std::size_t entries : bench.sizes()) {
    Setup setup = bench.setup(entries);
    setup.tier_bytes = 0;
    setup.page_cache_bytes =
        std::max(kMinCacheBytes, kCacheBytesOfEntry * static_cast<std::int64_t>(setup.entries));
    reads(bench, setup, types);
    fresh_and_overwriting(bench, "scale", "put_many, {}", setup, types,
                          rounds_of(bench.settings().seconds / 2));
  }
}

}  // namespace ashmemo::bench
