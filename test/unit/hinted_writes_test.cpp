// The writer finds rows by remembered rowids. A wrong hint changes no other row.

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hinted_file.hpp"
#include "store/writer_sql.hpp"
#include "support/random.hpp"

using namespace ashmemo;
using store::WriterSql;
using test::HintedFile;
using test::row_of;

namespace {

/// How often each statement of the writer ran.
struct Runs {
  int find_at = 0, find = 0, insert = 0, update = 0, remove = 0;
  friend bool operator==(const Runs&, const Runs&) = default;
};

Runs runs_of(HintedFile& h, const std::function<void(store::Writer&)>& body) {
  const WriterSql sql;
  static_cast<void>(h.statements.take());
  h.file.transaction(body);
  const auto run = h.statements.take();
  const auto count = [&run](const store::Statement& statement) {
    return test::count_of(statement.sql(), run);
  };
  return {count(sql.find_at), count(sql.find), count(sql.insert), count(sql.update),
          count(sql.remove)};
}

Runs put(HintedFile& h, const std::string& key, const std::string& value) {
  return runs_of(h, [&](store::Writer& writer) {
    REQUIRE(writer.put(row_of(key, ValueView::text(value), ++h.file.last_stamp)));
  });
}

Runs erase(HintedFile& h, const std::string& key) {
  return runs_of(h, [&](store::Writer& writer) { REQUIRE(writer.delete_key(key)); });
}

/// Another program stores a row.
void insert_at(HintedFile& h, const std::string& rowid) {
  h.change(
      "INSERT INTO cache_entries (rowid, cache_key, byte_size, inserted_at, computed_at,"
      " accessed_at, value) VALUES (" +
      rowid + ", 'at " + rowid + "', 100, 1, 1, 1, 'foreign')");
}

std::string rows_of(HintedFile& h) {
  return h.file.raw().rows("SELECT cache_key, value FROM cache_entries ORDER BY cache_key");
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a write of a remembered row searches no index of keys") {
    HintedFile h;
    CHECK(put(h, "a", "1") == Runs{.insert = 1});
    CHECK(put(h, "a", "2") == Runs{.find_at = 1, .update = 1});
    CHECK(put(h, "b", "3") == Runs{.find = 1, .insert = 1});  // the last row was not new
    CHECK(erase(h, "a") == Runs{.find_at = 1, .remove = 1});
    CHECK(erase(h, "a") == Runs{.find = 1});
    CHECK(rows_of(h) == "b|3");
  }

  TEST_CASE("the writer remembers a row that it found by its key") {
    HintedFile h;
    CHECK(put(h, "a", "1") == Runs{.insert = 1});
    h.forget("a");
    CHECK(put(h, "a", "2") == Runs{.find = 1, .insert = 1, .update = 1});
    CHECK(put(h, "a", "3") == Runs{.find_at = 1, .update = 1});
    CHECK(h.value("a") == Value::text("3"));
    CHECK(h.by_key == 0);
  }

  TEST_CASE("a write with a wrong hint changes the row of its key only") {
    HintedFile h;
    CHECK(put(h, "a", "1") == Runs{.insert = 1});
    CHECK(put(h, "b", "2") == Runs{.insert = 1});
    const std::int64_t a = h.rowid_of("a");
    const std::int64_t b = h.rowid_of("b");

    h.hints->fill("a", b);
    CHECK(put(h, "a", "3") == Runs{.find_at = 1, .find = 1, .insert = 1, .update = 1});
    CHECK(rows_of(h) == "a|3\nb|2");
    CHECK(h.hints->find("a") == a);

    h.hints->fill("c", b);
    CHECK(put(h, "c", "4") == Runs{.find_at = 1, .find = 1, .insert = 1});
    CHECK(rows_of(h) == "a|3\nb|2\nc|4");

    h.hints->fill("b", 1'000);  // there is no such row
    CHECK(put(h, "b", "5") == Runs{.find_at = 1, .find = 1, .insert = 1, .update = 1});
    CHECK(rows_of(h) == "a|3\nb|5\nc|4");

    h.hints->fill("b", a);
    CHECK(erase(h, "b") == Runs{.find_at = 1, .find = 1, .remove = 1});
    h.hints->fill("absent", a);
    CHECK(erase(h, "absent") == Runs{.find_at = 1, .find = 1});
    CHECK(rows_of(h) == "a|3\nc|4");
  }

  TEST_CASE("a put by a hint returns the old row and keeps its reads and its queue") {
    for (const bool hinted : {true, false}) {
      CAPTURE(hinted);
      HintedFile h;
      store::PutRow row = row_of("key", ValueView::text("1"), 10);
      row.deadlines = {10, 20, 30, 40};
      row.byte_size = 300;
      row.calculation_id = 5;
      row.touches = 2;
      row.eviction_queue = store::kProbationQueue;
      h.file.transaction([&](store::Writer& writer) { REQUIRE(writer.put(row)); });
      if (!hinted) h.forget("key");
      row.touches = 4;
      row.byte_size = 200;
      row.eviction_queue = 0;
      h.file.transaction([&](store::Writer& writer) {
        const auto before = writer.put(row);
        REQUIRE(before);
        REQUIRE(before->has_value());
        CHECK((*before)->key == "key");
        CHECK((*before)->byte_size == 300);
        CHECK((*before)->calculation_id == 5);
        CHECK((*before)->deadlines.keep_until == 40);
        CHECK((*before)->eviction_queue == store::kProbationQueue);
      });
      CHECK(h.file.raw().rows("SELECT access_count, eviction_queue FROM cache_entries") == "6|1");
    }
  }

  TEST_CASE("each way to remove a row except delete_everything forgets its hint") {
    using Remove = std::function<bool(store::Writer&)>;
    const std::vector<Remove> ways = {
        [](store::Writer& writer) { return writer.delete_key("key").ok(); },
        [](store::Writer& writer) { return writer.delete_prefix("k", 9).ok(); },
        [](store::Writer& writer) { return writer.delete_due(500, 9).ok(); },
        [](store::Writer& writer) {
          const auto oldest = writer.oldest(0, 1);
          return oldest.ok() && writer.delete_row(oldest->at(0)).ok();
        },
        [](store::Writer& writer) {
          std::int64_t stamp = 0;
          return writer.delete_future(5, &stamp, 9).ok();
        },
        [](store::Writer& writer) {
          std::optional<std::int64_t> rowid;
          return writer.delete_retired(&rowid, 9).ok();
        },
        [](store::Writer& writer) { return writer.delete_damaged(1).ok(); },
    };
    for (std::size_t i = 0; i < ways.size(); ++i) {
      CAPTURE(i);
      HintedFile h;
      store::PutRow row = row_of("key", ValueView::text("1"), 10);
      row.deadlines = {10, 20, 30, 40};
      row.calculation_id = 5;
      store::CalculationRow retired;
      retired.id = 5;
      retired.retired = true;
      h.file.transaction([&](store::Writer& writer) {
        REQUIRE(writer.put_calculation(retired));
        REQUIRE(writer.put(row));
      });
      REQUIRE(h.hints->find("key") == 1);
      h.change("UPDATE cache_entries SET checksum = 5");  // damages the row
      h.file.transaction([&](store::Writer& writer) { REQUIRE(ways[i](writer)); });
      CHECK(rows_of(h).empty());
      CHECK_FALSE(h.hints->find("key"));
    }
  }

  // Forgetting all hints would take longer than deleting all rows.
  TEST_CASE("a hint of a row that delete_everything removed is wrong once") {
    HintedFile h;
    CHECK(put(h, "a", "1") == Runs{.insert = 1});
    h.file.transaction([](store::Writer& writer) { REQUIRE(writer.delete_everything()); });
    CHECK(h.read({"a"}).wrong == 1);
    CHECK(h.read({"a"}).wrong == 0);
    CHECK(put(h, "a", "2") == Runs{.insert = 1});
    CHECK(h.value("a") == Value::text("2"));
    CHECK(h.by_key == 0);
  }

  TEST_CASE("the hints of the writer are counted as right or wrong") {
    HintedFile h;
    CHECK(put(h, "a", "1") == Runs{.insert = 1});
    CHECK(h.hints->uses().right == 0);
    CHECK(put(h, "a", "2") == Runs{.find_at = 1, .update = 1});
    CHECK(h.hints->uses().right == 1);
    CHECK(h.hints->uses().wrong == 0);
    h.change("UPDATE cache_entries SET rowid = 7");
    CHECK(put(h, "a", "3") == Runs{.find_at = 1, .find = 1, .update = 1});
    CHECK(h.hints->uses().wrong == 1);
    CHECK(erase(h, "a") == Runs{.find_at = 1, .remove = 1});
    CHECK(h.hints->uses().right == 2);
    CHECK(h.hints->uses().wrong == 1);
  }

  TEST_CASE("new rows are remembered beside a row of another program with a large rowid") {
    for (const std::string rowid : {"(1 << 40) - 2", "1 << 40", "1 << 41", "1 << 62"}) {
      CAPTURE(rowid);
      HintedFile h;
      insert_at(h, rowid);
      CHECK(put(h, "a", "1") == Runs{.insert = 1});
      for (int i = 0; i < 2; ++i) {
        CHECK(h.value("a") == Value::text("1"));
        CHECK(h.by_rowid == 1);
        CHECK(h.by_key == 0);
      }
    }
  }

  // The first rowid that the writer chooses is the one after the first of these rows.
  TEST_CASE("new rows are remembered after their rowid collided with a row of another program") {
    HintedFile h;
    insert_at(h, "(1 << 40) - 2");
    insert_at(h, "(1 << 40) - 1");
    CHECK(put(h, "a", "1") == Runs{.insert = 2});
    CHECK(put(h, "b", "2") == Runs{.insert = 1});
    CHECK(h.rowid_of("b") == h.rowid_of("a") + 1);
    CHECK(h.read({"a", "b"}).right == 2);
    CHECK(h.file.raw().integer("SELECT count(*) FROM cache_entries") == 4);
  }

  TEST_CASE("hints of rows that were rolled back are wrong and change nothing") {
    HintedFile h;
    h.file.put({{"old", "1"}});
    REQUIRE(h.file.writer().begin());
    REQUIRE(h.file.writer().put(row_of("new", ValueView::text("lost"), ++h.file.last_stamp)));
    REQUIRE(h.file.writer().delete_key("old"));
    h.file.writer().rollback();
    CHECK(h.value("new") == Value::null());
    CHECK(h.value("old") == Value::text("1"));
    h.file.put({{"another", "2"}, {"new", "3"}});
    CHECK(rows_of(h) == "another|2\nnew|3\nold|1");
    CHECK(h.value("new") == Value::text("3"));
  }

  // Compares random changes, also of other programs, with a map.
  TEST_CASE("writes by hints and by keys give the same rows after random changes") {
    test::Random random;
    HintedFile h;
    std::map<std::string, std::string> expected;
    const auto random_key = [&] { return "k" + std::to_string(random.below(60)); };
    for (int step = 0; step < 300; ++step) {
      const bool roll_back = random.below(10) == 0;
      auto changed = expected;
      REQUIRE(h.file.writer().begin());
      for (std::size_t i = random.below(20); i > 0; --i) {
        const std::string key = random_key();
        if (random.below(4) == 0) {
          REQUIRE(h.file.writer().delete_key(key));
          changed.erase(key);
        } else {
          changed[key] = key + " " + std::to_string(step);
          REQUIRE(
              h.file.writer().put(row_of(key, ValueView::text(changed[key]), ++h.file.last_stamp)));
        }
      }
      if (roll_back) {
        h.file.writer().rollback();
      } else {
        REQUIRE(h.file.writer().commit(false));
        expected = changed;
      }
      switch (random.below(8)) {
        case 0:
          h.change(
              "UPDATE cache_entries SET rowid = rowid + 3 WHERE rowid % 2 = 0 AND NOT EXISTS"
              " (SELECT 1 FROM cache_entries AS o WHERE o.rowid = cache_entries.rowid + 3)");
          break;
        case 1: {
          const std::string key = random_key();
          h.change("DELETE FROM cache_entries WHERE cache_key = '" + key + "'");
          expected.erase(key);
          break;
        }
        case 2:
          h.change(test::kRenumber);
          break;
        case 3:
          if (const auto rowid = h.hints->find(random_key())) h.hints->fill(random_key(), *rowid);
          break;
        default:
          break;
      }
      std::string rows;
      for (const auto& [key, value] : expected)
        rows += (rows.empty() ? "" : "\n") + key + "|" + value;
      REQUIRE(rows_of(h) == rows);
      if (random.below(2) == 0)
        continue;  // a read corrects wrong hints before the writer uses them
      std::vector<std::string> keys;
      for (int i = 0; i < 60; ++i) keys.push_back("k" + std::to_string(i));
      const test::HintSink sink = h.read(keys);
      std::map<std::string, std::string> found;
      for (std::size_t i = 0; i < sink.values.size(); ++i) {
        found[keys[sink.indexes[i]]] = sink.values[i].bytes();
      }
      REQUIRE(found == expected);
    }
  }

  TEST_CASE("the writer looks up the rowids of many keys and remembers them") {
    HintedFile h;
    for (const char* key : {"c", "a", "b"}) static_cast<void>(put(h, key, "1"));
    for (const char* key : {"c", "a", "b"}) h.forget(key);
    std::vector<store::RowidOf> keys;
    for (const char* key : {"a", "b", "c", "d"}) keys.push_back({{key, keys.size()}, 0});
    REQUIRE(h.file.store().writer()->find_rowids(keys));
    CHECK(keys[0].rowid == 2);
    CHECK(keys[1].rowid == 3);
    CHECK(keys[2].rowid == 1);
    CHECK(keys[3].rowid == 0);
    CHECK(h.hints->find("a") == 2);
    CHECK_FALSE(h.hints->find("d"));
    CHECK(put(h, "a", "2") == Runs{.find_at = 1, .update = 1});
  }

  TEST_CASE("the writer does not look up rowids inside a transaction") {
    HintedFile h;
    h.file.transaction([](store::Writer& writer) { CHECK_FALSE(writer.find_rowids({})); });
  }

  TEST_CASE("the writer returns the rowid of the last put") {
    HintedFile h;
    h.file.transaction([](store::Writer& writer) {
      for (const auto& [key, rowid] : {std::pair("a", 1), std::pair("b", 2), std::pair("a", 1)}) {
        REQUIRE(writer.put(row_of(key, ValueView::integer(1), 1)));
        CHECK(writer.last_rowid() == rowid);
      }
    });
  }
}
