#include "store/schema.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <string>
#include <vector>

#include "base/platform.hpp"
#include "store/connection.hpp"
#include "store/schema_sql.hpp"
#include "support/child.hpp"
#include "support/opening.hpp"
#include "support/schema_file.hpp"
#include "support/temp_dir.hpp"

using namespace ashmemo::store;
using namespace ashmemo::test;
using State = SchemaVerdict::State;

namespace {

SchemaVerdict verdict_on(const std::string& path) {
  const auto verdict = compare_schema(open_schema(path)->database());
  REQUIRE_MESSAGE(verdict, verdict.failure().what);
  return *verdict;
}

// The verdict on a new file after the SQLite shell ran `sql` on it.
SchemaVerdict verdict_after(const std::string& sql) {
  const TempDir dir;
  const std::string path = new_file(dir);
  shell(path, sql);
  return verdict_on(path);
}

std::int64_t big_endian(const std::string& bytes, std::size_t at) {
  std::int64_t number = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    number = number * 256 + static_cast<unsigned char>(bytes[i]);
  }
  return number;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("compare_schema accepts a new schema") {
    const TempDir dir;
    CHECK(verdict_on(new_file(dir)).state == State::ours);
  }

  TEST_CASE("compare_schema reports a database without pages as empty") {
    const TempDir dir;
    CHECK(verdict_on(dir.path("new.db")).state == State::empty);
  }

  TEST_CASE("SQLite keeps the text of the definitions unchanged") {
    const TempDir dir;
    const std::string path = new_file(dir);
    for (const auto& object : kSchemaObjects) {
      CHECK(shell(path, "SELECT sql FROM sqlite_schema WHERE name = '" + std::string(object.name) +
                            "'") == std::string(object.sql) + '\n');
    }
  }

  TEST_CASE("the header of a new file is complete after the first commit") {
    const TempDir dir;
    const std::string path = dir.path("x.db");
    const auto connection = open_schema(path);
    REQUIRE(create_schema(connection->database()));
    // The process may end before the switch to WAL mode, so the header must be complete now.
    const std::string bytes = read_file(path);
    CHECK(bytes.substr(0, 16) == std::string("SQLite format 3\0", 16));
    CHECK(bytes.substr(68, 4) == "AMmo");
    CHECK(big_endian(bytes, 60) == kFormatVersion);
    CHECK_FALSE(exists(path + "-journal"));
  }

  TEST_CASE("a new file has the settings of the format, not the defaults of SQLite") {
    const TempDir dir;
    const std::string path = new_file(dir);
    CHECK(shell(path,
                "PRAGMA journal_mode; PRAGMA page_size; PRAGMA auto_vacuum; PRAGMA encoding;") ==
          "wal\n4096\n2\nUTF-8\n");
  }

  TEST_CASE("the database is empty after a failed creation") {
    const TempDir dir;
    const std::string path = dir.path("x.db");
    const auto connection = open_schema(path);
    connection->database().exec("PRAGMA max_page_count=5");
    const auto created = create_schema(connection->database());
    REQUIRE_FALSE(created);
    CHECK(created.failure().kind == ashmemo::base::FailureKind::full);
    CHECK(read_file(path).empty());
    CHECK(compare_schema(connection->database())->state == State::empty);
    connection->database().exec("PRAGMA max_page_count=1000000");
    CHECK(create_schema(connection->database()));
    CHECK(compare_schema(connection->database())->state == State::ours);
  }

  TEST_CASE("a database without our application id is foreign") {
    CHECK(verdict_after("PRAGMA application_id = 0").state == State::foreign);
    CHECK(verdict_after("PRAGMA application_id = 77").state == State::foreign);
  }

  TEST_CASE("compare_schema distinguishes a newer format version from an impossible one") {
    const SchemaVerdict newer = verdict_after("PRAGMA user_version = 3");
    CHECK(newer.state == State::newer);
    CHECK(newer.why.find("format 3") != std::string::npos);
    CHECK(verdict_after("PRAGMA user_version = 0").state == State::changed);
    CHECK(verdict_after("PRAGMA user_version = -1").state == State::changed);
  }

  TEST_CASE("compare_schema accepts harmless changes by other programs") {
    const std::vector<std::string> harmless = {
        "CREATE VIEW mine AS SELECT cache_key FROM cache_entries",
        "DROP VIEW cache_overview",
        "DROP VIEW cache_overview; CREATE VIEW cache_overview AS SELECT 1",
        "CREATE INDEX mine ON cache_entries (byte_size)",
        "CREATE INDEX mine ON cache_entries (cache_key COLLATE NOCASE DESC, byte_size)",
        "CREATE TABLE mine (a PRIMARY KEY, b UNIQUE); CREATE INDEX m ON mine (b) WHERE b > 1;"
        "CREATE INDEX n ON mine (abs(b))",
        "CREATE TABLE mine (a INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TABLE mine (a REFERENCES cache_entries (cache_key) ON DELETE CASCADE)",
        "ANALYZE",
        "VACUUM",
        "REINDEX",
        "PRAGMA journal_mode = DELETE",
    };
    for (const std::string& sql : harmless) {
      INFO(sql);
      CHECK(verdict_after(sql).state == State::ours);
    }
  }

  TEST_CASE("compare_schema names foreign code and changed definitions") {
    struct Case {
      std::string sql;
      std::string why;
    };
    const std::vector<Case> changes = {
        {"CREATE TRIGGER evil AFTER INSERT ON cache_entries BEGIN SELECT 1; END", "'evil'"},
        {"CREATE TABLE mine (a);"
         "CREATE TRIGGER evil AFTER INSERT ON mine BEGIN SELECT 1; END",
         "'evil'"},
        {"CREATE VIEW mine AS SELECT 1 AS a;"
         "CREATE TRIGGER evil INSTEAD OF INSERT ON mine BEGIN SELECT 1; END",
         "'evil'"},
        {"CREATE VIRTUAL TABLE search USING fts5(a)", "'search'"},
        {"CREATE VIRTUAL TABLE search USING fts5(a); PRAGMA writable_schema=ON;"
         "UPDATE sqlite_schema SET rootpage = 5 WHERE name = 'search'",
         "'search'"},
        {"ALTER TABLE cache_entries ADD COLUMN mine ANY", "'cache_entries'"},
        {"ALTER TABLE cache_totals RENAME COLUMN bytes TO octets", "'cache_totals'"},
        {"ALTER TABLE cache_calculations RENAME TO calculations", "missing"},
        {"DROP TABLE cache_calculations", "missing"},
        {"DROP INDEX cache_entries_expires_at", "missing"},
        {"DROP INDEX cache_entries_expires_at;"
         "CREATE INDEX cache_entries_expires_at ON cache_entries (expires_at)",
         "'cache_entries_expires_at'"},
        {"DROP TRIGGER cache_entries_count_insert", "missing"},
        {"DROP TRIGGER cache_entries_unchecked_update", "missing"},
        {"DROP INDEX cache_entries_keep_until", "missing"},
        {"PRAGMA user_version = 1", "'cache_entries'"},
        {"DROP TRIGGER cache_entries_count_insert; CREATE TRIGGER cache_entries_count_insert"
         " AFTER INSERT ON cache_entries BEGIN SELECT 1; END",
         "'cache_entries_count_insert'"},
        {"CREATE UNIQUE INDEX mine ON cache_entries (value)", "unique"},
        {"CREATE INDEX mine ON cache_entries (byte_size) WHERE byte_size > 1", "partial"},
        {"CREATE INDEX mine ON cache_entries (abs(byte_size))", "plain columns"},
        {"PRAGMA journal_mode=DELETE; PRAGMA page_size=8192; VACUUM", "page size"},
        {"PRAGMA auto_vacuum=NONE; VACUUM", "auto_vacuum"},
        {"DELETE FROM cache_totals", "missing"},
        {"PRAGMA ignore_check_constraints=1; INSERT INTO cache_totals VALUES (2, 0, 0, 0, 0, 0)",
         "cache_totals"},
    };
    for (const Case& change : changes) {
      INFO(change.sql);
      const SchemaVerdict verdict = verdict_after(change.sql);
      CHECK(verdict.state == State::changed);
      CHECK_MESSAGE(verdict.why.find(change.why) != std::string::npos, verdict.why);
    }
  }

  TEST_CASE("compare_schema rejects an index with an unknown collation") {
    const TempDir dir;
    const std::string path = new_file(dir);
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
    const auto compare = [](void*, int, const void*, int, const void*) { return 0; };
    sqlite3_create_collation(database, "mine", SQLITE_UTF8, nullptr, compare);
    CHECK(sqlite3_exec(database, "CREATE INDEX i ON cache_entries (cache_key COLLATE mine)",
                       nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
    CHECK(verdict_on(path).state == State::changed);
  }

  TEST_CASE("compare_schema rejects totals of a wrong type") {
    CHECK(verdict_after("PRAGMA writable_schema=ON;"
                        "UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')')"
                        " WHERE name = 'cache_totals'")
              .state == State::changed);
    // Writes a value of the wrong type, as another program could, and restores the definition.
    const SchemaVerdict verdict = verdict_after(
        "PRAGMA writable_schema=ON;"
        "UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE name = 'cache_totals';"
        "PRAGMA writable_schema=RESET;"
        "UPDATE cache_totals SET bytes = 'many';"
        "PRAGMA writable_schema=ON;"
        "UPDATE sqlite_schema SET sql = sql || ' STRICT' WHERE name = 'cache_totals';");
    CHECK(verdict.state == State::changed);
    CHECK(verdict.why.find("cache_totals") != std::string::npos);
  }

  TEST_CASE("ensure_wal is permanent and can be repeated") {
    const TempDir dir;
    const std::string path = new_file(dir);
    shell(path, "PRAGMA journal_mode=DELETE");
    const auto connection = open_schema(path);
    CHECK(ensure_wal(connection->database()));
    CHECK(ensure_wal(connection->database()));
    CHECK(read_file(path).substr(18, 2) == "\2\2");
    CHECK(exists(path + "-wal"));
  }

  TEST_CASE("create_schema fails as busy while another program holds a lock") {
    const TempDir dir;
    const std::string path = dir.path("x.db");
    Program other({"sqlite3", path});
    other.send("BEGIN EXCLUSIVE; SELECT 'held';");
    REQUIRE(other.read_line() == "held");
    ConnectionOptions options;
    options.role = Role::writer;
    auto connection = Connection::open(path, options);
    if (connection) {
      const auto created = create_schema((*connection)->database());
      REQUIRE_FALSE(created);
      CHECK(created.failure().kind == ashmemo::base::FailureKind::busy);
    } else {
      CHECK(connection.failure().kind == ashmemo::base::FailureKind::busy);
    }
  }
}
