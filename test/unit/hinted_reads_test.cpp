// Reads by remembered rowids. A hint that is wrong for any reason costs one search and changes no
// answer.

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "hinted_file.hpp"
#include "store/checksum.hpp"

using namespace ashmemo;
using test::HintedFile;
using test::HintSink;
using test::numbered_key;

namespace {

/// Writes 20 rows in an order that is not the order of their keys.
std::vector<std::string> put_rows(HintedFile& h) {
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) {
    keys.push_back(numbered_key(i * 7 % 20));
    h.file.put({{keys.back(), "value of " + keys.back()}});
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

/// Requires this number of rows, each with the value of its key.
void require_values_of(std::size_t rows, const HintSink& sink,
                       const std::vector<std::string>& keys) {
  REQUIRE(sink.values.size() == rows);
  for (std::size_t i = 0; i < rows; ++i) {
    REQUIRE(sink.values[i] == Value::text("value of " + keys[sink.indexes[i]]));
  }
}

/// Requires one row with the right value for each of the first keys that were read.
void require_values(const HintSink& sink, const std::vector<std::string>& keys) {
  require_values_of(keys.size(), sink, keys);
}

/// Another program deletes all rows and stores these keys with the rowids 1, 2, ... The values
/// begin with the number of the round.
void store_as_others(test::StoreFixture& file, const std::vector<std::string>& keys, int round,
                     bool with_checksums) {
  std::string sql = "BEGIN; DELETE FROM cache_entries;";
  int rowid = 0;
  for (const std::string& key : keys) {
    const std::string value = std::to_string(round) + " " + key;
    const store::PutRow row = test::row_of(key, ValueView::text(value), 1);
    const std::string checksum =
        with_checksums ? std::to_string(store::checksum_of(key, row)) : "NULL";
    sql +=
        "INSERT INTO cache_entries (rowid, cache_key, byte_size, inserted_at, computed_at,"
        " accessed_at, value, checksum) VALUES (" +
        std::to_string(++rowid) + ", '" + key + "', 100, 1, 1000, 1, '" + value + "', " + checksum +
        ");";
  }
  file.raw().run(sql + "COMMIT");
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a read finds a row by the rowid that an earlier read or write remembered") {
    HintedFile h;
    h.file.put({{"key", "1"}});
    CHECK(h.value("key") == Value::text("1"));
    CHECK(h.by_rowid == 1);
    CHECK(h.by_key == 0);

    h.forget("key");
    CHECK(h.value("key") == Value::text("1"));
    CHECK(h.by_rowid == 0);
    CHECK(h.by_key == 1);
    CHECK(h.value("key") == Value::text("1"));
    CHECK(h.by_rowid == 1);
    CHECK(h.by_key == 0);
  }

  TEST_CASE("a store without hints searches each row by its key") {
    HintedFile h;
    h.file.options.hints = nullptr;
    h.file.reopen();
    h.file.put({{"key", "1"}});
    for (int i = 0; i < 2; ++i) {
      CHECK(h.value("key") == Value::text("1"));
      CHECK(h.by_rowid == 0);
      CHECK(h.by_key == 1);
    }
  }

  TEST_CASE("a key that was never stored is searched once by its key") {
    HintedFile h;
    put_rows(h);
    const HintSink sink = h.read({"absent"});
    CHECK(sink.values.empty());
    CHECK(sink.wrong == 0);
    CHECK(h.by_rowid == 0);
    CHECK(h.by_key == 1);
  }

  TEST_CASE("rows without hints are read by key and then the others in the order of rowids") {
    HintedFile h;
    const std::vector<std::string> keys = put_rows(h);
    HintSink sink = h.read(keys);
    require_values(sink, keys);
    CHECK(std::is_sorted(sink.rowids.begin(), sink.rowids.end()));
    CHECK(sink.right == 20);
    CHECK(h.by_rowid == 20);
    CHECK(h.by_key == 0);

    // Two rows have no hint, and the hints of two others are wrong.
    for (const std::size_t i : {3U, 8U}) h.forget(keys[i]);
    h.hints->fill(keys[5], h.rowid_of(keys[6]));
    h.hints->fill(keys[1], 1'000);
    sink = h.read(keys);
    require_values(sink, keys);
    CHECK(sink.indexes[0] == 3);
    CHECK(sink.indexes[1] == 8);
    CHECK(sink.indexes[19] == 1);
    sink.rowids.erase(std::find(sink.rowids.begin(), sink.rowids.end(), h.rowid_of(keys[5])));
    CHECK(std::is_sorted(sink.rowids.begin() + 2, sink.rowids.end() - 1));
    CHECK(sink.right == 16);
    CHECK(sink.wrong == 2);
    CHECK(h.by_rowid == 18);
    CHECK(h.by_key == 4);

    // This read corrected them.
    CHECK(h.read(keys).right == 20);
  }

  TEST_CASE("a wrong hint of a missing row costs one search and is then forgotten") {
    HintedFile h;
    h.file.put({{"key", "1"}});
    h.change("DELETE FROM cache_entries");
    HintSink sink = h.read({"key"});
    CHECK(sink.values.empty());
    CHECK(sink.wrong == 1);
    CHECK(h.by_rowid == 1);
    CHECK(h.by_key == 1);
    sink = h.read({"key"});
    CHECK(sink.values.empty());
    CHECK(sink.wrong == 0);
    CHECK(h.by_rowid == 0);
  }

  TEST_CASE("a row that another program renamed answers only under its new key") {
    HintedFile h;
    h.file.put({{"key", "1"}});
    h.change("UPDATE cache_entries SET cache_key = 'renamed'");
    CHECK(h.value("key") == Value::null());
    CHECK(h.value("renamed") == Value::text("1"));
    h.file.expect_wrong_totals();
  }

  // Without a checksum only the key shows that the row is another one.
  TEST_CASE("rows whose rowids another program exchanged keep their values") {
    for (const bool checked : {true, false}) {
      CAPTURE(checked);
      HintedFile h;
      h.file.put({{"a", "value of a"}, {"b", "value of b"}});
      if (!checked) h.change("UPDATE cache_entries SET checksum = NULL");
      h.change(
          "UPDATE cache_entries SET rowid = 100 WHERE rowid = 1;"
          "UPDATE cache_entries SET rowid = 1 WHERE rowid = 2;"
          "UPDATE cache_entries SET rowid = 2 WHERE rowid = 100");
      const HintSink sink = h.read({"a", "b"});
      require_values(sink, {"a", "b"});
      CHECK(sink.wrong == 2);
      CHECK(sink.damages == 0);
      CHECK(h.read({"a", "b"}).right == 2);
    }
  }

  TEST_CASE("hints stay right after a vacuum, which keeps the rowids") {
    HintedFile h;
    const std::vector<std::string> keys = put_rows(h);
    h.change("DELETE FROM cache_entries WHERE rowid IN (1, 4)");
    h.change("VACUUM");
    HintSink sink = h.read(keys);
    require_values_of(18, sink, keys);
    CHECK(sink.right == 18);
    CHECK(sink.wrong == 2);
    sink = h.read(keys);
    CHECK(sink.right == 18);
    CHECK(sink.wrong == 0);
  }

  TEST_CASE("rows keep their values after all rowids changed") {
    for (const std::string sql : {"UPDATE cache_entries SET rowid = rowid - 1", test::kRenumber}) {
      CAPTURE(sql);
      HintedFile h;
      const std::vector<std::string> keys = put_rows(h);
      h.change("DELETE FROM cache_entries WHERE rowid IN (1, 4)");
      h.change(sql);
      HintSink sink = h.read(keys);
      require_values_of(18, sink, keys);
      CHECK(sink.right == 0);
      CHECK(sink.wrong == 20);
      sink = h.read(keys);
      require_values_of(18, sink, keys);
      CHECK(sink.right == 18);
      CHECK(sink.wrong == 0);
    }
  }

  TEST_CASE("hints of a file that was replaced give no rows of the new file") {
    HintedFile h;
    h.file.put({{"a", "old a"}, {"b", "old b"}, {"c", "old c"}});
    test::StoreFixture other;
    other.put({{"c", "value of c"}, {"a", "value of a"}});
    other.options.hints = h.hints;
    other.reopen();
    HintSink sink;
    const std::vector<std::string> keys = {"a", "c", "b"};
    const auto lookups = test::lookups_of(keys);
    REQUIRE(other.store().read(lookups, sink));
    require_values(sink, {"a", "c"});
    CHECK(sink.wrong == 3);
  }

  TEST_CASE("a rowid that is used again answers for the key that it has in the snapshot") {
    HintedFile h;
    h.file.put({{"a", "value of a"}, {"b", "value of b"}});
    require_values(h.read({"a", "b"}), {"a", "b"});  // takes a snapshot
    h.file.raw().run(
        "DELETE FROM cache_entries WHERE cache_key = 'a';"
        "INSERT INTO cache_entries (rowid, cache_key, byte_size, inserted_at, computed_at,"
        " accessed_at, value) VALUES (1, 'c', 100, 1, 1, 1, 'value of c')");
    h.hints->fill("c", 1);  // as a reader with a newer snapshot does
    HintSink sink = h.read({"a", "b", "c"});
    require_values(sink, {"a", "b"});
    CHECK(sink.right == 2);
    CHECK(sink.wrong == 1);

    h.file.store().release_snapshots(0);
    sink = h.read({"c", "b", "a"});
    require_values(sink, {"c", "b"});
    CHECK(sink.wrong == 1);
  }

  TEST_CASE("a read returns the rows of its snapshot while another program moves them") {
    HintedFile h;
    const std::vector<std::string> keys = put_rows(h);
    int rows = 0;
    const HintSink sink = h.read(keys, [&] {
      if (++rows != 3) return;
      h.file.raw().run(
          "UPDATE cache_entries SET rowid = rowid + 1000, value = 'new ' || cache_key;"
          "UPDATE cache_entries SET rowid = 1021 - rowid");
      for (std::size_t i = 0; i < keys.size(); ++i) {
        h.hints->fill(keys[i], static_cast<std::int64_t>(i) + 1);
      }
    });
    require_values(sink, keys);
    h.file.store().release_snapshots(0);
    const HintSink moved = h.read(keys);
    CHECK(moved.values.size() == 20);
    for (const Value& value : moved.values) {
      CHECK(value.bytes().substr(0, 4) == "new ");
    }
  }

  // Also meant for ThreadSanitizer, so it uses no statement counter, which has a mutex. In each
  // round another program gives the rowids to other keys, so nearly every hint becomes wrong. In
  // half of the rounds the rows have no checksums, so only their keys distinguish them.
  TEST_CASE("readers see whole commits while rowids pass from key to key") {
    constexpr int kRounds = 60;
    test::StoreFixture file;
    file.options.hints = std::make_shared<store::RowidHints>(store::RowidHints::kMinBytes);
    file.reopen();
    std::vector<std::string> keys;
    for (int i = 0; i < 40; ++i) keys.push_back(numbered_key(i));
    const auto lookups = test::lookups_of(keys);
    for (const std::string& key : keys) file.put({{key, "0 " + key}});
    // Triggers would clear the checksums. The totals stay the same in each round.
    sqlite3_db_config(file.raw().handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    std::mt19937 random(7);
    const auto write_round = [&](int round) {
      std::vector<std::string> order = keys;
      std::shuffle(order.begin(), order.end(), random);
      store_as_others(file, order, round, round % 2 == 0);
      // The writer notices the change, so readers take new snapshots. It moves some of the rows.
      file.transaction([&](store::Writer& writer) {
        for (std::size_t i = 0; i < 5; ++i) {
          const std::string value = std::to_string(round) + " " + order[i];
          CHECK(writer.delete_key(order[i]));
          CHECK(writer.put(test::row_of(order[i], ValueView::text(value), ++file.last_stamp)));
        }
      });
    };
    std::atomic<int> committed{0};
    std::atomic<int> reads{0};
    std::atomic<int> wrong{0};
    std::atomic<std::int64_t> right_hints{0};
    std::atomic<std::int64_t> wrong_hints{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 4; ++t) {
      readers.emplace_back([&] {
        while (committed < kRounds) {
          const int at_least = committed;
          HintSink sink;
          bool right = file.store().read(lookups, sink).ok() && sink.values.size() == keys.size();
          const int round = right ? std::stoi(std::string(sink.values[0].bytes())) : -1;
          for (std::size_t i = 0; right && i < keys.size(); ++i) {
            const std::string& key = keys[sink.indexes[i]];
            right = sink.values[i] == Value::text(std::to_string(round) + " " + key);
          }
          if (!right || round < at_least || sink.damages != 0) ++wrong;
          right_hints += sink.right;
          wrong_hints += sink.wrong;
          ++reads;
        }
      });
    }
    for (int round = 1; round <= kRounds; ++round) {
      const int seen = reads;
      while (reads < seen + 4) std::this_thread::yield();
      write_round(round);
      committed = round;
    }
    for (std::thread& reader : readers) reader.join();
    CHECK(wrong == 0);
    CHECK(right_hints > 0);
    CHECK(wrong_hints > 0);
  }

  TEST_CASE("a row with a rowid of 2^40 or more is read by its key") {
    HintedFile h;
    h.file.put({{"key", "1"}});
    for (const std::string rowid : {"1 << 40", "(1 << 40) + 1", "1 << 61", "-1", "0"}) {
      CAPTURE(rowid);
      h.change("UPDATE cache_entries SET rowid = " + rowid);
      CHECK(h.value("key") == Value::text("1"));  // forgets the old rowid
      CHECK(h.value("key") == Value::text("1"));
      CHECK(h.by_rowid == 0);
      CHECK(h.by_key == 1);
    }
    h.change("UPDATE cache_entries SET rowid = (1 << 40) - 1");
    CHECK(h.value("key") == Value::text("1"));
    CHECK(h.value("key") == Value::text("1"));
    CHECK(h.by_rowid == 1);
    CHECK(h.by_key == 0);
  }

  TEST_CASE("a row that was found by its hint and does not match its checksum is damaged") {
    HintedFile h;
    h.file.put({{"key", "1"}, {"other", "2"}});
    h.change("UPDATE cache_entries SET checksum = 5 WHERE cache_key = 'key'");
    HintSink sink;
    REQUIRE(h.read_into(sink, {"key", "other"}));
    CHECK(sink.damages == 1);
    CHECK(sink.values == std::vector<Value>{Value::text("2")});
    CHECK(sink.right == 2);
    CHECK(h.by_key == 0);
  }

  TEST_CASE("a value that is too large for the connection is a miss with and without a hint") {
    HintedFile h;
    h.file.put({{"key", std::string(200'000, 'x')}, {"other", "2"}});
    h.file.options.max_entry_bytes = 1'000;
    h.file.reopen();
    HintSink sink = h.read({"key", "other"});
    CHECK(sink.values == std::vector<Value>{Value::text("2")});
    CHECK(sink.right == 2);  // the place was right
    CHECK(h.by_key == 0);
    h.forget("key");
    sink = h.read({"key"});
    CHECK(sink.values.empty());
    CHECK(sink.right + sink.wrong == 0);
    CHECK(h.by_key == 1);

    // Another program gives the place to a row whose key is too large, too.
    h.hints->fill("key", 2);
    h.change("UPDATE cache_entries SET cache_key = printf('%.200000c', 'k') WHERE rowid = 2");
    sink = h.read({"key"});
    CHECK(sink.values.empty());
    CHECK(sink.right == 0);
    CHECK(sink.wrong == 1);
    CHECK(h.by_key == 1);
  }
}
