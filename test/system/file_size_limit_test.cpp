// The process may not write files beyond a size (ulimit -f).

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

constexpr rlim_t kLimit = 2 * MiB;

/// Writes ten times the limit. Returns what happened.
std::string write_much(const std::string& path, WorkerMode worker) {
  const rlimit limit{kLimit, kLimit};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit failed";
  Options options;
  options.limits.max_bytes = 64 * MiB;
  options.memory_bytes = 0;
  options.hooks.worker = worker;
  Cache cache(path, options);
  int last = 0;
  for (; last < 2'000; ++last) {
    (void)cache.put(fmt::format("k{}", last), std::string(10'000, 'x'));
    if (last % 100 == 99) cache.flush();
  }
  const Stats stats = cache.stats();
  const bool has_newest = cache.contains("k1999");
  const bool is_small = stats.file_bytes <= std::int64_t{kLimit} && stats.evicted > 1'000;
  return fmt::format("newest {}, dropped {}, small {}, health {}", has_newest, stats.dropped,
                     is_small, to_string(cache.health().state));
}

Options with_clock(const std::shared_ptr<ManualClock>& clock = std::make_shared<ManualClock>()) {
  Options options;
  options.durability = Durability::commit;
  options.hooks.clock = clock;
  return options;
}

/// A process puts "k" and is killed, so its log has content. Removes FILE-shm, which the next
/// reader creates.
void leave_a_log(const std::string& path) {
  const ChildEnd end = in_child([&]() -> std::string {
    Cache cache(path, with_clock());
    if (cache.put("k", 1)) ::raise(SIGKILL);
    return "not killed";
  });
  REQUIRE(end.exit_code == kKilled);
  fs::remove(path + "-shm");
}

/// Gives a new reader of the file no space for FILE-shm.
bool forbid_long_files() {
  const rlimit limit{8'192, 8'192};
  return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

Options reading(const std::shared_ptr<ManualClock>& clock) {
  Options options = with_clock(clock);
  options.access = Access::read_only;
  return options;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a file size limit does not end a program whose read-only cache opens a file later") {
    const TempDir dir;
    const std::string path = dir.path("cache.db");
    leave_a_log(path);
    for (const char* const name : {"", "-wal", "-lock"}) fs::rename(path + name, path + "x" + name);
    const ChildEnd end = in_child([&]() -> std::string {
      const auto clock = std::make_shared<ManualClock>();
      if (!forbid_long_files()) return "setrlimit failed";
      Cache cache(path, reading(clock));
      const bool before = cache.contains("k");
      for (const char* const name : {"", "-wal", "-lock"}) {
        fs::rename(path + "x" + name, path + name);
      }
      clock->advance(1s);
      const bool after = cache.contains("k");  // opens the file
      return fmt::format("before {}, after {}", before, after);
    });
    CHECK(end.exit_code == 0);
    CHECK(end.said == "before false, after true");
  }

  TEST_CASE("a file size limit does not end a program whose read-only cache opens a reader") {
    const TempDir dir;
    const std::string path = dir.path("cache.db");
    { CHECK(Cache(path, with_clock()).put("old", 1)); }
    leave_a_log(path);
    fs::rename(path + "-wal", path + "x");
    const ChildEnd end = in_child([&]() -> std::string {
      const auto clock = std::make_shared<ManualClock>();
      Cache cache(path, reading(clock));
      if (!cache.contains("old")) return "old is missing";
      fs::rename(path + "x", path + "-wal");
      if (!forbid_long_files()) return "setrlimit failed";
      const auto k = cache.get<int>("k");  // the clock did not advance, so only a reader is opened
      return fmt::format("k {}, unread {}", k.value_or(0), cache.stats().unread);
    });
    CHECK(end.exit_code == 0);
    CHECK(end.said == "k 0, unread 1");
  }

  TEST_CASE("a file size limit of the process evicts entries and does not end the program") {
    for (const WorkerMode worker : {WorkerMode::thread, WorkerMode::manual}) {
      const TempDir dir;
      const ChildEnd end = in_child([&] { return write_much(dir.path("cache.db"), worker); });
      CHECK(end.exit_code == 0);
      CHECK(end.said == "newest true, dropped 0, small true, health ok");
    }
  }

  TEST_CASE("a program can handle SIGXFSZ of its own writes as before") {
    const TempDir dir;
    const ChildEnd end = in_child([&] {
      (void)write_much(dir.path("cache.db"), WorkerMode::manual);
      sigset_t blocked;
      sigemptyset(&blocked);
      pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
      sigset_t waiting;
      sigpending(&waiting);
      return fmt::format("blocked {}, pending {}", sigismember(&blocked, SIGXFSZ),
                         sigismember(&waiting, SIGXFSZ));
    });
    CHECK(end.exit_code == 0);
    CHECK(end.said == "blocked 0, pending 0");
  }
}
