#include "store/checksum.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/store_fixture.hpp"

using namespace ashmemo;
using store::checksum_of;
using test::read_rows;
using test::read_value;
using test::row_of;
using test::StoreFixture;

namespace {

struct Row {
  std::string key = "Post:42:mood";
  Value value = Value::text("dark");
  store::Deadlines deadlines{1, 2, 3, 4};
  std::int64_t calculation_id = 5;
  Value record_version = Value::integer(6);
};

std::int64_t checksum(const Row& row) {
  return checksum_of(row.key,
                     {0, row.deadlines, row.calculation_id, row.record_version, 0, row.value});
}

/// Runs statements without triggers: the rows change and their checksums do not, as on a faulty
/// disk.
void change_without_triggers(StoreFixture& file, const std::string& sql) {
  sqlite3* const handle = file.raw().handle();
  REQUIRE(sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr) == SQLITE_OK);
  file.raw().run(sql);
  REQUIRE(sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, nullptr) == SQLITE_OK);
  file.store().release_snapshots(0);
}

struct Damage : store::RowSink {
  void row(std::size_t, const store::EntryView&) noexcept override { ++rows; }
  void damaged(std::size_t index, std::int64_t rowid) noexcept override {
    found.emplace_back(index, rowid);
  }
  int rows = 0;
  std::vector<std::pair<std::size_t, std::int64_t>> found;
};

Damage damage_at(store::Store& store, const std::string& key) {
  Damage damage;
  const store::Lookup lookup{key, 7};
  REQUIRE(store.read({&lookup, 1}, damage));
  return damage;
}

}  // namespace

TEST_SUITE("unit") {
  // Another result means another format of the file.
  TEST_CASE("the checksum of a row never changes") {
    CHECK(checksum({}) == -1108662331710293681);
    CHECK(checksum({"", Value::null(), {0, 0, 0, 0}, 0, Value::null()}) == -8996312047037971523);
    CHECK(checksum({std::string(300, 'k'),
                    Value::blob(std::string(10'000, 'v')),
                    {-1, base::kForever, base::kForever, base::kForever},
                    -9,
                    Value::real(0.5)}) == 2759811616075877661);
  }

  TEST_CASE("each part of a row that decides about an answer changes the checksum") {
    std::vector<Row> rows(14);
    rows[1].key += "s";
    rows[2].value = Value::text("Dark");
    rows[3].value = Value::blob("dark");
    rows[4].value = Value::integer(1);
    rows[5].value = Value::real(1);
    rows[6].value = Value::null();
    rows[7].deadlines.computed_at = 9;
    rows[8].deadlines.fresh_until = 9;
    rows[9].deadlines.expires_at = 9;
    rows[10].deadlines.keep_until = 9;
    rows[11].calculation_id = 9;
    rows[12].record_version = Value::text("6");
    rows[13].record_version = Value::null();
    std::set<std::int64_t> sums;
    for (const Row& row : rows) sums.insert(checksum(row));
    CHECK(sums.size() == rows.size());
  }

  TEST_CASE("parts of a row that change places change the checksum") {
    Row row;
    row.value = Value::text("6");
    row.record_version = Value::text("dark");
    Row turned;
    turned.value = Value::text("dark");
    turned.record_version = Value::text("6");
    CHECK(checksum(row) != checksum(turned));
    CHECK(checksum({"ab", Value::text("c"), {}, 0, Value::null()}) !=
          checksum({"a", Value::text("bc"), {}, 0, Value::null()}));
  }

  TEST_CASE("rows of every kind match their checksums when they are read") {
    using Limits = std::numeric_limits<std::int64_t>;
    const std::vector<Value> values = {Value::null(),
                                       Value::integer(0),
                                       Value::integer(1),
                                       Value::integer(-1),
                                       Value::integer(Limits::max()),
                                       Value::integer(Limits::min()),
                                       Value::real(0.0),
                                       Value::real(-0.0),
                                       Value::real(1.0),
                                       Value::real(1e300),
                                       Value::real(-INFINITY),
                                       Value::real(std::numeric_limits<double>::denorm_min()),
                                       Value::text(""),
                                       Value::text(std::string("a\0b", 3)),
                                       Value::text("\xC3\x28"),
                                       Value::blob(""),
                                       Value::blob(std::string(100'000, '\xFF'))};
    const std::vector<store::Deadlines> deadlines = {
        {},
        {0, 0, 0, 0},
        {1, 2, 3, 4},
        {Limits::min(), Limits::min(), Limits::min(), Limits::min()},
        {1, base::kForever, 5, base::kForever},
        {1, 5, base::kForever, base::kForever}};
    StoreFixture file;
    std::vector<std::string> keys;
    file.transaction([&](store::Writer& writer) {
      for (const Value& value : values) {
        for (const Value& version : values) {
          if (version.size_bytes() > 1'000) continue;
          keys.push_back("key " + std::to_string(keys.size()));
          store::PutRow row = row_of(keys.back(), value, 1);
          row.record_version = version;
          row.deadlines = deadlines[keys.size() % deadlines.size()];
          row.calculation_id = keys.size() % 3 == 0 ? Limits::min() : 0;
          REQUIRE(writer.put(row));
        }
      }
    });
    file.reopen();
    CHECK(read_rows(file.store(), keys).size() == keys.size());
    for (const std::string& key : keys) CHECK_FALSE(file.store().entry(key).value()->is_damaged);
    CHECK(file.raw().rows("SELECT DISTINCT typeof(checksum) FROM cache_entries") == "integer");
  }

  TEST_CASE("a row that does not match its checksum answers nothing") {
    for (const std::string change :
         {"value = 'b'", "value = x'61'", "value = NULL", "computed_at = 7", "fresh_until = 7",
          "expires_at = 7", "keep_until = 7", "calculation_id = 7", "record_version = 7",
          "checksum = checksum + 1", "checksum = 0"}) {
      CAPTURE(change);
      StoreFixture file;
      file.put({{"key", "a"}, {"other", "a"}});
      change_without_triggers(file,
                              "UPDATE cache_entries SET " + change + " WHERE cache_key = 'key'");
      const Damage damage = damage_at(file.store(), "key");
      CHECK(damage.rows == 0);
      REQUIRE(damage.found.size() == 1);
      CHECK(damage.found[0].first == 7);
      CHECK(damage.found[0].second ==
            file.raw().integer("SELECT rowid FROM cache_entries WHERE cache_key = 'key'"));
      CHECK(file.store().entry("key").value()->is_damaged);
      const auto page = file.store().page("", "", 9).value();
      REQUIRE(page.size() == 2);
      CHECK(page[0].is_damaged);
      CHECK_FALSE(page[1].is_damaged);
      CHECK(read_value(file.store(), "other") == Value::text("a"));
    }
  }

  TEST_CASE("columns that no answer depends on change without a new checksum") {
    StoreFixture file;
    file.put({{"key", "a"}});
    change_without_triggers(
        file,
        "UPDATE cache_entries SET inserted_at = 7, accessed_at = 7, access_count = 7,"
        " cost_us = 7, eviction_counter = 2, rowid = 77");
    CHECK(read_value(file.store(), "key") == Value::text("a"));
  }

  TEST_CASE("a row without a checksum is not checked") {
    StoreFixture file;
    file.put({{"key", "a"}});
    change_without_triggers(file, "UPDATE cache_entries SET value = 'b', checksum = NULL");
    CHECK(read_value(file.store(), "key") == Value::text("b"));
    CHECK_FALSE(file.store().entry("key").value()->is_damaged);
    file.put({{"key", "c"}});
    CHECK(file.raw().rows("SELECT typeof(checksum) FROM cache_entries") == "integer");
  }

  TEST_CASE("the writer reads a suspect row again and removes it only if it is damaged") {
    StoreFixture file;
    file.put({{"damaged", "a"}, {"whole", "b"}});
    change_without_triggers(file, "UPDATE cache_entries SET value = 'x' WHERE cache_key < 'e'");
    const auto rowid = [&file](const std::string& key) {
      return file.raw().integer("SELECT rowid FROM cache_entries WHERE cache_key = '" + key + "'");
    };
    const std::int64_t damaged = rowid("damaged");
    const std::int64_t whole = rowid("whole");
    file.transaction([&](store::Writer& writer) {
      const auto removed = writer.delete_damaged(damaged);
      REQUIRE(removed);
      REQUIRE(removed->has_value());
      CHECK((*removed)->key == "damaged");
      CHECK_FALSE(writer.delete_damaged(damaged).value());
      CHECK_FALSE(writer.delete_damaged(whole).value());
      CHECK_FALSE(writer.delete_damaged(12'345).value());
      CHECK(writer.totals().entries == 1);
    });
    CHECK(read_value(file.store(), "whole") == Value::text("b"));
  }

  TEST_CASE("touches and a new place in the queue leave the checksum as it is") {
    StoreFixture file;
    file.put({{"key", "a"}});
    const std::string before = file.raw().rows("SELECT checksum FROM cache_entries");
    file.transaction([](store::Writer& writer) {
      const store::Candidate oldest = writer.oldest(0, 1).value().front();
      REQUIRE(writer.touch({oldest.rowid, 50, 3}));
      REQUIRE(writer.reinsert(oldest.rowid, {60, 60, 1, 2, 1}));
    });
    CHECK(file.raw().rows("SELECT checksum FROM cache_entries") == before);
    CHECK(read_value(file.store(), "key") == Value::text("a"));
  }
}
