#include "store/header.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <string>

#include "store/schema.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

using namespace ashmemo::store;
using namespace ashmemo::test;

TEST_SUITE("unit") {
  TEST_CASE("parse_header recognizes an SQLite header of at least 100 bytes") {
    const TempDir dir;
    make_cache(dir.path("ours"));
    const std::string whole = read_file(dir.path("ours"));
    CHECK(parse_header(whole).is_sqlite);
    CHECK(parse_header(whole).is_known);
    CHECK(parse_header(whole).is_in_wal_mode);
    CHECK(parse_header(whole).application_id == kApplicationId);
    CHECK(parse_header(whole).user_version == kFormatVersion);
    for (std::size_t size = 0; size < 100; ++size) {
      CHECK_FALSE(parse_header(whole.substr(0, size)).is_sqlite);
    }
    CHECK(parse_header(whole.substr(0, 100)).is_sqlite);
    CHECK_FALSE(parse_header(std::string(200, '\0')).is_sqlite);
    CHECK_FALSE(parse_header("").is_sqlite);
  }

  TEST_CASE("parse_header reads numbers as big-endian with a sign") {
    std::string bytes(100, '\0');
    bytes.replace(0, 16, std::string("SQLite format 3\0", 16));
    bytes.replace(60, 4, std::string("\xFF\xFF\xFF\xFE", 4));
    bytes.replace(68, 4, std::string("\x00\x00\x01\x02", 4));
    CHECK(parse_header(bytes).user_version == -2);
    CHECK(parse_header(bytes).application_id == 258);
    CHECK_FALSE(parse_header(bytes).is_known);
    CHECK_FALSE(parse_header(bytes).is_in_wal_mode);
    bytes.replace(18, 2, std::string("\1\1", 2));
    CHECK(parse_header(bytes).is_known);
    CHECK_FALSE(parse_header(bytes).is_in_wal_mode);
  }

  TEST_CASE("is_known_log refuses only a log of another format") {
    const auto log = [](const std::string& magic, const std::string& version) {
      return magic + version + std::string(24, '\0');
    };
    const std::string known("\x00\x2D\xE2\x18", 4);
    const std::string newer("\x00\x2D\xE2\x19", 4);
    CHECK(is_known_log(log("\x37\x7F\x06\x82", known)));
    CHECK(is_known_log(log("\x37\x7F\x06\x83", known)));
    CHECK_FALSE(is_known_log(log("\x37\x7F\x06\x82", newer)));
    CHECK_FALSE(is_known_log(log("\x37\x7F\x06\x83", newer)));
    CHECK(is_known_log(log("none", newer)));
    CHECK(is_known_log(log("\x37\x7F\x06\x82", newer).substr(0, 31)));
    CHECK(is_known_log(""));
  }

  TEST_CASE("read_header reads a file of any size and fails for a missing file") {
    const TempDir dir;
    write_file(dir.path("empty"), "");
    write_file(dir.path("short"), "SQLite format 3");
    CHECK_FALSE(read_header(dir.path("empty")).value().is_sqlite);
    CHECK_FALSE(read_header(dir.path("short")).value().is_sqlite);
    CHECK_FALSE(read_header(dir.path("missing")));
  }

  TEST_CASE("read_header does not release the locks of a connection in the same process") {
    const TempDir dir;
    const std::string path = dir.path("app.db");
    sqlite3* app = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &app) == SQLITE_OK);
    const auto run = [&](const char* sql) {
      CHECK(sqlite3_exec(app, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    };
    run("PRAGMA journal_mode=WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    CHECK_FALSE(read_header(path).value().application_id == kApplicationId);
    // Without the locks this shell would be the last user of the file and would delete the WAL.
    CHECK(shell(path, "SELECT a FROM t") == "1\n");
    run("INSERT INTO t VALUES (2)");
    CHECK(shell(path, "SELECT a FROM t") == "1\n2\n");
    sqlite3_close(app);
  }
}
