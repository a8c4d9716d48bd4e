#include <cstdint>

#include <doctest/doctest.h>

#include "unit/maintenance_pass_fixture.hpp"

// The steady clock measures intervals, independently of the wall clock.

using namespace ashmemo;
using test::Bench;
using test::kSecond;

namespace {

constexpr std::int64_t kTenYears = 315'576'000 * kSecond;

void pass_at(Bench& bench, std::int64_t wall) {
  bench.fake.clock->set_wall(wall);
  bench.run_once();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("touches are written after their interval on the steady clock") {
    Bench bench;
    bench.run_once();  // the first pass does all periodic work
    bench.fake.put("a", "1");
    bench.run_once();
    CHECK(bench.fake.get("a"));
    const std::int64_t start = bench.fake.clock->wall_now();
    const auto written = [&] { return bench.fake.engine.counters.touches_written.get(); };
    pass_at(bench, start + kTenYears);
    CHECK(written() == 0);
    bench.advance(60 * kSecond - 1);
    pass_at(bench, start + kTenYears);
    CHECK(written() == 0);
    bench.advance(1);
    pass_at(bench, start - kTenYears);
    CHECK(written() == 1);
  }

  TEST_CASE("entries expire by the wall clock and the steady clock decides when to look for them") {
    Bench bench;
    bench.run_once();
    bench.fake.put("a", "1", {kSecond, kSecond, kSecond});
    bench.run_once();
    const std::int64_t start = bench.fake.clock->wall_now();
    const auto expired = [&] { return bench.fake.engine.counters.expired.get(); };
    pass_at(bench, start + kTenYears);
    CHECK(expired() == 0);
    bench.advance(60 * kSecond);
    pass_at(bench, start + kSecond - 1);
    CHECK(expired() == 0);
    bench.advance(60 * kSecond);
    pass_at(bench, start + kSecond);
    CHECK(expired() == 1);
  }

  TEST_CASE("a deleted file is noticed after an interval on the steady clock") {
    Bench bench;
    bench.run_once();
    bench.fake.file->in_place = false;
    const auto store = bench.fake.engine.store.get();
    const std::int64_t start = bench.fake.clock->wall_now();
    pass_at(bench, start + kTenYears);
    CHECK(bench.fake.engine.store.get() == store);
    bench.advance(kSecond);
    pass_at(bench, start - kTenYears);
    CHECK(bench.fake.engine.store.get() != store);
  }
}
