// Another program changes the schema while the cache is open.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

const std::string kWitness = "CREATE TABLE witness (a); INSERT INTO witness VALUES ('quiet'); ";

const std::string kValue(10, 'x');  // the value of all entries that were stored before

/// Does each kind of work until the worker has noticed the change. Every read returns the stored
/// value or a miss.
void work(CacheFixture& f) {
  for (int round = 0; round < 4; ++round) {
    CHECK(f->get<std::string>("k1").value_or(kValue) == kValue);
    for (const auto& value : f->get_many<std::string>({"k4", "k5"})) {
      CHECK(value.value_or(kValue) == kValue);
    }
    f->for_each("k", [](const EntryInfo&, ValueView value) { CHECK(value.bytes() == kValue); });
    (void)f->put("new", round);
    (void)f->touch("k2");
    (void)f->erase("k3");
    (void)f.run_to_the_end();
    f.clock->advance(1min);
  }
}

std::string quarantine_file(const CacheFixture& f) {
  for (const auto& entry : fs::directory_iterator(f.dir.path())) {
    const std::string name = entry.path().string();
    if (has(name, ".corrupt-") && !name.ends_with("-wal") && !name.ends_with("-shm")) return name;
  }
  return {};
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a changed schema quarantines the file of an open cache and foreign code never runs") {
    const std::vector<std::string> changes = {
        "CREATE TRIGGER t AFTER INSERT ON cache_entries BEGIN UPDATE witness SET a = 'ran'; END",
        "CREATE TRIGGER t BEFORE UPDATE ON cache_entries BEGIN UPDATE witness SET a = 'ran'; END",
        "CREATE TRIGGER t BEFORE DELETE ON cache_entries BEGIN UPDATE witness SET a = 'ran'; END",
        "CREATE TRIGGER t AFTER UPDATE ON cache_totals BEGIN UPDATE witness SET a = 'ran'; END",
        "CREATE VIRTUAL TABLE v USING fts5(a)",
        "CREATE UNIQUE INDEX i ON cache_entries (computed_at, cache_key)",
        "CREATE INDEX i ON cache_entries (hex(value))",
        "CREATE INDEX i ON cache_entries (byte_size) WHERE length(value) > 3",
        "ALTER TABLE cache_entries ADD COLUMN mine ANY DEFAULT 'm'",
        "ALTER TABLE cache_entries ADD COLUMN mine ANY AS (hex(value))",
        "DROP VIEW cache_entries_readable; ALTER TABLE cache_entries RENAME COLUMN value TO worth",
        "DROP VIEW cache_entries_readable; ALTER TABLE cache_entries DROP COLUMN cost_us",
        "ALTER TABLE cache_entries RENAME TO others; CREATE VIEW cache_entries AS SELECT * FROM"
        " others",
        "ALTER TABLE cache_entries RENAME TO others; CREATE VIEW cache_entries AS SELECT rowid AS"
        " rowid, cache_key, byte_size, inserted_at, computed_at, fresh_until, expires_at,"
        " keep_until, accessed_at, access_count, calculation_id, record_version, cost_us,"
        " eviction_counter, eviction_queue, 'evil' AS value FROM others",
        "DROP INDEX cache_entries_inserted_at_accessed_at",
        "DROP TRIGGER cache_entries_count_delete",
        "DROP TABLE cache_calculations",
        "DROP TABLE cache_totals",
        "DELETE FROM cache_totals",
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = sql || ' ' WHERE name ="
        " 'cache_entries'; PRAGMA writable_schema=RESET",
    };
    for (const std::string& change : changes) {
      INFO(change);
      CacheFixture f;
      f.fill("k", 20, kValue.size());
      f->flush();
      f.close_raw();
      CHECK(f.shell(kWitness + change) == "");
      work(f);
      CHECK(f->health().state == HealthState::ok);
      CHECK(f.heard.count(NoticeKind::quarantined) == 1);
      CHECK(f->get<int>("new") == 3);
      const std::string old = quarantine_file(f);
      REQUIRE_FALSE(old.empty());
      CHECK(run_program({"sqlite3", old, "SELECT a FROM witness"}).said == "quiet\n");
    }
  }

  TEST_CASE("views, tables and indexes that users add to an open cache remain") {
    const std::vector<std::string> changes = {
        "CREATE VIEW mine AS SELECT cache_key FROM cache_entries",
        "DROP VIEW cache_overview",
        "CREATE TABLE mine (a CHECK (a > 1), b DEFAULT (random()), c AS (a + 1))",
        "CREATE INDEX mine ON cache_entries (byte_size)",
        "CREATE TEMP TRIGGER t AFTER INSERT ON cache_entries BEGIN UPDATE witness SET a = 1; END",
        "ANALYZE",
        "REINDEX",
        "VACUUM",
    };
    for (const std::string& change : changes) {
      INFO(change);
      CacheFixture f;
      f.fill("k", 20, kValue.size());
      f->flush();
      f.close_raw();
      CHECK(f.shell(kWitness + change) == "");
      work(f);
      CHECK(f->health().state == HealthState::ok);
      CHECK(f.heard.count(NoticeKind::quarantined) == 0);
      CHECK(f->get<std::string>("k1").has_value());
      f->flush();
      CHECK(f.shell("SELECT a FROM witness") == "quiet\n");
    }
  }
}
