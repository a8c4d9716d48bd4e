// Files of format 1 become files of format 2 when they are opened for writing.

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "store/connection.hpp"
#include "store/schema.hpp"
#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/data_folder.hpp"
#include "support/opening.hpp"
#include "support/schema_file.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

constexpr int kEntries = 12;  // in the golden file

/// Copies the golden file of format 1 to the path. Only its owner may read it.
void write_format_1(const std::string& path) {
  fs::copy_file(std::string(kDataFolder) + "/format-1.cache.db", path);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

struct Format1 : CacheFixture {
  Format1() { write_format_1(path); }
};

/// Everything that a shell sees of the schema, sorted by name.
std::string schema_of(const std::string& path) {
  return shell(path,
               "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name;"
               "PRAGMA user_version; PRAGMA application_id");
}

/// Adds rows to a file of format 1, as that format's programs would: `kept` of them are kept longer
/// than they answer.
void add_rows(const std::string& path, int rows, int kept) {
  shell(path, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT " +
                  std::to_string(rows) +
                  ") INSERT INTO cache_entries (cache_key, byte_size, inserted_at, computed_at,"
                  " expires_at, keep_until, accessed_at, value)"
                  " SELECT 'row ' || i, 200, i, 1, 9000000000000000 + i,"
                  " iif(i <= " +
                  std::to_string(kept) +
                  ", 9100000000000000 - i, NULL), i, randomblob(100) FROM n");
}

std::string count_in(const std::string& path, const std::string& index,
                     const std::string& condition) {
  return shell(path, "SELECT count(*) FROM cache_entries INDEXED BY " + index + " WHERE " +
                         condition + " AND cache_key GLOB 'row *'");
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("an upgraded file has the same schema as a new one") {
    Format1 old;
    (void)old.cache();
    old.close();
    CacheFixture fresh;
    (void)fresh.cache();
    fresh.close();
    CHECK(schema_of(old.path) == schema_of(fresh.path));
  }

  TEST_CASE("rows of an upgraded file are not checked until they are written again") {
    Format1 f;
    CHECK(f->get<int>("integer") == 42);
    CHECK(f.raw().integer("SELECT count(checksum) FROM cache_entries") == 0);
    (void)f->put("integer", 43);
    f->flush();
    CHECK(f.raw().rows("SELECT cache_key FROM cache_entries WHERE checksum IS NOT NULL") ==
          "integer");
    CHECK(f->get<int>("integer") == 43);
  }

  TEST_CASE("the indexes of an upgraded file have all rows that end") {
    Format1 f;
    add_rows(f.path, 5'000, 1'000);
    CHECK(f->stats().entries == kEntries + 5'000);
    f.close();
    CHECK(count_in(f.path, "cache_entries_expires_at",
                   "expires_at IS NOT NULL AND keep_until IS NULL") == "4000\n");
    CHECK(count_in(f.path, "cache_entries_keep_until", "keep_until IS NOT NULL") == "1000\n");
    CHECK(shell(f.path, "PRAGMA integrity_check") == "ok\n");
  }

  TEST_CASE("what people have added to a file of format 1 survives its upgrade") {
    Format1 f;
    shell(f.path,
          "CREATE VIEW mine AS SELECT cache_key FROM cache_entries;"
          "CREATE INDEX my_index ON cache_entries (byte_size);"
          "CREATE TABLE my_table (a); INSERT INTO my_table VALUES ('kept');"
          "DROP VIEW cache_by_calculation; CREATE TABLE cache_by_calculation (a);"
          "DROP VIEW cache_overview; CREATE VIEW cache_overview AS SELECT 1 AS entries;"
          "ANALYZE");
    CHECK(f->get<int>("integer") == 42);
    CHECK(f.heard.notices().empty());
    f.close();
    CHECK(shell(f.path, "SELECT count(*) FROM mine; SELECT a FROM my_table") == "12\nkept\n");
    CHECK(shell(f.path, "SELECT type FROM sqlite_schema WHERE name = 'cache_by_calculation'") ==
          "table\n");
    // A view of ours that is there is renewed.
    CHECK(shell(f.path, "SELECT entries FROM cache_overview") == "12\n");
    CHECK(shell(f.path, "SELECT name FROM sqlite_schema WHERE name = 'my_index'") == "my_index\n");
  }

  TEST_CASE("a file of format 1 whose schema was changed is set aside, and none of it is run") {
    const std::vector<std::string> changes = {
        "CREATE TABLE witness (a); CREATE TRIGGER t AFTER UPDATE ON cache_calculations BEGIN"
        " INSERT INTO witness VALUES (1); END",
        "DROP INDEX cache_entries_expires_at",
        "ALTER TABLE cache_entries ADD COLUMN checksum INTEGER",
        "ALTER TABLE cache_entries ADD COLUMN mine ANY AS (hex(value))",
        "CREATE INDEX cache_entries_keep_until ON cache_entries (keep_until)"
        " WHERE keep_until IS NOT NULL",
        "CREATE UNIQUE INDEX i ON cache_entries (cache_key, value)",
    };
    for (const std::string& change : changes) {
      INFO(change);
      Format1 f;
      shell(f.path, change);
      CHECK(f->stats().entries == 0);
      CHECK(f.heard.count(NoticeKind::quarantined) == 1);
    }
  }

  // Made by a person: an index of that name without a condition does no harm in format 1.
  TEST_CASE("a file of format 1 that cannot be upgraded is set aside") {
    Format1 f;
    shell(f.path, "CREATE INDEX cache_entries_keep_until ON cache_entries (keep_until)");
    CHECK(f->stats().entries == 0);
    CHECK(f.heard.count(NoticeKind::quarantined) == 1);
  }

  TEST_CASE("a file of format 1 with damaged rows is set aside when they are met") {
    Format1 f;
    add_rows(f.path, 2'000, 0);
    shell(f.path, "PRAGMA wal_checkpoint(TRUNCATE)");
    std::string content = read_file(f.path);
    const std::size_t pages = content.size() / 4'096;
    for (std::size_t page = 15; page < pages; ++page) {
      if (content[page * 4'096] == 13) content.replace(page * 4'096, 64, std::string(64, '\xA5'));
    }
    write_file(f.path, content);
    CHECK(f->stats().entries == 0);
    CHECK(f.heard.count(NoticeKind::quarantined) == 1);
    CHECK(f->put("new", 1));
  }

  TEST_CASE("a file of format 1 that another program locks is upgraded when that has ended") {
    const TempDir dir;
    const std::string path = dir.path("x");
    write_format_1(path);
    {
      Program other({"sqlite3", path});
      other.send("BEGIN IMMEDIATE; SELECT 'held';");
      REQUIRE(other.read_line() == "held");
      CHECK(outcome(open_at(path)) == "busy");
    }
    const auto opening = open_at(path);
    CHECK(opening.quarantine.empty());
    CHECK((*opening.store)->totals()->entries == kEntries);
  }

  TEST_CASE("a disk that is too full for the upgrade leaves the file of format 1 as it was") {
    const TempDir dir;
    const std::string path = dir.path("x");
    write_format_1(path);
    const std::string before = schema_of(path);
    {
      const auto connection = open_schema(path);
      connection->database().exec("PRAGMA max_page_count=1");  // no more than there are
      const auto upgraded = store::upgrade_schema(connection->database());
      REQUIRE_FALSE(upgraded);
      CHECK(upgraded.failure().kind == base::FailureKind::full);
    }
    CHECK(schema_of(path) == before);
    const auto opening = open_at(path);
    CHECK(opening.quarantine.empty());
    CHECK((*opening.store)->totals()->entries == kEntries);
  }

  TEST_CASE("a cache that only reads says that a file of format 1 must be upgraded first") {
    const TempDir dir;
    const std::string path = dir.path("x");
    write_format_1(path);
    const auto before = facts_of(dir.path());
    const auto opening = open_read_only(path);
    CHECK(outcome(opening) == "unavailable");
    CHECK(message_of(opening) ==
          "cannot open the cache '" + path +
              "': it is of the older format 1, which is upgraded, not read; open it for writing "
              "once, as its application does at its start, to create or upgrade the cache");
    CHECK(read_file(path) == before.at(path).substr(before.at(path).size() - fs::file_size(path)));
    CHECK(outcome(open_at(path)) == "open");
    CHECK(outcome(open_read_only(path)) == "open");
  }
}
