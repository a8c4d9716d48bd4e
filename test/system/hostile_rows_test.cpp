// Rows that nobody's cache has written: wrong types, impossible numbers, lengths that are not
// there.

#include <doctest/doctest.h>

#include <ashmemo/ashmemo.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/hostile.hpp"
#include "support/opening.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> kColumns = {
    "byte_size",  "inserted_at",      "computed_at",    "fresh_until",    "expires_at",
    "keep_until", "accessed_at",      "access_count",   "calculation_id", "record_version",
    "cost_us",    "eviction_counter", "eviction_queue", "value"};

const std::vector<std::string> kValues = {"NULL",
                                          "'text'",
                                          "''",
                                          "'9' || char(0) || '9'",
                                          "X'00FF'",
                                          "X''",
                                          "1.5",
                                          "9e999",
                                          "-9e999",
                                          "0",
                                          "-1",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "253402300799000000"};

std::string row(const std::string& key, const std::string& column, const std::string& value) {
  std::string names = "cache_key", values = key;
  const auto add = [&](const std::string& name, const std::string& given) {
    names += ", " + name;
    values += ", " + given;
  };
  for (const std::string& name : kColumns) {
    const bool must = name == "byte_size" || name.ends_with("ed_at");
    if (name == column) {
      add(name, value);
    } else if (must || name == "value") {
      add(name, name == "value" ? "'v'" : "200");
    }
  }
  return "INSERT INTO cache_entries (" + names + ") VALUES (" + values + ");";
}

/// One row for each column and each value that is wrong there.
std::vector<std::string> add_wrong_rows(const std::string& path) {
  std::vector<std::string> keys;
  std::string sql;
  for (const std::string& column : kColumns) {
    for (std::size_t i = 0; i < kValues.size(); ++i) {
      keys.push_back(column + ' ' + std::to_string(i));
      sql += row('\'' + keys.back() + '\'', column, kValues[i]);
    }
  }
  run_without_types(path, "cache_entries", sql);
  return keys;
}

template <class... T>
void read_as(CacheFixture& f, const std::vector<std::string>& keys) {
  ((void)f->get_many<T>(keys), ...);
  for (const std::string& key : keys) {
    (void)f->entry(key);
    (void)f->contains(key);
  }
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("rows of wrong types and impossible numbers are values or misses, and can be removed") {
    CacheFixture f;
    (void)f->put("old", 1);
    f.close();
    const std::vector<std::string> keys = add_wrong_rows(f.path);
    f.clock->advance(1h);
    read_as<std::string, int, double, bool, std::vector<float>, std::optional<int>>(f, keys);
    CHECK(f->get<int>("old") == 1);
    int shown = 0;
    f->for_each("", [&](const EntryInfo&) { ++shown; });
    CHECK(shown > 50);
    CHECK(f->touch_many(std::vector<std::string_view>(keys.begin(), keys.end())) > 50);
    (void)f.run_to_the_end();
    for (std::size_t i = 0; i < keys.size(); i += 3) (void)f->erase(keys[i]);
    for (std::size_t i = 1; i < keys.size(); i += 3) (void)f->put(keys[i], 7);
    (void)f->check();  // corrects what triggers have added up of texts
    f->set_limits({.max_entries = 20});
    f->flush();
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->stats().entries <= 20);
    CHECK(f->put("new", 2));
    f->flush();
    CHECK(f->get<int>("new") == 2);
    (void)f->clear();
    CHECK(f->stats().entries == 0);
  }

  TEST_CASE("keys that cannot be are walked over, and cleared away") {
    CacheFixture f;
    (void)f->put("old", 1);
    f.close();
    const std::vector<std::string> keys = {
        "''",   "char(0)", "'a' || char(0) || 'b'", "X'6B6579'",         "X''", "7", "1.5",
        "NULL", "NULL",    "hex(zeroblob(50000))",  "char(27) || '[31m'"};
    std::string sql;
    for (const std::string& key : keys) sql += row(key, "", "");
    run_without_types(f.path, "cache_entries", sql);
    f.clock->advance(1h);
    int shown = 0;
    f->for_each("", [&](const EntryInfo&) { REQUIRE(++shown < 100); });
    CHECK(shown > 0);
    CHECK_FALSE(f->contains("key"));
    CHECK(f->get<int>("old") == 1);
    f->set_limits({.max_entries = 3});
    f->flush();
    (void)f->check();
    f->set_limits({});
    (void)f->clear();
    CHECK(f->put("new", 1));
    f->flush();
    CHECK(f.rows_in_file() == 1);
  }

  TEST_CASE("a value that claims a GiB is a miss; the file is set aside or the row removed") {
    CacheFixture f;
    f.fill("k", 40, 200);
    CHECK(f->put("large", std::string(20'000, 'L')));
    f.close();
    claim_length(f.path, std::string(300, 'L'), kOneGiB);
    CHECK_FALSE(f->get<std::string>("large").has_value());
    f->for_each("", [](const EntryInfo&) {});
    for (int round = 0; round < 3; ++round) {
      (void)f->put("new", 1);
      (void)f.run_to_the_end();
      f.clock->advance(1min);
    }
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->get<int>("new") == 1);
  }

  TEST_CASE("sizes and costs that rows claim can be summed by whoever walks over them") {
    CacheFixture f;
    f.fill("k", 4);
    f->flush();
    f.close();
    f.expect_no_order();
    (void)f.shell("UPDATE cache_entries SET byte_size = 1 << 60, cost_us = 9223372036854775807");
    std::int64_t bytes = 0;
    Duration cost;
    f->for_each("k", [&](const EntryInfo& entry) {
      bytes += entry.byte_size;
      cost = Duration::microseconds(cost.count() + entry.cost.value_or(Duration()).count());
    });
    CHECK(bytes == 4 * 4 * GiB);
    CHECK(cost.count() == 4'000'000'000'000);
  }

  TEST_CASE("rows with impossible places in the queues are evicted like any others") {
    for (const Eviction eviction : {Eviction::fifo, Eviction::lru, Eviction::clock}) {
      CacheFixture f;
      (void)f->put("first", 1);
      f.close();
      const std::string least = "-9223372036854775808";
      run_without_types(f.path, "cache_entries",
                        row("'a'", "eviction_queue", "7") + row("'b'", "eviction_queue", "-1") +
                            row("'c'", "eviction_queue", "NULL") +
                            row("'d'", "inserted_at", least) + row("'e'", "inserted_at", "NULL") +
                            row("'f'", "accessed_at", "NULL"));
      f.options.limits.max_entries = 5;
      f.options.eviction = eviction;
      (void)f->check();  // the totals: triggers cannot add up what is NULL
      f.fill("k", 10);
      f->flush();
      CHECK(f.rows_in_file() <= 5);
      for (const char* key : {"a", "b", "c", "d", "e", "f"}) CHECK_FALSE(f.in_file(key));
    }
  }

  TEST_CASE("rows at the end of the numbers leave room for new ones") {
    CacheFixture f;
    (void)f->put("first", 1);
    for (const char* rowid :
         {"4611686018427387903", "4611686018427387904", "9223372036854775807"}) {
      f.close();
      const std::string at = rowid;
      (void)f.shell("DELETE FROM cache_entries WHERE rowid = " + at +
                    "; INSERT INTO cache_entries (rowid, cache_key, byte_size, inserted_at,"
                    " computed_at, accessed_at, value) VALUES (" +
                    at + ", 'at " + at + "', 200, 1, 1, 1, 'v')");
      for (const char* key : {"a", "b", "c"}) {
        CHECK(f->put(key + at, 1));
        f->flush();
        CHECK(f.in_file(key + at));
        f.close();
      }
    }
  }

  TEST_CASE("totals and stamps at the ends of the numbers") {
    for (const char* number : {"9223372036854775807", "-9223372036854775808", "-1"}) {
      INFO(number);
      CacheFixture f;
      f.fill("k", 10);
      f.close();
      const std::string set = " = " + std::string(number);
      f.expect_no_order();
      (void)f.shell("UPDATE cache_totals SET entries" + set + ", bytes" + set +
                    ", probation_entries" + set + ", probation_bytes" + set + ", last_stamp" + set);
      f.options.limits.max_entries = 5;
      f.fill("l", 10);
      f->flush();
      (void)f->check();
      (void)f.run_to_the_end();
      f->flush();
      CHECK(f->check().ok);
      CHECK(f->stats().entries <= 5);
      CHECK(f->stats().entries == f.rows_in_file());
    }
  }

  TEST_CASE("a million calculations are damage, found before they take memory") {
    CacheFixture f;
    CHECK(f->put("old", 1));
    f.close();
    (void)f.shell(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
        " INSERT INTO cache_calculations (id, resource, name, version, policy)"
        " SELECT i, 'r', i, 1, '' FROM n");
    CHECK(f->put("new", 1));
    CHECK(f.heard.count(NoticeKind::set_aside) == 1);
    f->flush();
    CHECK(f->get<int>("new") == 1);
  }

  TEST_CASE("calculations with names of many MiB are damage, found before they take memory") {
    CacheFixture f;
    CHECK(f->put("old", 1));
    f.close();
    (void)f.shell(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)"
        " INSERT INTO cache_calculations (id, resource, name, version, policy)"
        " SELECT i, 'r', hex(zeroblob(500000)) || i, 1, '' FROM n");
    CHECK(f->put("new", 1));
    CHECK(f.heard.count(NoticeKind::set_aside) == 1);
    f->flush();
    CHECK(f->get<int>("new") == 1);
  }

  TEST_CASE("calculations of wrong types and impossible numbers stop nobody") {
    CacheFixture f;
    CHECK(f->put("old", 1));
    f.close();
    std::string sql;
    for (const std::string& value : kValues) {
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
    f.expect_no_order();  // such rows stay
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
