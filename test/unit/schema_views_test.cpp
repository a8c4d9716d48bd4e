#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "store/connection.hpp"
#include "support/opening.hpp"
#include "support/schema_file.hpp"
#include "support/temp_dir.hpp"

// The triggers of the schema, which keep the totals when other programs write, and its views.

using namespace ashmemo::store;
using namespace ashmemo::test;

namespace {

// Inserts a row as another program would. Times are in seconds from now, or "NULL".
std::string insert(const std::string& key, const std::string& calculation,
                   const std::string& stored, const std::string& fresh, const std::string& expires,
                   const std::string& keep) {
  const auto moment = [](const std::string& seconds) {
    return seconds == "NULL" ? seconds : "(unixepoch() + " + seconds + ") * 1000000";
  };
  return "INSERT INTO cache_entries (cache_key, byte_size, inserted_at, computed_at, fresh_until,"
         " expires_at, keep_until, accessed_at, calculation_id, value) VALUES ('" +
         key + "', 100, 1, " + moment(stored) + ", " + moment(fresh) + ", " + moment(expires) +
         ", " + moment(keep) + ", 1, " + calculation + ", 'v');";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("totals stay exact when another program writes") {
    const TempDir dir;
    const std::string path = new_file(dir);
    shell(path, insert("a", "NULL", "0", "NULL", "NULL", "NULL") +
                    insert("b", "NULL", "0", "NULL", "NULL", "NULL") +
                    insert("c", "NULL", "0", "NULL", "NULL", "NULL"));
    CHECK(shell(path, "SELECT entries, bytes FROM cache_overview") == "3|300\n");
    shell(path, "UPDATE cache_entries SET byte_size = 150 WHERE cache_key = 'a'");
    CHECK(shell(path, "SELECT entries, bytes FROM cache_overview") == "3|350\n");
    shell(path, "DELETE FROM cache_entries WHERE cache_key <> 'b'");
    CHECK(shell(path, "SELECT entries, bytes FROM cache_overview") == "1|100\n");
  }

  TEST_CASE("totals of the probation queue stay exact when another program writes") {
    const TempDir dir;
    const std::string path = new_file(dir);
    const std::string probation = "SELECT probation_entries, probation_bytes FROM cache_totals";
    shell(path, insert("a", "NULL", "0", "NULL", "NULL", "NULL") +
                    insert("b", "NULL", "0", "NULL", "NULL", "NULL"));
    CHECK(shell(path, probation) == "0|0\n");
    shell(path, "UPDATE cache_entries SET eviction_queue = 1");
    CHECK(shell(path, probation) == "2|200\n");
    shell(path, "UPDATE cache_entries SET byte_size = 150 WHERE cache_key = 'a'");
    CHECK(shell(path, probation) == "2|250\n");
    shell(path, "UPDATE cache_entries SET eviction_queue = 0 WHERE cache_key = 'b'");
    CHECK(shell(path, probation) == "1|150\n");
    shell(path, "DELETE FROM cache_entries");
    CHECK(shell(path, probation) == "0|0\n");
  }

  TEST_CASE("a row that another program changes or inserts is not checked any more") {
    // The setting, and what the program does; 1: the row keeps its checksum.
    struct Case {
      std::string sql;
      std::string keeps;
    };
    const std::string columns =
        "cache_key, byte_size, inserted_at, computed_at, accessed_at, value, checksum";
    const std::vector<Case> changes = {
        {"UPDATE cache_entries SET value = 'w'", "0"},
        {"UPDATE cache_entries SET value = value", "0"},
        {"UPDATE cache_entries SET cache_key = 'b'", "0"},
        {"UPDATE cache_entries SET computed_at = 5", "0"},
        {"UPDATE cache_entries SET fresh_until = 5", "0"},
        {"UPDATE cache_entries SET expires_at = 5", "0"},
        {"UPDATE cache_entries SET keep_until = 5", "0"},
        {"UPDATE cache_entries SET calculation_id = 5", "0"},
        {"UPDATE cache_entries SET record_version = 5", "0"},
        {"UPDATE cache_entries SET value = 'w', rowid = 50", "0"},
        {"UPDATE cache_entries SET value = 'w', checksum = 5", "0"},
        {"UPDATE OR REPLACE cache_entries SET cache_key = 'c'", "0"},
        {"INSERT INTO cache_entries (" + columns +
             ") VALUES ('a', 1, 1, 1, 1, 'w', 9)"
             " ON CONFLICT DO UPDATE SET value = excluded.value",
         "0"},
        {"INSERT INTO cache_entries (" + columns +
             ") VALUES ('a', 1, 1, 1, 1, 'w', 9)"
             " ON CONFLICT DO UPDATE SET access_count = 7",
         "1"},
        {"REPLACE INTO cache_entries (" + columns + ") VALUES ('a', 1, 1, 1, 1, 'w', 9)", "0"},
        {"DELETE FROM cache_entries; INSERT INTO cache_entries (" + columns +
             ") VALUES ('a', 1, 1, 1, 1, 'w', 9)",
         "0"},
        {"UPDATE cache_entries SET access_count = 5, accessed_at = 5, inserted_at = 5", "1"},
        {"UPDATE cache_entries SET byte_size = 5, eviction_queue = 1", "1"},
    };
    for (const std::string setting : {"", "PRAGMA recursive_triggers = ON; "}) {
      for (const Case& change : changes) {
        INFO(setting << change.sql);
        const TempDir dir;
        const std::string path = new_file(dir);
        shell(path, insert("a", "NULL", "0", "NULL", "NULL", "NULL") +
                        "UPDATE cache_entries SET checksum = 9");
        shell(path, setting + change.sql);
        CHECK(shell(path, "SELECT count(*), checksum IS 9 FROM cache_entries") ==
              "1|" + change.keeps + "\n");
      }
    }
  }

  TEST_CASE("our connections run neither triggers nor views") {
    const TempDir dir;
    const std::string path = new_file(dir);
    {
      const auto connection = open_schema(path);
      connection->database().exec(insert("a", "NULL", "0", "NULL", "NULL", "NULL"));
      CHECK_THROWS(connection->database().exec("SELECT * FROM cache_overview"));
    }
    CHECK(shell(path, "SELECT entries FROM cache_overview") == "0\n");
  }

  TEST_CASE("our own connections keep the checksum of a row that they change") {
    const TempDir dir;
    const std::string path = new_file(dir);
    {
      const auto connection = open_schema(path);
      connection->database().exec(insert("a", "NULL", "0", "NULL", "NULL", "NULL"));
      connection->database().exec("UPDATE cache_entries SET value = 'w', checksum = 9");
    }
    CHECK(shell(path, "SELECT checksum FROM cache_entries") == "9\n");
  }

  TEST_CASE("the readable view shows the same state of an entry as the library") {
    const TempDir dir;
    const std::string path = new_file(dir);
    shell(path, insert("never", "NULL", "-1", "NULL", "NULL", "NULL") +
                    insert("fresh", "NULL", "-1", "NULL", "1000", "NULL") +
                    insert("stale", "NULL", "-9", "-5", "1000", "NULL") +
                    insert("kept", "NULL", "-9", "-5", "-5", "1000") +
                    insert("expired", "NULL", "-9", "NULL", "-5", "NULL") +
                    insert("late", "NULL", "1000", "NULL", "2000", "NULL") +
                    insert("fresh for ever", "NULL", "-9", "1000", "NULL", "NULL") +
                    insert("stale for ever", "NULL", "-9", "-5", "NULL", "NULL"));
    CHECK(shell(path, "SELECT cache_key, state FROM cache_entries_readable") ==
          "never|fresh\nfresh|fresh\nstale|stale\nkept|kept\nexpired|expired\n"
          "late|from the future\nfresh for ever|fresh\nstale for ever|stale\n");
    CHECK(shell(path,
                "SELECT ttl_left > 990 AND ttl_left <= 1000 FROM cache_entries_readable"
                " WHERE cache_key = 'fresh'") == "1\n");
    CHECK(shell(path, "SELECT typeof(ttl_left) FROM cache_entries_readable LIMIT 1") == "null\n");
  }

  TEST_CASE("the readable view shows the components of a calculation's key") {
    const TempDir dir;
    const std::string path = new_file(dir);
    shell(path,
          "INSERT INTO cache_calculations (id, resource, name, version, policy, retired) VALUES"
          " (1, 'Line', 'excerpt', 3, 'ttl 1h', 0), (2, 'Post', 'old', 1, '', 1);" +
              insert("Line:7:3:excerpt(80)@a%3Ab", "1", "-9", "NULL", "NULL", "NULL") +
              insert("Post:42:old", "2", "-9", "NULL", "NULL", "NULL") +
              insert("direct:put:here", "NULL", "-9", "NULL", "NULL", "NULL") +
              insert("nocolon", "1", "-9", "NULL", "NULL", "NULL"));
    CHECK(shell(path,
                "SELECT resource, record, calculation, call, version, state"
                " FROM cache_entries_readable LIMIT 3") ==
          "Line|7:3|excerpt|excerpt(80)@a%3Ab|3|fresh\n"
          "Post|42|old|old|1|retired\n"
          "|||||fresh\n");
    CHECK(shell(path, "SELECT cache_key FROM cache_entries_readable WHERE record = '42'") ==
          "Post:42:old\n");
  }

  TEST_CASE("the views show totals, hit ratios and times") {
    const TempDir dir;
    const std::string path = new_file(dir);
    CHECK(shell(path, "SELECT count(*) FROM cache_entries_readable") == "0\n");
    CHECK(shell(path, "SELECT entries, bytes, hit_ratio IS NULL FROM cache_overview") == "0|0|1\n");
    shell(
        path,
        "INSERT INTO cache_calculations"
        " (id, resource, name, version, policy, hits, stale_hits, misses, computed, failed, "
        "saved_us)"
        " VALUES (1, 'Post', 'mood', 1, '', 6, 1, 3, 3, 1, 2500000), (2, 'Post', 'words', 1, '', 0,"
        " 0, 0, 0, 0, 0);" +
            insert("Post:1:mood", "1", "-9", "NULL", "60", "NULL") +
            insert("Post:2:mood", "1", "-9", "NULL", "30", "NULL") +
            insert("theme", "NULL", "-9", "NULL", "NULL", "NULL") +
            "UPDATE cache_entries SET access_count = 4 WHERE cache_key = 'Post:1:mood'");
    CHECK(
        shell(path,
              "SELECT entries, bytes, calculations, hits, stale_hits, misses, hit_ratio, computed,"
              " failed, seconds_saved, never_read FROM cache_overview") ==
        "3|300|2|6|1|3|0.7|3|1|2.5|2\n");
    CHECK(shell(path,
                "SELECT oldest = (SELECT stored FROM cache_entries_readable LIMIT 1),"
                " next_expiry = (SELECT expires FROM cache_entries_readable LIMIT 1 OFFSET 1)"
                " FROM cache_overview") == "1|1\n");
    CHECK(shell(path,
                "SELECT calculation, entries, bytes, hit_ratio, seconds_saved FROM"
                " cache_by_calculation ORDER BY bytes DESC") ==
          "mood|2|200|0.7|2.5\n(put directly)|1|100||\nwords|0|0||0.0\n");
    CHECK(shell(path, "SELECT cache_key FROM cache_entries_readable WHERE reads = 0") ==
          "Post:2:mood\ntheme\n");
    CHECK(shell(path,
                "SELECT cache_key FROM cache_entries_readable WHERE ttl_left > 0"
                " ORDER BY ttl_left LIMIT 10") == "Post:2:mood\nPost:1:mood\n");
    CHECK(shell(path,
                "SELECT stored GLOB '20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:*Z'"
                " FROM cache_entries_readable LIMIT 1") == "1\n");
  }

  TEST_CASE("the overview returns its totals without reading the entries") {
    const TempDir dir;
    const std::string path = new_file(dir);
    const std::string plan =
        shell(path, "EXPLAIN QUERY PLAN SELECT entries, bytes, hit_ratio FROM cache_overview");
    CHECK(plan.find("cache_entries") == std::string::npos);
  }
}
