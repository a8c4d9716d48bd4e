// Another program reads for a long time under load. Its snapshot prevents SQLite from restarting
// the log. The log must stay within its limit, and the cache must report it, and recover when the
// program ends.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <ashmemo/cache.hpp>
#include <string>

#include "storm/report.hpp"
#include "storm/sampler.hpp"
#include "storm/storm.hpp"
#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/temp_dir.hpp"

using namespace ashmemo;
using namespace ashmemo::test;

namespace {

constexpr std::int64_t kMaxLog = 24 * MiB;

}  // namespace

TEST_SUITE("storm") {
  TEST_CASE("a foreign reader under load is reported and the log stays within its limit") {
    const TempDir dir;
    const std::string path = dir.path("cache.db");
    Heard heard;
    Options options = storm_options();
    options.limits.max_wal_bytes = kMaxLog;
    options.hooks.on_error = [&heard](const Notice& notice) { heard.add(notice); };
    Cache cache(path, options);
    CHECK(cache.put("first", "value"));
    cache.flush();
    std::int64_t grown = 0;
    {
      const Storm storm(cache, {"100 B", 100, 100, 64 * MiB});
      Program shell({"sqlite3", path});
      const Sampler sampler(path);
      shell.send("BEGIN; SELECT count(*) > 0 FROM cache_entries;");
      REQUIRE(shell.read_line() == "1");
      CHECK(becomes_true([&] { return cache.health().foreign_reader; }));
      const std::int64_t dropped = cache.stats().dropped;
      CHECK(becomes_true([&] { return cache.stats().dropped > dropped + 10'000; }));
      CHECK(heard.count(NoticeKind::foreign_reader) == 1);
      CHECK(cache.health().state == HealthState::degraded);
      shell.send("COMMIT;");
      CHECK(shell.finish().exit_code == 0);
      CHECK(becomes_true([&] { return !cache.health().foreign_reader; }));
      CHECK(becomes_true([&] { return cache.health().state == HealthState::ok; }));
      grown = sampler.highest().log;
      CHECK(grown <= kMaxLog + 12 * MiB);  // the maximum of one pass beyond the limit
    }
    CHECK(becomes_true([&] { return disk_use(path).log <= 8 * MiB; }));
    print_line(fmt::format("{:<8} log from {:>10} B to {:>9} B", "foreign", grouped(grown),
                           grouped(disk_use(path).log)));
    CHECK(cache.check().ok);
  }
}
