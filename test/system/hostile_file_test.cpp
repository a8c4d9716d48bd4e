// Prepared files with a wrong header, schema, log or encoding.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <ashmemo/cache.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "store/schema_sql.hpp"
#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/hostile.hpp"
#include "support/opening.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// Makes a closed cache file with one entry, "old".
void prepare(CacheFixture& f) {
  CHECK(f->put("old", std::string(60, 'o')));
  f.close();
}

/// With any file all calls return, and the cache is healthy in the end.
void check_works(CacheFixture& f) {
  for (int round = 0; round < 3; ++round) {
    (void)f->put("new", 1);
    (void)f->get<std::string>("old");
    (void)f.run_to_the_end();
    f.clock->advance(1min);
  }
  CHECK(f->health().state == HealthState::ok);
  CHECK(f->put("new", 2));
  f->flush();
  CHECK(f->get<int>("new") == 2);
}

void check_quarantined(CacheFixture& f, const std::string& why) {
  check_works(f);
  CHECK(f.heard.count(NoticeKind::quarantined) == 1);
  CHECK_MESSAGE(has(f.heard.last(NoticeKind::quarantined).what, why),
                f.heard.last(NoticeKind::quarantined).what);
  CHECK_FALSE(f->contains("old"));
}

/// Makes a file with the same schema and another encoding.
void make_in_utf16(const std::string& path) {
  write_file(path, "");
  RawDatabase raw(path);
  raw.run("PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = INCREMENTAL");
  raw.run("PRAGMA application_id = " + std::to_string(0x414D6D6F) + "; PRAGMA user_version = 2");
  for (const auto& object : store::kSchemaObjects) raw.run(std::string(object.sql));
  raw.run("INSERT INTO cache_totals VALUES (1, 0, 0, 0, 0, 0)");
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a schema row with an impossible length quarantines the file") {
    CacheFixture f;
    prepare(f);
    claim_length(f.path, "CREATE TABLE cache_calculations", kMaxLength);
    check_quarantined(f, "");
  }

  // The last key of the first page of for_each is changed to the first key, so that the next page
  // would begin at the start again.
  TEST_CASE("for_each ends in a file whose keys are out of order") {
    CacheFixture f;
    for (int i = 0; i < 600; ++i) CHECK(f->put(fmt::format("k{:04}", i), 1));
    f->flush();
    f.close();
    std::string content = read_file(f.path);
    for (auto at = content.find("k0255"); at != std::string::npos; at = content.find("k0255", at)) {
      content.replace(at, 5, "k0000");
    }
    write_file(f.path, content);
    int shown = 0;
    f->for_each("", [&](const EntryInfo&) { REQUIRE(++shown < 1'000); });
    check_works(f);
    CHECK(f.heard.count(NoticeKind::quarantined) == 1);
  }

  TEST_CASE("a file is quarantined with its log if SQLite does not know the log's format") {
    CacheFixture f;
    prepare(f);
    write_file(f.path + "-wal",
               std::string("\x37\x7F\x06\x82\x00\x2D\xE2\x19", 8) + std::string(24 + 4120, 'w'));
    fs::permissions(f.path + "-wal", fs::perms::owner_read | fs::perms::owner_write);
    check_quarantined(f, "write-ahead log");
  }

  TEST_CASE("a log of garbage is ignored") {
    CacheFixture f;
    prepare(f);
    write_file(f.path + "-wal", std::string(100'000, 'w'));
    fs::permissions(f.path + "-wal", fs::perms::owner_read | fs::perms::owner_write);
    check_works(f);
    CHECK(f->contains("old"));
    CHECK(f.heard.count(NoticeKind::quarantined) == 0);
  }

  TEST_CASE("a cache works with the log of another cache beside its file") {
    CacheFixture other;
    other.fill("other ", 200);
    other->flush();
    const std::string log = read_file(other.path + "-wal");
    other.close_raw();
    CacheFixture f;
    prepare(f);
    write_file(f.path + "-wal", log);
    fs::permissions(f.path + "-wal", fs::perms::owner_read | fs::perms::owner_write);
    check_works(f);
    f.expect_no_order();  // the file may have pages of both caches
  }

  TEST_CASE("a cache works with wrong numbers in the file header") {
    struct Field {
      std::size_t at;
      std::size_t bytes;
    };
    // Reserved bytes, fractions, pages, free pages, schema cookie, schema format, cache size,
    // largest root, encoding, incremental vacuum, SQLite's version.
    for (const Field field :
         {Field{20, 1}, Field{21, 3}, Field{28, 4}, Field{32, 4}, Field{36, 4}, Field{40, 4},
          Field{44, 4}, Field{48, 4}, Field{52, 4}, Field{56, 4}, Field{64, 4}, Field{96, 4}}) {
      for (const unsigned number : {0U, 1U, 2U, 5U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
        INFO(field.at << " = " << number);
        CacheFixture f;
        prepare(f);
        write_number(f.path, field.at, field.bytes, number);
        check_works(f);
        f.expect_no_order();
      }
    }
  }

  TEST_CASE("a file in another text encoding is quarantined") {
    CacheFixture f;
    prepare(f);
    fs::remove(f.path);
    make_in_utf16(f.path);
    fs::permissions(f.path, fs::perms::owner_read | fs::perms::owner_write);
    check_quarantined(f, "encoding");
    CHECK(f->put("bytes", std::string("\xFF\xFE\x80")));
    f->flush();
    CHECK(f->get<std::string>("bytes") == std::string("\xFF\xFE\x80"));
  }

  TEST_CASE("a file with foreign code in table definitions is quarantined") {
    const std::vector<std::string> changes = {
        "replace(sql, 'value ANY', 'value ANY DEFAULT (randomblob(1000000000))')",
        "replace(sql, 'value ANY', 'value ANY CHECK (length(randomblob(1000000000)))')",
        "replace(sql, 'value ANY', 'value ANY, more ANY AS (randomblob(1000000000))')",
        "replace(sql, 'cost_us INTEGER', 'cost_us INTEGER REFERENCES cache_entries (cache_key)')",
        "replace(sql, 'TEXT PRIMARY', 'TEXT COLLATE mine PRIMARY')",
        "replace(sql, ') STRICT', ') STRICT, WITHOUT ROWID')",
        "replace(sql, 'cache_entries', 'Cache_Entries')",
        "sql || ' '",
        "NULL",
        "'CREATE VIEW cache_entries AS SELECT 1'",
    };
    for (const std::string& change : changes) {
      INFO(change);
      CacheFixture f;
      prepare(f);
      shell(f.path, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = " + change +
                        " WHERE name = 'cache_entries'");
      check_quarantined(f, "");
    }
  }

  TEST_CASE("messages escape control characters in names and keys") {
    CacheFixture f;
    CHECK(f->put("red\x1b[31m", std::string("\n")));
    f->flush();
    CHECK_FALSE(f->get<int>("red\x1b[31m").has_value());
    f->flush();
    CHECK(has(f.heard.last(NoticeKind::undecodable).what, "red\\x1B[31m"));
    CHECK(f.heard.last(NoticeKind::undecodable).subject == "red\x1b[31m");
    CHECK(has(f->health().last_error, "red\\x1B[31m"));
    f.close();
    shell(f.path, "CREATE TRIGGER \"\x1b[31m\" AFTER INSERT ON cache_entries BEGIN SELECT 1; END");
    Options options = f.options;
    options.access = Access::read_only;
    options.when_unavailable = WhenUnavailable::throw_error;
    const auto error = thrown_by([&] { const Cache cache(f.path, options); });
    REQUIRE(error);
    CHECK(to_string(error->code()) == "damaged");
    CHECK(has(error->what(), "'\\x1B[31m'"));
    check_quarantined(f, "'\\x1B[31m'");
  }

  TEST_CASE("a cache works after rows of the schema are forged") {
    const std::string insert = "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES ";
    const std::vector<std::string> lines = {
        "('view', 'v', 'v', 0, 'CREATE TRIGGER v AFTER INSERT ON cache_entries BEGIN SELECT 1; "
        "END')",
        "('view', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING fts5(a)')",
        "('view', 'i', 'cache_entries', 7, 'CREATE UNIQUE INDEX i ON cache_entries (value)')",
        "('index', 'i', 'mine', 7, 'CREATE UNIQUE INDEX i ON cache_entries (value)')",
        "('table', 't', 't', 5, 'CREATE VIRTUAL TABLE t USING fts5(a)')",
        "('trigger', 'cache_entries_count_insert', 'cache_entries', 0, 'CREATE TRIGGER"
        " cache_entries_count_insert AFTER INSERT ON cache_entries BEGIN SELECT 1; END')",
        "('table', 'cache_entries', 'cache_entries', 7, 'CREATE TABLE cache_entries (a)')",
        "('table', 'mine', 'mine', 4, 'CREATE TABLE mine (a)')",  // on the pages of a cache table
        "('table', 'mine', 'mine', 2000000000, 'CREATE TABLE mine (a)')",
        "(X'00FF', 12, NULL, 'x', 'SELECT 1')",
    };
    for (const std::string& line : lines) {
      INFO(line);
      CacheFixture f;
      prepare(f);
      (void)run_program({"sqlite3", f.path, insert + line});
      check_works(f);
      const std::string definitions = f.shell(
          "SELECT count(*) FROM sqlite_schema WHERE type <> 'view'"
          " AND name NOT LIKE 'cache_%' AND name NOT LIKE 'sqlite_%'");
      if (!has(line, "'mine', 'mine'")) CHECK(definitions == "0\n");
      f.expect_no_order();
    }
  }
}
