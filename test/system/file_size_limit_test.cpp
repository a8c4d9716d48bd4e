// The process may not write files beyond a size (ulimit -f).

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <ashmemo/cache.hpp>
#include <csignal>
#include <string>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

using namespace ashmemo;
using namespace ashmemo::test;

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

}  // namespace

TEST_SUITE("system") {
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
