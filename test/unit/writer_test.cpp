#include <doctest/doctest.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/saturate.hpp"
#include "store/byte_size.hpp"
#include "support/fault_vfs.hpp"
#include "support/store_fixture.hpp"

// Transactions and changes of single entries. Other files test removals (writer_removals_test.cpp),
// checkpoints, vacuum and other programs (writer_upkeep_test.cpp).

using namespace ashmemo;
using test::row_of;
using test::StoreFixture;

namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

std::string types_of(StoreFixture& file) {
  return file.raw().rows("SELECT cache_key, typeof(value) FROM cache_entries ORDER BY cache_key");
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("put stores all columns of a new entry") {
    StoreFixture file;
    store::PutRow row = row_of("Post:1:words", ValueView::integer(42), 77);
    row.byte_size = 300;
    row.deadlines = {10, 20, 30, 40};
    row.calculation_id = 5;
    row.record_version = ValueView::text("v1");
    row.cost_us = 6;
    row.touches = 2;
    row.eviction_counter = 1;
    row.eviction_queue = 3;
    file.transaction([&](store::Writer& writer) {
      const auto before = writer.put(row);
      REQUIRE(before);
      CHECK_FALSE(before->has_value());
    });
    CHECK(file.raw().rows("SELECT cache_key, byte_size, inserted_at, computed_at, fresh_until,"
                          " expires_at, keep_until, accessed_at, access_count, calculation_id,"
                          " record_version, cost_us, eviction_counter, eviction_queue, value"
                          " FROM cache_entries") ==
          "Post:1:words|300|77|10|20|30|40|77|2|5|v1|6|1|3|42");
    CHECK(file.raw().rows("SELECT entries, bytes, last_stamp FROM cache_totals") == "1|300|77");
  }

  TEST_CASE("put stores NULL for values that follow from another column") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      store::PutRow never = row_of("never", ValueView::integer(1), 1);
      store::PutRow plain = row_of("plain ttl", ValueView::integer(1), 2);
      plain.deadlines = {10, 20, 20, 20};
      REQUIRE(writer.put(never));
      REQUIRE(writer.put(plain));
    });
    CHECK(file.raw().rows("SELECT fresh_until, expires_at, keep_until, calculation_id,"
                          " record_version, cost_us FROM cache_entries ORDER BY cache_key") ==
          "|||||\n|20||||");
    const auto rows = test::read_rows(file.store(), {"never", "plain ttl"});
    CHECK(rows.at(0).deadlines.expires_at == base::kForever);
    CHECK(rows.at(0).deadlines.fresh_until == base::kForever);
    CHECK(rows.at(1).deadlines.fresh_until == 20);
    CHECK(rows.at(1).deadlines.keep_until == 20);
    CHECK(rows.at(1).calculation_id == 0);
  }

  TEST_CASE("values of every type are read as they were written") {
    StoreFixture file;
    const std::vector<Value> values = {Value::null(),
                                       Value::integer(std::numeric_limits<std::int64_t>::min()),
                                       Value::integer(kMax),
                                       Value::real(-0.0),
                                       Value::real(0.1),
                                       Value::text(""),
                                       Value::text(std::string("a\0b\0", 4)),
                                       Value::blob(""),
                                       Value::blob(std::string("\0\xFF\x80", 3)),
                                       Value::text("not \xC3\x28 UTF-8")};
    std::vector<std::string> keys;
    file.transaction([&](store::Writer& writer) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        keys.push_back("key " + std::to_string(i));
        store::PutRow row = row_of(keys.back(), values[i], static_cast<std::int64_t>(i) + 1);
        row.record_version = values[i];
        REQUIRE(writer.put(row));
      }
    });
    auto rows = test::read_rows(file.store(), keys);
    REQUIRE(rows.size() == values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      INFO(i);
      CHECK(rows[i].value == values[i]);
      CHECK(rows[i].record_version == values[i]);
    }
    CHECK(types_of(file) ==
          "key 0|null\nkey 1|integer\nkey 2|integer\nkey 3|real\nkey 4|real\nkey 5|text\n"
          "key 6|text\nkey 7|blob\nkey 8|blob\nkey 9|text");
  }

  TEST_CASE("an overwrite changes the bytes by the difference and keeps the access count") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      store::PutRow row = row_of("key", ValueView::integer(1), 10);
      row.touches = 3;
      row.deadlines = {1, 2, 3, 4};
      row.calculation_id = 9;
      REQUIRE(writer.put(row));
    });
    const std::int64_t rowid = file.raw().integer("SELECT rowid FROM cache_entries");
    file.transaction([](store::Writer& writer) {
      store::PutRow row = row_of("key", ValueView::text("new"), 20);
      row.byte_size = 140;
      row.touches = 2;
      const auto before = writer.put(row);
      REQUIRE(before);
      REQUIRE(before->has_value());
      CHECK((*before)->key == "key");
      CHECK((*before)->byte_size == 100);
      CHECK((*before)->calculation_id == 9);
      CHECK((*before)->deadlines.keep_until == 4);
      CHECK(writer.totals() == store::Totals{1, 140});
    });
    CHECK(file.raw().rows("SELECT rowid, inserted_at, accessed_at, access_count, value"
                          " FROM cache_entries") == std::to_string(rowid) + "|20|20|5|new");
    CHECK(file.raw().rows("SELECT entries, bytes FROM cache_totals") == "1|140");
  }

  TEST_CASE("an overwrite with the same value changes neither entries nor bytes") {
    StoreFixture file;
    file.put({{"key", "value"}});
    file.put({{"key", "value"}});
    CHECK(file.writer().totals() == store::Totals{1, 100});
  }

  TEST_CASE("a large value can be replaced by a small one and back") {
    StoreFixture file;
    const std::string large(1 << 20, 'x');
    file.put({{"key", large}});
    file.put({{"key", ""}});
    CHECK(test::read_value(file.store(), "key") == Value::text(""));
    file.put({{"key", large}});
    CHECK(test::read_value(file.store(), "key") == Value::text(large));
    file.put({{"key", "small"}});
    // The fixture also runs integrity_check at the end.
    CHECK(file.raw().integer("PRAGMA freelist_count") >= 256);
  }

  TEST_CASE("erase returns the removed row, or nothing for a missing key") {
    StoreFixture file;
    file.put({{"a", "1"}, {"b", "2"}});
    file.transaction([](store::Writer& writer) {
      const auto there = writer.delete_key("a");
      REQUIRE(there);
      REQUIRE(there->has_value());
      CHECK((*there)->key == "a");
      const auto missing = writer.delete_key("a");
      REQUIRE(missing);
      CHECK_FALSE(missing->has_value());
    });
    CHECK(file.writer().totals() == store::Totals{1, 100});
    CHECK_FALSE(test::read_value(file.store(), "a"));
  }

  TEST_CASE("touches are added up and never set the access time back") {
    StoreFixture file;
    file.put({{"a", "1"}});
    const std::int64_t rowid = file.raw().integer("SELECT rowid FROM cache_entries");
    file.transaction([&](store::Writer& writer) {
      CHECK(writer.touch({rowid, 500, 3}).value().has_value());
      CHECK(writer.touch({rowid, 400, 2}).value().has_value());
      CHECK_FALSE(writer.touch({rowid + 1, 900, 1}).value().has_value());
    });
    CHECK(file.raw().rows("SELECT accessed_at, access_count, inserted_at FROM cache_entries") ==
          "500|5|1");
  }

  TEST_CASE("reinsert moves a row to a new position with its touches") {
    StoreFixture file;
    file.put({{"a", "1"}, {"b", "2"}});
    file.transaction([](store::Writer& writer) {
      auto oldest = writer.oldest(0, 1);
      REQUIRE(oldest);
      REQUIRE(oldest->size() == 1);
      CHECK(oldest->front().key == "a");
      REQUIRE(writer.reinsert(oldest->front().rowid, {900, 800, 4, 2, 0}));
    });
    CHECK(file.raw().rows("SELECT cache_key, inserted_at, accessed_at, access_count,"
                          " eviction_counter, eviction_queue FROM cache_entries"
                          " ORDER BY inserted_at") == "b|2|2|0|0|0\na|900|800|4|2|0");
    CHECK(file.raw().integer("SELECT last_stamp FROM cache_totals") == 900);
  }

  TEST_CASE("oldest returns the rows of a queue in the order of their stamps") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      for (const auto& [key, stamp, queue] : std::vector<std::tuple<std::string, int, int>>{
               {"d", 5, 0}, {"c", 7, 1}, {"b", 6, 0}, {"a", 8, 0}}) {
        store::PutRow row = row_of(key, ValueView::integer(1), stamp);
        row.eviction_queue = queue;
        REQUIRE(writer.put(row));
      }
      const auto main_queue = writer.oldest(0, 10);
      REQUIRE(main_queue);
      REQUIRE(main_queue->size() == 3);
      CHECK(main_queue->at(0).key == "d");
      CHECK(main_queue->at(1).key == "b");
      CHECK(main_queue->at(1).byte_size == 100);
      CHECK(main_queue->at(2).key == "a");
      CHECK(writer.oldest(0, 1).value().front().key == "d");
      CHECK(writer.oldest(1, 9).value().front().key == "c");
    });
  }

  TEST_CASE("delete_row removes a row only if it has not changed") {
    StoreFixture file;
    file.put({{"a", "1"}, {"b", "2"}});
    file.transaction([](store::Writer& writer) {
      const auto seen = writer.oldest(0, 2).value();
      REQUIRE(writer.put(row_of("a", ValueView::integer(2), 50)));
      REQUIRE(writer.delete_row(seen[0]));
      CHECK(writer.totals() == store::Totals{2, 200});
      REQUIRE(writer.delete_row(seen[1]));
      CHECK(writer.totals() == store::Totals{1, 100});
    });
    CHECK(file.raw().rows("SELECT cache_key FROM cache_entries") == "a");
  }

  TEST_CASE("a change outside a transaction is refused") {
    StoreFixture file;
    CHECK_FALSE(file.writer().put(row_of("key", ValueView::integer(1), 1)));
    CHECK_FALSE(file.writer().commit(false));
    CHECK(file.raw().integer("SELECT count(*) FROM cache_entries") == 0);
  }

  TEST_CASE("a failed change rolls back the whole transaction") {
    StoreFixture file;
    file.put({{"kept", "1"}});
    const std::string too_large(std::size_t{65} << 20, 'x');
    REQUIRE(file.writer().begin());
    REQUIRE(file.writer().put(row_of("gone", ValueView::integer(1), 7)));
    const auto refused = file.writer().put(row_of("large", ValueView::blob(too_large), 8));
    REQUIRE_FALSE(refused);
    CHECK(refused.failure().kind == base::FailureKind::too_large);
    CHECK_FALSE(file.writer().put(row_of("later", ValueView::integer(1), 9)));
    CHECK_FALSE(file.writer().commit(false));
    CHECK(file.raw().rows("SELECT cache_key FROM cache_entries") == "kept");
    CHECK(file.writer().totals() == store::Totals{1, 100});

    REQUIRE(file.writer().begin());
    CHECK(file.writer().totals() == store::Totals{1, 100});
    REQUIRE(file.writer().commit(false));
  }

  TEST_CASE("totals are unchanged after a failed commit") {
    test::FaultVfs vfs;
    StoreFixture file;
    file.put({{"a", "1"}});
    REQUIRE(file.writer().begin());
    REQUIRE(file.writer().put(row_of("b", ValueView::integer(2), 7)));
    vfs.fail(test::Fault::io_error, 0, true);
    CHECK_FALSE(file.writer().commit(false));
    CHECK(file.writer().totals() == store::Totals{1, 100});
    vfs.heal();
    file.put({{"c", "3"}});
    CHECK(file.writer().totals() == store::Totals{2, 200});
  }

  TEST_CASE("rollback restores the file and the totals") {
    StoreFixture file;
    file.put({{"a", "1"}, {"b", "2"}});
    REQUIRE(file.writer().begin());
    REQUIRE(file.writer().put(row_of("c", ValueView::integer(1), 7)));
    REQUIRE(file.writer().delete_key("a"));
    file.writer().rollback();
    CHECK(file.raw().rows("SELECT cache_key FROM cache_entries ORDER BY 1") == "a\nb");
    file.put({{"d", "4"}});
    CHECK(file.writer().totals() == store::Totals{3, 300});
  }

  TEST_CASE("the first commit after a failure writes even if nothing has changed") {
    StoreFixture file;
    file.put({{"a", "1"}});
    const auto nothing = [](store::Writer&) {};
    const std::uint64_t before = file.store().commit_counter();
    file.transaction(nothing);
    CHECK(file.store().commit_counter() == before);
    REQUIRE(file.writer().begin());
    file.writer().rollback();
    for (int i = 0; i < 2; ++i) {
      file.transaction(nothing);
      CHECK(file.store().commit_counter() == before + 1);
    }
  }

  TEST_CASE("a rowid is never used twice while the file is open") {
    StoreFixture file;
    file.put({{"a", "1"}});
    const std::int64_t first = file.raw().integer("SELECT rowid FROM cache_entries");
    file.transaction([](store::Writer& writer) { REQUIRE(writer.delete_key("a")); });
    file.put({{"b", "1"}});
    CHECK(file.raw().integer("SELECT rowid FROM cache_entries") > first);

    REQUIRE(file.writer().begin());
    REQUIRE(file.writer().put(row_of("rolled back", ValueView::integer(1), 9)));
    file.writer().rollback();
    file.put({{"c", "1"}});
    CHECK(file.raw().integer("SELECT max(rowid) FROM cache_entries") > first + 2);
  }

  TEST_CASE("counters at the maximum integer do not overflow") {
    StoreFixture file;
    file.put({{"a", "1"}, {"b", "2"}});
    file.raw().run(
        "UPDATE cache_entries SET access_count = 9223372036854775807, rowid = rowid + 10");
    file.transaction([](store::Writer& writer) {
      const auto rows = writer.oldest(0, 2).value();
      CHECK(writer.touch({rows[0].rowid, 50, kMax}).value().has_value());
      REQUIRE(writer.reinsert(rows[0].rowid, {60, 60, kMax, 0, 0}));
      store::PutRow row = row_of("b", ValueView::integer(1), 70);
      row.touches = kMax;
      REQUIRE(writer.put(row));
    });
    CHECK(file.raw().integer("SELECT min(access_count) FROM cache_entries") > kMax / 4);
  }

  TEST_CASE("a calculation keeps its counters until it is retired") {
    StoreFixture file;
    store::CalculationRow row{{1, 2, 3, 4, 5, 6}, 7, "Post", "words", 2, "ttl 1h"};
    file.transaction([&](store::Writer& writer) {
      REQUIRE(writer.put_calculation(row));
      REQUIRE(writer.add_counters({{10, 20, 30, 40, 50, 60}, 7, "", "", 0, ""}));
      row.policy = "ttl 2h";
      REQUIRE(writer.put_calculation(row));
      REQUIRE(writer.add_counters({{1, 1, 1, 1, 1, 1}, 8, "", "", 0, ""}));
    });
    const auto rows = file.store().calculations();
    REQUIRE(rows);
    REQUIRE(rows->size() == 1);
    const store::CalculationRow& kept = rows->front();
    CHECK(kept.id == 7);
    CHECK(kept.resource == "Post");
    CHECK(kept.name == "words");
    CHECK(kept.version == 2);
    CHECK(kept.policy == "ttl 2h");
    CHECK_FALSE(kept.retired);
    CHECK(kept.hits == 11);
    CHECK(kept.stale_hits == 22);
    CHECK(kept.misses == 33);
    CHECK(kept.computed == 44);
    CHECK(kept.failed == 55);
    CHECK(kept.saved_us == 66);
    file.transaction([](store::Writer& writer) {
      REQUIRE(writer.put_calculation({{}, 7, "Post", "words", 2, "ttl 2h", true}));
    });
    const std::string counted = "hits, stale_hits, misses, computed, failed, saved_us";
    CHECK(file.raw().rows("SELECT retired, " + counted + " FROM cache_calculations") ==
          "1|0|0|0|0|0|0");
  }

  TEST_CASE("delete_calculations deletes only retired calculations") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      REQUIRE(writer.put_calculation({{}, 1, "Post", "a", 1, "", true}));
      REQUIRE(writer.put_calculation({{}, 2, "Post", "b", 1, "", false}));
      const std::vector<std::int64_t> ids = {1, 2, 3};
      REQUIRE(writer.delete_calculations(ids));
    });
    CHECK(file.raw().rows("SELECT id FROM cache_calculations") == "2");
  }

  TEST_CASE("recount corrects the totals and returns the difference") {
    StoreFixture file;
    file.put({{"a", "1"}, {"b", "2"}});
    // The shell's REPLACE fires no delete trigger.
    file.raw().run(
        "REPLACE INTO cache_entries (cache_key, byte_size, inserted_at, computed_at, accessed_at)"
        " VALUES ('a', 30, 5, 5, 5)");
    file.transaction([](store::Writer& writer) {
      CHECK(writer.totals() == store::Totals{3, 230});
      const auto off = writer.recount();
      REQUIRE(off);
      CHECK(*off == store::Totals{-1, -100});
      CHECK(writer.totals() == store::Totals{2, 130});
    });
    CHECK(file.store().totals().value() == store::Totals{2, 130});
  }
}
