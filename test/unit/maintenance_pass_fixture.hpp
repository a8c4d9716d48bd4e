#pragma once

#include <cstdint>
#include <utility>

#include <doctest/doctest.h>

#include "base/saturate.hpp"
#include "maintenance/maintenance_pass.hpp"
#include "support/fake_engine.hpp"

namespace ashmemo::test {

inline constexpr std::int64_t kSecond = 1'000'000;

/// Runs maintenance passes as the worker thread does. A pass does only the work that is due.
struct Bench {
  explicit Bench(Options options = FakeEngine::manual())
      : fake(std::move(options)), events(fake.engine), pass(fake.engine, events) {
    REQUIRE(pass.open().ok());
  }
  ~Bench() { pass.close(); }

  bool run_once(std::int64_t budget = kSecond) {
    return pass.run_once({base::add_saturated(fake.clock->steady_now(), budget), false});
  }
  void advance(std::int64_t microseconds) {
    fake.clock->advance(Duration::microseconds(microseconds));
  }
  std::int64_t commits() { return fake.engine.counters.commits.get(); }

  FakeEngine fake;
  maintenance::Events events;
  maintenance::MaintenancePass pass;
};

}  // namespace ashmemo::test
