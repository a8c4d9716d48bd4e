// Many threads make all calls at once for a given time. No value may be wrong, memory must not
// grow, and the file must keep the promise about the disk.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "soak/caller.hpp"
#include "storm/report.hpp"
#include "storm/sampler.hpp"
#include "support/cache_fixture.hpp"
#include "support/sanitized.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

namespace {

constexpr unsigned kThreads = 16;
constexpr std::int64_t kMaxBytes = 4 * MiB;
constexpr std::int64_t kMaxEntryBytes = 256 * KiB;

/// The anonymous memory of this process. 0 if the system does not report it, or under a sanitizer,
/// whose memory would be counted.
std::int64_t anonymous_bytes() {
  if (kIsSanitized) return 0;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::int64_t kib = 0;
    if (word == "RssAnon:" && status >> kib) return kib * KiB;
  }
  return 0;
}

Options soak_options(Heard& heard) {
  Options options;
  options.limits.max_entries = 2'000;
  options.limits.max_bytes = kMaxBytes;
  options.limits.max_entry_bytes = kMaxEntryBytes;
  options.memory_bytes = 2 * MiB;
  options.queue_bytes = 2 * MiB;
  options.timing.touch_interval = 100ms;
  options.timing.maintenance_interval = 200ms;
  options.hooks.on_error = [&heard](const Notice& notice) { heard.add(notice); };
  return options;
}

class Soak {
 public:
  explicit Soak(Scene& scene) {
    for (unsigned i = 0; i < kThreads; ++i) {
      threads_.emplace_back([this, &scene, i] {
        Caller caller(scene, i);
        try {
          while (!stopping_) caller.step();
          caller.check_own();
        } catch (const std::exception& error) {
          ++scene.wrong;
          print_line(fmt::format("soak: an exception escaped: {}", error.what()));
        }
      });
    }
  }
  ~Soak() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Soak(const Soak&) = delete;
  Soak& operator=(const Soak&) = delete;

 private:
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

void wait(const Scene& scene, const Sampler& sampler, Steady::duration time) {
  const auto deadline = Steady::now() + time;
  while (Steady::now() < deadline) {
    std::this_thread::sleep_for(std::min<Steady::duration>(200ms, deadline - Steady::now()));
    show_progress(fmt::format("soak: {} calls, {} MiB on disk, {} MiB in memory",
                              grouped(scene.steps), sampler.highest().sum() / MiB,
                              anonymous_bytes() / MiB));
  }
}

// A run whose reads find nothing must fail.
void check_reads(const Stats& stats, const Scene& scene) {
  CHECK(stats.hits + stats.stale_hits + stats.misses == scene.asked.load());
  CHECK(stats.hits > scene.asked.load() / 10);
  CHECK(stats.memory_hits > 0);
  CHECK(stats.computed > 0);
  CHECK(stats.unread == 0);
  CHECK(stats.undecodable == 0);
  CHECK(stats.misses >= stats.expired_misses);
  CHECK(stats.misses >= stats.joined);
}

void check_health(Cache& cache, const Heard& heard) {
  CHECK(cache.check().ok);
  CHECK(cache.health().state == HealthState::ok);
  CHECK(heard.count(NoticeKind::quarantined) == 0);
  CHECK(heard.count(NoticeKind::worker_failed) == 0);
}

}  // namespace

TEST_SUITE("soak") {
  TEST_CASE(
      "sixteen threads of random calls find no wrong value and keep memory and file in bounds") {
    const TempDir dir;
    Heard heard;
    const std::string path = dir.path("soak.db");
    Cache cache(path, soak_options(heard));
    Scene scene(cache, dir.path("backup.db"), Entries::may_disappear);
    const auto third = seconds_of_one_kind(3);
    std::int64_t memory_before = 0;
    std::int64_t memory_after = 0;
    DiskUse highest;
    {
      const Sampler sampler(path);
      const Soak soak(scene);
      wait(scene, sampler, third);
      memory_before = anonymous_bytes();
      wait(scene, sampler, 2 * third);
      memory_after = anonymous_bytes();
      highest = sampler.highest();
    }
    const std::int64_t bound = kMaxBytes * 5 / 4 + 16 * MiB + 2 * kMaxEntryBytes;
    print_line(fmt::format("soak     {} calls; highest {} B of {} B; memory {} MiB, then {} MiB",
                           grouped(scene.steps), grouped(highest.sum()), grouped(bound),
                           memory_before / MiB, memory_after / MiB));
    CHECK(scene.steps.load() > 1'000);
    CHECK(scene.wrong.load() == 0);
    CHECK(highest.sum() <= bound);
    CHECK(memory_after <= memory_before + memory_before / 4 + 4 * MiB);
    cache.flush();
    const Stats stats = cache.stats();
    CHECK(stats.bytes <= kMaxBytes);
    CHECK(stats.queue_bytes == 0);
    CHECK(stats.worker_errors == 0);
    CHECK(stats.evicted > 0);
    check_reads(stats, scene);
    check_health(cache, heard);
  }

  TEST_CASE("sixteen threads of random calls without limits find each last stored value") {
    const TempDir dir;
    Heard heard;
    const std::string path = dir.path("soak.db");
    Options options = soak_options(heard);
    options.limits.max_entries = unlimited;
    options.limits.max_bytes = unlimited;
    Cache cache(path, options);
    Scene scene(cache, dir.path("backup.db"), Entries::remain);
    {
      const Sampler sampler(path);
      const Soak soak(scene);
      wait(scene, sampler, seconds_of_one_kind(6));
    }
    print_line(fmt::format("soak     {} calls without limits; {} keys asked, {} hits",
                           grouped(scene.steps), grouped(scene.asked),
                           grouped(cache.stats().hits)));
    CHECK(scene.steps.load() > 1'000);
    CHECK(scene.wrong.load() == 0);
    cache.flush();
    const Stats stats = cache.stats();
    CHECK(stats.worker_errors == 0);
    CHECK(stats.evicted == 0);
    check_reads(stats, scene);
    check_health(cache, heard);
  }
}
