// Rows that no cache wrote: wrong types, impossible numbers and wrong lengths.

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/hostile.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> kColumns = {
    "byte_size",  "inserted_at",      "computed_at",    "fresh_until",    "expires_at",
    "keep_until", "accessed_at",      "access_count",   "calculation_id", "record_version",
    "cost_us",    "eviction_counter", "eviction_queue", "value"};

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

/// A row with one wrong value.
struct WrongRow {
  std::string key;
  std::string column;
  std::string sql;  // the value as SQL
};

/// Adds one row for each column and each value that is wrong in it.
std::vector<WrongRow> add_wrong_rows(const std::string& path) {
  std::vector<WrongRow> rows;
  std::string sql;
  for (const std::string& column : kColumns) {
    for (std::size_t i = 0; i < kWrongValues.size(); ++i) {
      rows.push_back({column + ' ' + std::to_string(i), column, kWrongValues[i]});
      sql += row('\'' + rows.back().key + '\'', column, kWrongValues[i]);
    }
  }
  run_without_types(path, "cache_entries", sql);
  return rows;
}

std::optional<std::string> text_in(const std::string& sql) {
  if (sql == "'text'") return "text";
  if (sql == "''") return "";
  if (sql == "'9' || char(0) || '9'") return std::string("9\0009", 3);
  return std::nullopt;
}

std::optional<std::int64_t> number_in(const std::string& sql) {
  std::int64_t number = 0;
  const char* const end = sql.data() + sql.size();
  const auto read = std::from_chars(sql.data(), end, number);
  const bool is_whole = read.ec == std::errc() && read.ptr == end;
  return is_whole ? std::optional(number) : std::nullopt;
}

/// Whether a read must find the row. nullopt: both are allowed, because the deciding column is not
/// a number.
std::optional<bool> is_live(const WrongRow& row, std::int64_t now) {
  const bool is_start = row.column == "computed_at";
  const bool is_end = row.column == "expires_at";
  const bool is_owner = row.column == "calculation_id";
  const bool is_null = row.sql == "NULL";
  if ((!is_start && !is_end && !is_owner) || (is_null && !is_start)) return true;
  const auto number = number_in(row.sql);
  if (!number) return std::nullopt;
  if (is_owner) return *number == 0;
  return is_start ? *number <= now : now < *number;
}

/// Checks that a read found the row's text, or nothing if the row is not live.
void check_text(const WrongRow& row, std::int64_t now, const std::optional<std::string>& found) {
  INFO(row.key << ": " << row.sql);
  const auto live = is_live(row, now);
  const std::optional<std::string> stored = row.column == "value" ? text_in(row.sql) : "v";
  if (found || live == true) CHECK(found == stored);
  if (found) CHECK(live != false);
}

void check_presence(const WrongRow& row, std::int64_t now, bool is_there) {
  INFO(row.key << ": " << row.sql);
  const auto live = is_live(row, now);
  if (live) CHECK(is_there == *live);
}

/// Reads of other types find nothing, except in rows whose value is the wrong column.
template <class... T>
void check_no_others(CacheFixture& f, const std::vector<WrongRow>& rows,
                     const std::vector<std::string>& keys) {
  const auto check = [&rows](const auto& values) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      INFO(rows[i].key);
      if (rows[i].column != "value") CHECK_FALSE(values[i].has_value());
    }
  };
  (check(f->get_many<T>(keys)), ...);
}

void check_answers(CacheFixture& f, const std::vector<WrongRow>& rows,
                   const std::vector<std::string>& keys) {
  const std::int64_t now = f.clock->wall_now();
  const auto texts = f->get_many<std::string>(keys);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    check_text(rows[i], now, texts[i]);
    check_text(rows[i], now, f->get<std::string>(keys[i]));  // from the memory tier
    check_presence(rows[i], now, f->contains(keys[i]));
    check_presence(rows[i], now, f->entry(keys[i]).has_value());
  }
  check_no_others<int, double, bool, std::vector<float>, std::optional<int>>(f, rows, keys);
}

/// The totals equal the rows. Each byte_size is limited to the range from 0 to 4 GiB.
void check_totals(CacheFixture& f) {
  const Stats stats = f->stats();
  CHECK(stats.bytes >= 0);
  CHECK(stats.entries == f.rows_in_file());
  CHECK(stats.bytes ==
        f.raw().integer("SELECT coalesce(sum(max(min(CAST(byte_size AS INTEGER), 1 << 32), 0)),"
                        " 0) FROM cache_entries"));
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("rows of wrong types and numbers are values or misses and can be removed") {
    CacheFixture f;
    (void)f->put("old", 1);
    f.close();
    const std::vector<WrongRow> rows = add_wrong_rows(f.path);
    std::vector<std::string> keys;
    for (const WrongRow& each : rows) keys.push_back(each.key);
    f.clock->advance(1h);
    check_answers(f, rows, keys);
    CHECK(f->get<int>("old") == 1);
    const auto count = [&](bool undecided) {
      return std::count_if(rows.begin(), rows.end(), [&](const WrongRow& each) {
        return is_live(each, f.clock->wall_now()).value_or(undecided);
      });
    };
    std::ptrdiff_t shown = -1;  // does not count "old"
    f->for_each("", [&](const EntryInfo&) { ++shown; });
    CHECK(shown >= count(false));
    CHECK(shown <= count(true));
    CHECK(f->touch_many(keys) == static_cast<std::size_t>(shown));
    (void)f.run_to_the_end();
    for (std::size_t i = 0; i < keys.size(); i += 3) (void)f->erase(keys[i]);
    for (std::size_t i = 1; i < keys.size(); i += 3) (void)f->put(keys[i], 7);
    (void)f->check();  // corrects the totals, which triggers computed from texts
    check_totals(f);
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

  TEST_CASE("a put over a row with a queue position of a wrong type stores its value") {
    for (const Eviction eviction : {Eviction::fifo, Eviction::lru}) {
      CacheFixture f({.eviction = eviction});
      (void)f->put("old", 1);
      f.close();
      const std::vector<std::string> columns = {"inserted_at", "accessed_at", "eviction_counter"};
      std::string sql;
      for (const std::string& column : columns) sql += row('\'' + column + '\'', column, "'text'");
      run_without_types(f.path, "cache_entries", sql);
      for (const std::string& key : columns) CHECK(f->put(key, 7));
      f->flush();
      for (const std::string& key : columns) CHECK(f->get<int>(key) == 7);
      CHECK(f->stats().dropped == 0);
      CHECK(f.raw().integer("SELECT min(inserted_at > 200) FROM cache_entries"
                            " WHERE cache_key IN ('inserted_at', 'accessed_at')") == 1);
      (void)f->check();  // corrects the totals
    }
  }

  TEST_CASE("clear and eviction remove rows with invalid keys") {
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

  TEST_CASE("a value with a false length of 1 GiB is a miss") {
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

  TEST_CASE("for_each limits false sizes and costs so that a sum does not overflow") {
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

  TEST_CASE("a row with a negative byte_size does not allow more entries") {
    CacheFixture f({.limits = {.max_bytes = 100'000}});
    (void)f->put("first", 1);
    f.close();
    (void)f.shell("UPDATE cache_entries SET byte_size = -1000000000000");
    f.fill("k", 100, 5'000);
    (void)f->check();
    f->flush();
    CHECK(f->stats().bytes <= 100'000);
    CHECK(f->stats().entries < 20);
    check_totals(f);
    (void)f->erase("first");
    check_totals(f);
  }

  TEST_CASE("the totals are right after rows with impossible sizes are erased") {
    for (const char* size : {"-1000000000000", "1 << 60"}) {
      INFO(std::string(size));
      CacheFixture f({.limits = {.max_bytes = 100'000}});
      (void)f->put("first", 1);
      f.close();
      (void)f.shell("UPDATE cache_entries SET byte_size = " + std::string(size));
      (void)f->erase("first");
      check_totals(f);
      f.fill("k", 100, 5'000);
      f->flush();
      CHECK(f->stats().bytes <= 100'000);
      CHECK(f->stats().entries > 10);
      check_totals(f);
    }
  }

  TEST_CASE("a key too long to read quarantines the file when maintenance reaches it") {
    CacheFixture f({.limits = {.max_entry_bytes = 10'000}});
    (void)f->put("first", 1);
    f.close();
    f.expect_no_order();
    (void)f.shell(
        "INSERT INTO cache_entries (cache_key, byte_size, inserted_at, computed_at, accessed_at,"
        " expires_at, value) VALUES (hex(zeroblob(200000)), 200, 1, 1, 1, 1, 'v')");
    SUBCASE("by eviction") {
      f.options.limits.max_entries = 1;
      (void)f->put("second", 2);
      f.run_to_the_end();
    }
    SUBCASE("by expiry") {
      CHECK(code_thrown_by([&] { f->compact(); }) == "store_failed");
    }
    f.run_to_the_end();
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.heard.count(NoticeKind::quarantined) == 1);
    CHECK(f->put("third", 3));
    f->flush();
    CHECK(f.in_file("third"));
  }

  TEST_CASE("negative totals do not stop the deletion of expired rows") {
    CacheFixture f;
    f.expect_no_order();
    for (const std::string& key : numbered("k", 2'500)) (void)f->put(key, 1, {.ttl = 1s});
    f.close();
    (void)f.shell("UPDATE cache_totals SET entries = -5000");
    f.clock->advance(1min);
    f->compact();
    CHECK(f.rows_in_file() == 0);
  }

  TEST_CASE("rows with impossible queue positions are evicted") {
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
      (void)f->check();  // corrects the totals, which triggers computed from NULL
      f.fill("k", 10);
      f->flush();
      CHECK(f.rows_in_file() <= 5);
      for (const char* key : {"a", "b", "c", "d", "e", "f"}) CHECK_FALSE(f.in_file(key));
    }
  }

  TEST_CASE("a row with the largest rowid does not prevent new rows") {
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

  TEST_CASE("check corrects totals and stamps with extreme values") {
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
}
