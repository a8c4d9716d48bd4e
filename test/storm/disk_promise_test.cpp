// The promise about the disk under load: file, -wal and -shm together take at most
// 1.25 x max_bytes + 16 MiB + 2 x the largest entry.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "storm/report.hpp"
#include "storm/sampler.hpp"
#include "storm/storm.hpp"
#include "support/cache_fixture.hpp"
#include "support/temp_dir.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using Steady = std::chrono::steady_clock;

namespace {

constexpr int kKinds = 5;
constexpr std::chrono::milliseconds kBetweenProgress{200};

double seconds_since(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

std::int64_t bound(const Cache& cache, std::int64_t largest_entry) {
  return cache.limits().max_bytes.count() * 5 / 4 + 16 * MiB + 2 * largest_entry;
}

/// Runs one storm and checks the promise. Only the main thread makes assertions, because doctest's
/// lock would slow the storm.
class DiskPromise {
 public:
  explicit DiskPromise(Kind kind) : kind_(std::move(kind)) {}

  void check() {
    std::int64_t written = 0;
    std::int64_t largest = 0;
    Steady::time_point start;
    {
      const Sampler sampler(path_);
      if (kind_.first > 0) fill();
      start = Steady::now();
      {
        const Storm storm(cache_, kind_);
        wait(storm, sampler, start);
        written = storm.written();
        largest = storm.largest_entry();
      }
      highest_ = sampler.highest();
    }
    report(written, seconds_since(start), bound(cache_, largest));
    CHECK(written > 0);
    CHECK(highest_.sum() <= bound(cache_, largest));
    check_cache();
  }

 private:
  void fill() {
    const std::string value(kind_.first, 'v');
    for (int i = 0; cache_.stats().evicted == 0;) {
      std::vector<std::pair<std::string, std::string_view>> page;
      for (int end = i + 1'000; i < end; ++i) page.emplace_back(fmt::format("first:{}", i), value);
      (void)cache_.put_many(page);
      cache_.flush();
    }
  }

  void wait(const Storm& storm, const Sampler& sampler, Steady::time_point start) const {
    const auto deadline = start + seconds_of_one_kind(kKinds);
    while (Steady::now() < deadline) {
      std::this_thread::sleep_for(std::min<Steady::duration>(kBetweenProgress, deadline - start));
      show_progress(fmt::format("{}: {:.0f} s, {} entries, {} MiB", kind_.name,
                                seconds_since(start), grouped(storm.written()),
                                sampler.highest().sum() / MiB));
    }
  }

  void report(std::int64_t written, double seconds, std::int64_t limit) const {
    print_line(fmt::format(
        "{:<8} highest {:>11} B (log {:>10} B) of {:>11} B, {:>3} %; {:>10} entries in {:.1f} s",
        kind_.name, grouped(highest_.sum()), grouped(highest_.log), grouped(limit),
        100 * highest_.sum() / limit, grouped(written), seconds));
  }

  void check_cache() {
    cache_.flush();
    const Stats stats = cache_.stats();
    CHECK(stats.bytes <= cache_.limits().max_bytes.count());
    CHECK(stats.queue_bytes == 0);
    CHECK(stats.worker_errors == 0);
    CHECK(cache_.health().state == HealthState::ok);
    CHECK(cache_.check().ok);
  }

  const Kind kind_;
  const TempDir dir_;
  const std::string path_ = dir_.path("cache.db");
  Cache cache_{path_, storm_options(kind_.max_bytes)};
  DiskUse highest_;
};

}  // namespace

TEST_SUITE("storm") {
  TEST_CASE("the disk promise holds for values of 8 bytes") {
    DiskPromise({"8 B", 8, 8, 16 * MiB}).check();
  }
  TEST_CASE("the disk promise holds for values of 100 bytes") {
    DiskPromise({"100 B", 100, 100, 16 * MiB}).check();
  }
  TEST_CASE("the disk promise holds for values of 2.1 KB") {
    DiskPromise({"2.1 KB", 2100, 2100, 64 * MiB}).check();
  }
  TEST_CASE("the disk promise holds for values from 8 bytes to max_entry_bytes") {
    DiskPromise({"mixed", 8, 1024 * 1024, 64 * MiB, true}).check();
  }
  // Each large value evicts thousands of small rows, and eviction skips the many that were read.
  TEST_CASE("the disk promise holds when values of 1 MiB replace values of 8 bytes") {
    DiskPromise({"turning", 1024 * 1024, 1024 * 1024, 32 * MiB, false, 8}).check();
  }
}
