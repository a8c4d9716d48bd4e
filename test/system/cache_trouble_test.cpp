// Trouble with the file of an open cache: reads, health(), hooks and counters while it lasts and
// after it.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/fault_vfs.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// A cache with one entry, "before", with max_wait 0 and a queue for three values.
struct Scene {
  explicit Scene(std::int64_t memory_bytes)
      : f({.timing = {.max_wait = 0s}, .memory_bytes = memory_bytes, .queue_bytes = 64 * KiB}) {
    CHECK(f->put("before", 1));
    f->flush();
    CHECK(f->get<int>("before") == 1);
    f.clock->advance(1h);
  }

  [[nodiscard]] bool put(const std::string& key) { return f->put(key, std::string(20'000, 'x')); }

  FaultVfs vfs;
  CacheFixture f;
};

using Change = std::function<void(Scene&)>;

/// A failure that lasts until `end` is called.
struct Trouble {
  std::string name;
  Change begin;
  Change end;
  HealthState state;
  NoticeKind begun;
  NoticeKind ended;
  bool loses_file;
};

void replace_by_notes(Scene& s) {
  s.f.close_raw();
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(s.f.path + suffix);
  const std::string sql = "CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')";
  REQUIRE(run_program({"sqlite3", s.f.path, sql}).exit_code == 0);
}

std::string folder_elsewhere(const Scene& s) { return s.f.dir.path() + ".elsewhere"; }

std::vector<Trouble> lasting_troubles() {
  const Change heal = [](Scene& s) { s.vfs.heal(); };
  return {
      {"a foreign lock", [](Scene& s) { s.f.raw().run("BEGIN IMMEDIATE"); },
       [](Scene& s) { s.f.raw().run("ROLLBACK"); }, HealthState::degraded, NoticeKind::busy,
       NoticeKind::recovered, false},
      {"an I/O error when writing",
       [](Scene& s) { s.vfs.fail_each(SystemCall::write, Fault::io_error); }, heal,
       HealthState::degraded, NoticeKind::write_failed, NoticeKind::recovered, false},
      {"a full disk", [](Scene& s) { s.vfs.fail_each(SystemCall::write, Fault::full); }, heal,
       HealthState::degraded, NoticeKind::write_failed, NoticeKind::recovered, false},
      {"a foreign file in its place", replace_by_notes, [](Scene& s) { fs::remove(s.f.path); },
       HealthState::unavailable, NoticeKind::unavailable, NoticeKind::available, true},
      {"no folder", [](Scene& s) { fs::rename(s.f.dir.path(), folder_elsewhere(s)); },
       [](Scene& s) { fs::rename(folder_elsewhere(s), s.f.dir.path()); }, HealthState::unavailable,
       NoticeKind::unavailable, NoticeKind::available, true},
  };
}

/// The keys of puts that returned true, and of those that returned false.
struct Puts {
  std::vector<std::string> taken;
  std::vector<std::string> refused;

  void add(Scene& s, const std::string& key) { (s.put(key) ? taken : refused).push_back(key); }
  [[nodiscard]] std::int64_t dropped() const { return static_cast<std::int64_t>(refused.size()); }
};

void check_reported(Scene& s, const Trouble& trouble, std::int64_t since, const Puts& puts) {
  const Health health = s.f->health();
  CHECK(health.state == trouble.state);
  CHECK(health.since == since);
  CHECK_MESSAGE(has(health.last_error, s.f.path), health.last_error);
  CHECK(health.dropped == puts.dropped());
  CHECK(s.f->stats().dropped == puts.dropped());
  CHECK(s.f.heard.count(trouble.begun) == 1);
  CHECK(has(s.f.heard.last(trouble.begun).what, s.f.path));
  CHECK(s.f.heard.last(trouble.begun).subject == s.f.path);
  CHECK(s.f.heard.count(trouble.ended) == 0);
}

/// With a store, reads find its entries. Without one, memory has the refused values.
void check_reads(Scene& s, const Trouble& trouble, const Puts& puts) {
  const bool has_store = trouble.state == HealthState::degraded;
  const bool memory_alone = !has_store && s.f.options.memory_bytes > 0;
  CHECK(s.f->get<int>("before").value_or(0) == (has_store ? 1 : 0));
  for (const std::string& key : puts.taken) CHECK(s.f->contains(key));
  for (const std::string& key : puts.refused) CHECK(s.f->contains(key) == memory_alone);
}

void check_over(Scene& s, const Trouble& trouble, const Puts& puts) {
  CacheFixture& f = s.f;
  CHECK(f->health().state == HealthState::ok);
  CHECK(f->health().since == f.clock->wall_now());
  CHECK(f.heard.count(trouble.begun) == 1);
  CHECK(f.heard.count(trouble.ended) == 1);
  CHECK(f.heard.count(NoticeKind::file_lost) == (trouble.loses_file ? 1 : 0));
  CHECK(f.heard.count(NoticeKind::quarantined) == 0);
  for (const std::string& key : puts.taken) CHECK(f.in_file(key));
  for (const std::string& key : puts.refused) CHECK_FALSE(f->contains(key));
  CHECK(f->put("after", 2));
  f->flush();
  CHECK(f.in_file("after"));
  CHECK(f->get<int>("after") == 2);
  CHECK(f->health().dropped == puts.dropped());
}

/// Three rounds of work during the trouble, and one after it.
void live_through(const Trouble& trouble, std::int64_t memory_bytes) {
  Scene s(memory_bytes);
  Puts puts;
  trouble.begin(s);
  puts.add(s, "at once");  // the cache has not noticed the trouble yet
  CHECK(puts.taken.size() == 1);
  const std::int64_t begun = s.f.clock->wall_now();
  for (int round = 0; round < 3; ++round) {
    (void)s.f->run_maintenance(1s);
    for (const std::string& key : numbered(std::to_string(round) + ": ", 3)) puts.add(s, key);
    check_reported(s, trouble, begun, puts);
    check_reads(s, trouble, puts);
    s.f.clock->advance(1min);
  }
  CHECK_FALSE(puts.refused.empty());
  trouble.end(s);
  (void)s.f->run_maintenance(1s);
  check_over(s, trouble, puts);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("lasting trouble is reported once when it begins and once when it ends") {
    for (const Trouble& trouble : lasting_troubles()) {
      for (const std::int64_t memory_bytes : {std::int64_t{0}, 16 * MiB}) {
        INFO(trouble.name << ", memory " << memory_bytes);
        live_through(trouble, memory_bytes);
      }
    }
  }

  TEST_CASE("the worker thread notices a foreign lock and its release") {
    CacheFixture f;
    f.use_thread();
    CHECK(f->put("before", 1));
    f->flush();
    REQUIRE(becomes_true([&] { return f.raw().try_run("BEGIN IMMEDIATE") == 0; }));
    CHECK(f->put("k", 2));
    CHECK(becomes_true([&] { return f.heard.count(NoticeKind::busy) == 1; }));
    CHECK(f->health().state == HealthState::degraded);
    const std::int64_t since = f->health().since;
    f.raw().run("ROLLBACK");
    CHECK(becomes_true([&] { return f.heard.count(NoticeKind::recovered) == 1; }));
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->health().since > since);
    CHECK(f.heard.count(NoticeKind::busy) == 1);
    CHECK(f.in_file("k"));
  }

  TEST_CASE("the worker thread notices that the folder is moved away and back") {
    CacheFixture f;
    f.use_thread();
    f.options.timing.maintenance_interval = 10ms;
    CHECK(f->put("before", 1));
    f->flush();
    const std::string elsewhere = f.dir.path() + ".elsewhere";
    fs::rename(f.dir.path(), elsewhere);
    CHECK(becomes_true([&] { return f.heard.count(NoticeKind::unavailable) == 1; }));
    CHECK(f->health().state == HealthState::unavailable);
    CHECK_FALSE(f->put("k", 2));
    fs::rename(elsewhere, f.dir.path());
    CHECK(becomes_true([&] { return f.heard.count(NoticeKind::available) == 1; }));
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.heard.count(NoticeKind::unavailable) == 1);
    CHECK(f.heard.count(NoticeKind::file_lost) == 1);
    CHECK(f->health().dropped == 1);
    CHECK(f->get<int>("before") == 1);  // the same file as before
    CHECK(f->put("k", 3));
    f->flush();
    CHECK(f.in_file("k"));
  }
}
