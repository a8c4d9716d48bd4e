// Access::read_only: tools that read the cache of a running application.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/opening.hpp"
#include "support/raw_database.hpp"
#include "support/system_calls.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

Options read_only(const CacheFixture& f) {
  Options options = f.options;
  options.access = Access::read_only;
  return options;
}

/// Uses a cache whose file with this suffix may not be written. Returns "works", or what did not
/// work.
std::string use_forbidden(const std::string& path, const std::string& suffix) {
  {
    Child holder = process_that_holds(path);
    if (!holder.wait_for()) return "no cache was made";
    holder.kill();
  }
  if (suffix.empty()) RawDatabase(path).run("PRAGMA wal_checkpoint(TRUNCATE)");  // removes the log
  const auto set_mode = [&](int mode) { fs::permissions(path + suffix, fs::perms(mode)); };
  set_mode(0400);
  const auto clock = std::make_shared<ManualClock>();
  Cache cache(path, manual_options(clock));
  const std::string why = cache.health().last_error;
  if (!cache.contains("old")) return "it cannot be read: " + why;
  if (cache.health().state != HealthState::degraded) return "it is not degraded: " + why;
  if (!has(why, "can only be read")) return why;
  if (suffix.empty() && exists(path + "-wal")) return "there is a log with the mode of the file";
  set_mode(0600);
  clock->advance(1min);
  (void)cache.run_maintenance();
  if (cache.health().state != HealthState::ok) return cache.health().last_error;
  (void)cache.put("new", 1);
  cache.flush();
  return cache.contains("old") && cache.contains("new") ? "works" : "an entry is lost";
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a read-only cache reads the commits of the writing cache") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f->flush();
    Cache reader(f.path, read_only(f));
    CHECK(reader.get<int>("k") == 1);
    CHECK(f->put("k", 2));
    CHECK(f->put("l", 3));
    CHECK(reader.get<int>("k") == 1);  // not committed yet
    f->flush();
    CHECK(reader.get<int>("k") == 2);
    CHECK(reader.get_many<int>({"l", "k"}) == std::vector<std::optional<int>>{3, 2});
    CHECK(reader.contains("l"));
    CHECK(reader.entry("l")->byte_size == f->entry("l")->byte_size);
    std::string keys;
    reader.for_each("", [&](const EntryInfo& entry) { keys += entry.key; });
    CHECK(keys == "kl");
    CHECK(reader.health().state == HealthState::ok);
    CHECK(reader.check().ok);
  }

  TEST_CASE("a read-only cache writes nothing, returns false for puts and throws for removals") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f->flush();
    {
      Cache reader(f.path, read_only(f));
      CHECK(reader.get<int>("k") == 1);
      CHECK(reader.touch("k"));
      CHECK_FALSE(reader.put("k", 2));
      CHECK(reader.put_many<int>({{"a", 1}, {"b", 2}}) == 0);
      CHECK(reader.get_or_compute("new", [] { return 5; }) == 5);
      CHECK(code_thrown_by([&] { (void)reader.erase("k"); }) == "misuse");
      CHECK(code_thrown_by([&] { (void)reader.erase_prefix("k"); }) == "misuse");
      CHECK(code_thrown_by([&] { (void)reader.clear(); }) == "misuse");
      reader.flush();
      reader.compact();
      CHECK_FALSE(reader.run_maintenance());
      CHECK(reader.stats().hits == 1);
      CHECK(reader.stats().touches_marked == 0);
      CHECK(reader.stats().commits == 0);
    }
    f->flush();
    CHECK(f->get<int>("k") == 1);
    CHECK(f.keys() == "k");
    CHECK(f->stats().touches_marked == 1);
  }

  TEST_CASE("several read-only caches open one file in this and other processes") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f.close();
    {
      const Cache first(f.path, read_only(f));
      const Cache second(f.path, read_only(f));
      CHECK(first.get<int>("k") == 1);
      CHECK(second.get<int>("k") == 1);
    }
    Child other([&](Child::Parent& parent) -> std::string {
      parent.wait_for();
      const Cache cache(f.path, read_only(f));
      return std::to_string(cache.get<int>("k").value_or(0));
    });
    CHECK(f->get<int>("k") == 1);  // opens the file after the fork
    other.notify();
    CHECK(other.wait_for_end().said == "1");
    CHECK(f->put("k", 2));
    f->flush();
    CHECK(f.shell("SELECT value FROM cache_entries") == "2\n");
  }

  TEST_CASE("a read-only cache makes a backup and shows sizes") {
    CacheFixture f;
    f.fill("k", 50);
    f->flush();
    Cache reader(f.path, read_only(f));
    CHECK(reader.stats().file_bytes > 0);
    CHECK(reader.stats().entries == 50);
    reader.backup(f.dir.path("copy.db"));
    CHECK(run_program({"sqlite3", f.dir.path("copy.db"), "SELECT count(*) FROM cache_entries"})
              .said == "50\n");
  }

  TEST_CASE("a read-only cache creates no file") {
    const TempDir dir;
    Options options;
    options.access = Access::read_only;
    Cache cache(dir.path("x.db"), options);
    CHECK(cache.health().state == HealthState::unavailable);
    CHECK_FALSE(cache.get<int>("k").has_value());
    CHECK_FALSE(cache.put("k", 1));
    options.when_unavailable = WhenUnavailable::throw_error;
    CHECK(code_thrown_by([&] { const Cache strict(dir.path("x.db"), options); }) == "unavailable");
    cache.close();
    CHECK(fs::is_empty(dir.path()));
  }

  TEST_CASE("a read-only cache reports errors in flush, maintenance, compact, check and close") {
    CacheFixture f;
    CHECK(f->put("k", "text"));
    f->flush();
    const std::vector<std::function<void(Cache&)>> calls = {
        [](Cache& cache) { cache.flush(); },   [](Cache& cache) { (void)cache.run_maintenance(); },
        [](Cache& cache) { cache.compact(); }, [](Cache& cache) { (void)cache.check(); },
        [](Cache& cache) { cache.close(); },
    };
    for (const auto& call : calls) {
      Heard heard;
      Options options = read_only(f);
      options.hooks.worker = WorkerMode::thread;
      options.hooks.on_error = [&](const Notice& notice) { heard.add(notice); };
      Cache reader(f.path, options);
      CHECK_FALSE(reader.get<int>("k").has_value());
      CHECK(heard.count(NoticeKind::undecodable) == 0);
      call(reader);
      CHECK(heard.count(NoticeKind::undecodable) == 1);
    }
  }

  TEST_CASE("a file that this user may not write is read until the user may write it") {
    for (const std::string suffix : {"", "-wal"}) {
      CAPTURE(suffix);
      const TempDir dir;
      dir.open_to_all();
      CHECK(in_child([&] {
              drop_privileges();
              return use_forbidden(dir.path("x"), suffix);
            }).said == "works");
    }
  }

  TEST_CASE("a file is only read while the system refuses to open it for writing") {
    for (const int error : {EACCES, EPERM, EROFS}) {
      CAPTURE(error);
      CacheFixture f;
      CHECK(f->put("k", 1));
      f.close();
      std::atomic<int> refusal{error};
      before_os_calls([&](const OsCall& call) {
        const bool opens_file = call.kind == OsCall::Kind::open && !call.is_by_sqlite &&
                                call.path != nullptr && call.path == f.path;
        return opens_file ? refusal.load() : 0;
      });
      CHECK(f->get<int>("k") == 1);
      CHECK(f->health().state == HealthState::degraded);
      refusal = 0;
      f.clock->advance(1min);
      (void)f->run_maintenance();
      CHECK(f->health().state == HealthState::ok);
      CHECK(f->get<int>("k") == 1);
      f.close();
      before_os_calls({});
    }
  }

  TEST_CASE("a read-only cache says how a file that others may write becomes private") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f.close();
    fs::permissions(f.path, fs::perms(0660));
    const Cache reader(f.path, read_only(f));
    CHECK(reader.get<int>("k") == 1);
    const std::string what = f.heard.last(NoticeKind::writable_by_others).what;
    CHECK_MESSAGE(has(what, "open it for writing once, or set its mode to 0600"), what);
    CHECK_FALSE(has(what, "keeps its own modes"));
  }

  TEST_CASE("a read-only cache uses its own clock for expiry") {
    CacheFixture f;
    CHECK(f->put("k", 1, {.ttl = 1h}));
    f->flush();
    Options options = read_only(f);
    const auto ahead = std::make_shared<ManualClock>(f.clock->wall_now() + Duration(2h).count());
    options.hooks.clock = ahead;
    const Cache reader(f.path, options);
    CHECK_FALSE(reader.get<int>("k").has_value());
    CHECK(f->get<int>("k") == 1);
  }
}
