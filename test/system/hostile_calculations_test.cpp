// Rows of cache_calculations that no cache wrote: too many, too long, or of wrong types.

#include <doctest/doctest.h>

#include <ashmemo/ashmemo.hpp>
#include <chrono>
#include <string>

#include "support/cache_fixture.hpp"
#include "support/hostile.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Record {
  std::int64_t id = 0;
};

/// The result of "times" for the record 1, by code of this version. It is 10 times the version.
std::int64_t result_of_version(Cache& cache, std::uint32_t version) {
  Registry registry(cache);
  auto& records = registry.resource<Record>("Record", &Record::id);
  const auto times = records.calculation(
      "times", [version](const Record& r) { return r.id * 10 * version; }, {.version = version});
  records.cache_calculation("times", {});
  const std::int64_t result = times(Record{1});
  cache.flush();
  return result;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("an old result does not answer when damage gives its id to the new calculation") {
    CacheFixture f;
    CHECK(result_of_version(f.cache(), 1) == 10);
    f.close();
    // The state after a start of version 2 that was killed before it deleted the old result.
    (void)f.shell(
        "INSERT INTO cache_calculations (id, resource, name, version, policy, result_type)"
        " SELECT 2, resource, name, 2, policy, result_type FROM cache_calculations WHERE id = 1;"
        "UPDATE cache_calculations SET retired = 1 WHERE id = 1");
    bool is_damaged = true;
    SUBCASE("with damage") { change_rowid(f.path, "cache_calculations", 2, 1); }
    SUBCASE("without damage") { is_damaged = false; }
    CHECK(result_of_version(f.cache(), 2) == 20);
    CHECK(f.heard.count(NoticeKind::quarantined) == (is_damaged ? 1 : 0));
  }

  TEST_CASE("a file with a million calculations is quarantined before they are read") {
    CacheFixture f;
    CHECK(f->put("old", 1));
    f.close();
    (void)f.shell(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
        " INSERT INTO cache_calculations (id, resource, name, version, policy)"
        " SELECT i, 'r', i, 1, '' FROM n");
    CHECK(f->put("new", 1));
    CHECK(f.heard.count(NoticeKind::quarantined) == 1);
    f->flush();
    CHECK(f->get<int>("new") == 1);
  }

  TEST_CASE("a file with very long calculation names is quarantined before they are read") {
    CacheFixture f;
    CHECK(f->put("old", 1));
    f.close();
    (void)f.shell(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)"
        " INSERT INTO cache_calculations (id, resource, name, version, policy)"
        " SELECT i, 'r', hex(zeroblob(500000)) || i, 1, '' FROM n");
    CHECK(f->put("new", 1));
    CHECK(f.heard.count(NoticeKind::quarantined) == 1);
    f->flush();
    CHECK(f->get<int>("new") == 1);
  }

  TEST_CASE("calculations of wrong types and numbers do not stop the cache") {
    CacheFixture f;
    CHECK(f->put("old", 1));
    f.close();
    std::string sql;
    for (const std::string& value : kWrongValues) {
      sql +=
          "INSERT INTO cache_calculations (resource, name, version, policy, retired, hits,"
          " stale_hits, misses, computed, failed, saved_us) VALUES ('Record', 'twice'";
      for (int i = 0; i < 9; ++i) sql += ", " + value;
      sql +=
          "); INSERT INTO cache_calculations (id, resource, name, version, policy) VALUES"
          " (NULL, " +
          value + ", " + value + ", 1, 1);";
    }
    run_without_types(f.path, "cache_calculations", sql);
    f.expect_no_order();  // the wrong rows remain
    struct Record {
      int id = 0;
    };
    for (int round = 0; round < 2; ++round) {
      Registry registry(f.cache());
      auto& records = registry.resource<Record>("Record", &Record::id);
      const auto twice = records.calculation("twice", [](const Record& r) { return 2 * r.id; });
      records.cache_calculation("twice", {.ttl = 1h});
      CHECK(twice(Record{4}) == 8);
      f->flush();
      CHECK(twice(Record{4}) == 8);
      f.reopen();
    }
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->get<int>("old") == 1);
  }
}
