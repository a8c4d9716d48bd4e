// The file shrinks after its entries are removed, without further calls of the cache.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/clock.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storm/report.hpp"
#include "storm/sampler.hpp"
#include "storm/storm.hpp"
#include "support/cache_fixture.hpp"
#include "support/temp_dir.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

// The cache keeps 256 free pages (1 MiB) for new entries and up to 1 MiB of log.
constexpr std::int64_t kSmall = 3 * MiB;

// Much longer than needed, for a busy machine. The test prints the real time.
constexpr std::chrono::seconds kMaxWait = 5min;

/// The machine's clocks. A test can move the wall clock forward.
class LeapingClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t wall_now() const noexcept override {
    return system_clock()->wall_now() + ahead_;
  }
  [[nodiscard]] std::int64_t steady_now() const noexcept override {
    return system_clock()->steady_now();
  }
  void leap(std::int64_t microseconds) noexcept { ahead_ += microseconds; }

 private:
  std::atomic<std::int64_t> ahead_{0};
};

Options options_with(std::shared_ptr<Clock> clock) {
  Options options = storm_options();
  options.hooks.clock = std::move(clock);
  return options;
}

struct Shrinking {
  const std::shared_ptr<LeapingClock> clock = std::make_shared<LeapingClock>();
  TempDir dir;
  const std::string path = dir.path("cache.db");
  Cache cache{path, options_with(clock)};

  /// Puts entries with 64 MiB of values.
  void fill(std::size_t bytes, PutOptions options) {
    const auto count = static_cast<int>(64 * MiB / static_cast<std::int64_t>(bytes));
    const std::string value(bytes, 'v');
    std::vector<std::pair<std::string, std::string>> batch;
    for (std::string& key : numbered("key ", count)) {
      batch.emplace_back(std::move(key), value);
      if (batch.size() < 500) continue;
      REQUIRE(cache.put_many(batch, options) == batch.size());
      batch.clear();
      cache.flush();
    }
  }

  void expect_small(const std::string& after, std::int64_t from) const {
    const auto start = std::chrono::steady_clock::now();
    CHECK(wait_until_small(path, kSmall, kMaxWait));
    const DiskUse to = disk_use(path);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    print_line(fmt::format("{:<8} from {:>14} B to {:>10} B (log {:>9} B) in {:.1f} s", after,
                           grouped(from), grouped(to.sum()), grouped(to.log), took.count()));
  }
};

}  // namespace

TEST_SUITE("storm") {
  TEST_CASE("the file shrinks after clear") {
    Shrinking f;
    f.fill(2100, {});
    const std::int64_t from = disk_use(f.path).sum();
    CHECK(from > 32 * MiB);
    CHECK(f.cache.clear() > 10'000);
    f.expect_small("clear", from);
    CHECK(f.cache.stats().entries == 0);
    CHECK(f.cache.check().ok);
  }

  TEST_CASE("the file shrinks after all entries have expired") {
    Shrinking f;
    f.fill(16'000, {.ttl = 24h});
    const std::int64_t from = disk_use(f.path).sum();
    CHECK(from > 32 * MiB);
    f.clock->leap(std::chrono::microseconds(24h).count());
    f.expect_small("expiry", from);
    CHECK(f.cache.stats().entries == 0);
    CHECK(f.cache.check().ok);
  }

  TEST_CASE("the file shrinks after max_bytes is lowered") {
    Shrinking f;
    f.fill(2100, {});
    const std::int64_t from = disk_use(f.path).sum();
    f.cache.set_limits({.max_bytes = MiB});
    f.expect_small("limits", from);
    CHECK(f.cache.stats().bytes <= MiB);
    CHECK(f.cache.check().ok);
  }
}
