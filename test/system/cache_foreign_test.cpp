// Other programs use the file while the cache is open: the sqlite3 shell, locks, long reads,
// deletion and replacement.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// Makes a database of another program.
void make_notes(const std::string& path) {
  const std::string sql = "CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')";
  REQUIRE(run_program({"sqlite3", path, sql}).exit_code == 0);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a refused second cache and a shell lose no committed row") {
    CacheFixture f;
    CHECK(f->put("before", 1));
    f->flush();
    CHECK(code_thrown_by([&] { const Cache second(f.path, f.options); }) == "file_in_use");
    Options reading = f.options;
    reading.access = Access::read_only;
    { const Cache reader(f.path, reading); }
    // The shell would delete the log if this process had lost its locks.
    CHECK(f.shell("select 1") == "1\n");
    CHECK(exists(f.path + "-wal"));
    CHECK(f->put("after", 2));
    f->flush();
    CHECK(f.shell("SELECT cache_key FROM cache_entries ORDER BY 1") == "after\nbefore\n");
    CHECK(f->get<int>("before") == 1);
  }

  TEST_CASE("a row that a shell deletes becomes a miss and the totals stay exact") {
    CacheFixture f;
    f.fill("k", 20);
    f->flush();
    CHECK(f->get<std::string>("k7").has_value());
    const std::int64_t cost = f->entry("k7")->byte_size;
    const std::int64_t bytes = f->stats().bytes;
    CHECK(f.shell("DELETE FROM cache_entries WHERE cache_key = 'k7'") == "");
    SUBCASE("after run_maintenance") { (void)f->run_maintenance(1s); }
    SUBCASE("after a flush") { f->flush(); }
    SUBCASE("after any commit") {
      CHECK(f->put("other", 1));
      f->flush();
      CHECK(f->erase("other"));
    }
    CHECK_FALSE(f->get<std::string>("k7").has_value());
    CHECK_FALSE(f->contains("k7"));
    CHECK(f->stats().entries == 19);
    CHECK(f->stats().bytes == bytes - cost);
    CHECK(f->check().ok);
  }

  TEST_CASE("rows that a shell inserts or changes are read") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f->get<int>("k") == 1);
    CHECK(f.shell("INSERT INTO cache_entries (cache_key, byte_size, inserted_at, computed_at,"
                  " accessed_at, value) VALUES ('theirs', 200, 5, 5, 5, 'hello')") == "");
    CHECK(f.shell("UPDATE cache_entries SET value = 2, byte_size = 500 WHERE cache_key = 'k'") ==
          "");
    (void)f->run_maintenance(1s);
    f->flush();
    CHECK(f->get<std::string>("theirs") == "hello");
    CHECK(f->get<int>("k") == 2);
    CHECK(f->stats().entries == 2);
    CHECK(f->stats().bytes == 700);
    CHECK(f->put("k", 3));
    CHECK(f->erase("theirs"));
    f->flush();
    CHECK(f->stats().entries == 1);
  }

  TEST_CASE("no write is lost while a shell holds BEGIN IMMEDIATE") {
    CacheFixture f;
    f.options.timing.max_wait = 0s;
    f.fill("before ", 50);
    f->flush();
    Program shell({"sqlite3", f.path});
    shell.send("BEGIN IMMEDIATE; SELECT 'held';");
    REQUIRE(shell.read_line() == "held");
    f.fill("during ", 500);
    int computed = 0;
    for (const std::string& key : numbered("during ", 600)) {
      CHECK(f->get_or_compute(key, [&] { return ++computed, std::string("c"); }).size() >= 1);
    }
    CHECK(computed == 100);
    for (const std::string& key : numbered("before ", 50)) CHECK(f->contains(key));
    CHECK_FALSE(f->run_maintenance(1s));
    CHECK(code_thrown_by([&] { f->flush(); }) == "store_failed");
    CHECK(f->health().state == HealthState::degraded);
    CHECK(f->stats().dropped == 0);
    shell.send("ROLLBACK;");
    CHECK(shell.finish().exit_code == 0);
    f->flush();
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->stats().entries == 650);
    CHECK(f->stats().dropped == 0);
    CHECK(f.heard.count(NoticeKind::busy) == 1);
    CHECK(f.heard.count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("the worker thread writes the queue when a shell releases its lock") {
    CacheFixture f;
    f.use_thread();
    f.options.timing.max_wait = 0s;
    f.fill("before ", 10);
    f->flush();
    Program shell({"sqlite3", f.path});
    shell.send(".timeout 60000\nBEGIN IMMEDIATE; SELECT 'held';");
    REQUIRE(shell.read_line() == "held");
    f.fill("during ", 500);
    (void)f->erase("before 3");
    CHECK_FALSE(f->contains("before 3"));
    CHECK(f->contains("during 499"));
    CHECK(f->stats().queue_bytes > 0);
    shell.send("ROLLBACK;");
    CHECK(shell.finish().exit_code == 0);
    CHECK(becomes_true([&] { return f->stats().queue_bytes == 0; }));
    CHECK(f.rows_in_file() == 509);
    CHECK_FALSE(f.in_file("before 3"));
    CHECK(becomes_true([&] { return f->health().state == HealthState::ok; }));
    CHECK(f->stats().dropped == 0);
  }

  TEST_CASE("a shell that reads for a long time is reported until it ends") {
    CacheFixture f;
    f.fill("k", 100);
    f->flush();
    Program shell({"sqlite3", f.path});
    shell.send("BEGIN; SELECT count(*) FROM cache_entries;");
    REQUIRE(shell.read_line() == "100");
    for (int round = 0; round < 3; ++round) {
      f.fill("large ", 500, 10'000);
      f->flush();
    }
    (void)f.run_to_the_end();
    CHECK(f->health().foreign_reader);
    CHECK(f.heard.count(NoticeKind::foreign_reader) == 1);
    const std::int64_t grown = f->stats().wal_bytes;
    CHECK(grown > 4 * MiB);
    shell.send("COMMIT;");
    CHECK(shell.finish().exit_code == 0);
    f->compact();
    CHECK_FALSE(f->health().foreign_reader);
    CHECK(f->stats().wal_bytes <= 1'100'000);
    CHECK(f->get<std::string>("large 1").has_value());
  }

  TEST_CASE("a foreign reader cannot make the log longer than max_wal_bytes") {
    CacheFixture f({.limits = {.max_bytes = 4 * MiB}, .queue_bytes = MiB});
    CHECK(f->put("first", "value"));
    f->flush();
    Program shell({"sqlite3", f.path});
    shell.send("BEGIN; SELECT count(*) FROM cache_entries;");
    REQUIRE(shell.read_line() == "1");
    for (int round = 0; round < 20; ++round) {
      for (const std::string& key : numbered(std::to_string(round) + ' ', 2'000)) {
        (void)f->put(key, std::string(2'000, 'z'));
      }
      (void)f->run_maintenance();
      const Stats stats = f->stats();
      CHECK(stats.wal_bytes <= 12 * MiB);
      CHECK(stats.file_bytes + stats.wal_bytes <= 5 * MiB + 16 * MiB);
    }
    CHECK(f->health().state == HealthState::degraded);
    CHECK(f->health().foreign_reader);
    CHECK(f->stats().dropped > 10'000);
    CHECK(has(f.heard.last(NoticeKind::busy).what, "Limits::max_wal_bytes"));
    CHECK(code_thrown_by([&] { f->flush(); }) == "store_failed");

    shell.send("COMMIT;");
    CHECK(shell.finish().exit_code == 0);
    (void)f->run_maintenance();
    CHECK(f->health().state == HealthState::ok);
    CHECK_FALSE(f->health().foreign_reader);
    CHECK(f->put("later", "value"));
    f->flush();
    CHECK(f.in_file("later"));
  }

  TEST_CASE("values are readable and the views answer while the cache is open") {
    CacheFixture f;
    f.clock->set_wall(system_clock()->wall_now());  // the views use the machine's clock
    CHECK(f->put("theme", "dark"));
    CHECK(f->put("answer", 42));
    CHECK(f->put("ratio", 0.87));
    CHECK(f->put("soon", "x", {.ttl = 1h}));
    f->flush();
    CHECK(f->get<int>("answer") == 42);
    f->flush();
    CHECK(f.shell("SELECT cache_key, value FROM cache_entries ORDER BY 1") ==
          "answer|42\nratio|0.87\nsoon|x\ntheme|dark\n");
    CHECK(f.shell("SELECT entries, never_read FROM cache_overview") == "4|3\n");
    CHECK(f.shell("SELECT bytes FROM cache_overview") == std::to_string(f->stats().bytes) + '\n');
    CHECK(f.shell("SELECT state FROM cache_entries_readable WHERE cache_key = 'soon'") ==
          "fresh\n");
    CHECK(f.shell("SELECT ttl_left BETWEEN 3500 AND 3600 FROM cache_entries_readable"
                  " WHERE cache_key = 'soon'") == "1\n");
    CHECK(f.shell("SELECT cache_key, reads FROM cache_entries_readable WHERE reads > 0") ==
          "answer|1\n");
    CHECK(f.shell("SELECT entries FROM cache_by_calculation") == "4\n");
  }

  TEST_CASE("a trigger that another program adds never runs") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f.shell("CREATE TABLE witness (a); CREATE TRIGGER spy AFTER INSERT ON cache_entries BEGIN"
                  " INSERT INTO witness VALUES (1); END") == "");
    CHECK(f->put("l", 2));
    (void)f.run_to_the_end();
    f.clock->advance(1min);
    f->flush();
    CHECK(f->get<int>("l") == 2);
    CHECK(f->stats().queue_bytes == 0);
    f->close();
    CHECK(f.in_file("l"));
    f.close_raw();
    // The file may be quarantined, but the trigger must not have run in any file.
    for (const auto& entry : fs::directory_iterator(f.dir.path())) {
      const std::string file = entry.path().string();
      if (file.ends_with("-lock") || file.ends_with("-shm") || file.ends_with("-wal")) continue;
      const ChildEnd end = run_program({"sqlite3", file,
                                        "SELECT count(*) FROM sqlite_schema s WHERE s.name ="
                                        " 'witness'; SELECT count(*) FROM witness"});
      CHECK((has(end.said, "no such table") || end.said == "1\n0\n"));
    }
  }

  TEST_CASE("a file deleted while the cache is open is created again") {
    CacheFixture f;
    f.fill("k", 10);
    f->flush();
    CHECK(f->get<std::string>("k1").has_value());
    f.close_raw();
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(f.path + suffix);
    f.clock->advance(1min);
    (void)f->run_maintenance(1s);
    f.clock->advance(1min);
    (void)f->run_maintenance(1s);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.heard.count(NoticeKind::file_lost) == 1);
    CHECK(f.heard.notices().size() == 1);
    CHECK_FALSE(f->get<std::string>("k1").has_value());
    CHECK(f->stats().entries == 0);
    CHECK(f->stats().dropped == 0);
    CHECK(f->put("new", 1));
    f->flush();
    CHECK(f.shell("SELECT cache_key FROM cache_entries") == "new\n");
  }

  TEST_CASE("a foreign file that replaces the cache file is not changed") {
    CacheFixture f;
    f.expect_no_order();
    CHECK(f->put("k", 1));
    f->flush();
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(f.path + suffix);
    make_notes(f.dir.path("mine"));
    fs::rename(f.dir.path("mine"), f.path);
    const std::string before = read_file(f.path);
    f.clock->advance(1min);
    (void)f->run_maintenance(1s);
    CHECK(f->health().state == HealthState::unavailable);
    CHECK_FALSE(f->get<int>("k").has_value());
    CHECK_FALSE(f->put("k", 2));
    CHECK(f->get_or_compute("k", [] { return 3; }) == 2);  // memory has it
    CHECK(f->get_or_compute("other", [] { return 3; }) == 3);
    CHECK(f->stats().dropped == 2);
    CHECK(f.heard.count(NoticeKind::file_lost) == 1);
    CHECK(f.heard.count(NoticeKind::unavailable) == 1);
    CHECK(has(f.heard.last(NoticeKind::unavailable).what, f.path));
    f->close();
    CHECK(read_file(f.path) == before);
  }

  TEST_CASE("a link, pipe, directory or second name that replaces the file is not changed") {
    const std::map<std::string, std::function<void(const std::string&)>> replacements = {
        {"a link", [](const std::string& path) { fs::create_symlink(path + ".old", path); }},
        {"a dangling link", [](const std::string& path) { fs::create_symlink("nowhere", path); }},
        {"a pipe", [](const std::string& path) { REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }},
        {"a directory", [](const std::string& path) { fs::create_directory(path); }},
        {"a second name",
         [](const std::string& path) { fs::create_hard_link(path + ".old", path); }},
    };
    for (const auto& replacement : replacements) {
      INFO(replacement.first);
      CacheFixture f;
      f.expect_no_order();
      CHECK(f->put("k", 1));
      f->flush();
      f->compact();
      for (const char* suffix : {"-wal", "-shm"}) fs::remove(f.path + suffix);
      fs::rename(f.path, f.path + ".old");
      replacement.second(f.path);
      const fs::file_status before = fs::symlink_status(f.path);
      f.clock->advance(1min);
      (void)f->run_maintenance(1s);
      CHECK(f->health().state == HealthState::unavailable);
      CHECK_FALSE(f->put("k", 2));
      CHECK(f->get_or_compute("other", [] { return 3; }) == 3);
      f->close();
      CHECK(fs::symlink_status(f.path).type() == before.type());
      CHECK(fs::symlink_status(f.path).permissions() == before.permissions());
      CHECK(f.heard.count(NoticeKind::quarantined) == 0);
    }
  }

  TEST_CASE("a copy that replaces the file is read, or quarantined if its version is newer") {
    for (const std::string version : {"", "PRAGMA user_version=999"}) {
      INFO(version);
      CacheFixture f;
      CHECK(f->put("k", 1));
      f->flush();
      f->backup(f.dir.path("copy.db"));
      if (!version.empty()) (void)run_program({"sqlite3", f.dir.path("copy.db"), version});
      CHECK(f->put("k", 2));
      f->flush();
      for (const char* suffix : {"-wal", "-shm"}) fs::remove(f.path + suffix);
      fs::rename(f.dir.path("copy.db"), f.path);
      f.clock->advance(1min);
      (void)f->run_maintenance(1s);
      f.clock->advance(1min);
      (void)f->run_maintenance(1s);
      CHECK(f->health().state == HealthState::ok);
      CHECK(f->get<int>("k").value_or(0) == (version.empty() ? 1 : 0));
      CHECK(f.heard.count(NoticeKind::quarantined) == (version.empty() ? 0 : 1));
    }
  }
}
