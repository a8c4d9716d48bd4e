#include "store/sqlite_store.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/platform.hpp"
#include "support/store_fixture.hpp"

using namespace ashmemo;
using namespace std::chrono_literals;
using base::FailureKind;
using test::numbered_key;
using test::read_rows;
using test::read_value;
using test::row_of;
using test::StoreFixture;

namespace {

std::vector<std::string> keys_of(const base::Result<std::vector<store::StoredEntry>>& page) {
  REQUIRE(page);
  std::vector<std::string> keys;
  for (const store::StoredEntry& entry : *page) keys.push_back(entry.info.key);
  return keys;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("read delivers existing rows with the index of the caller") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      store::PutRow row = row_of("b", ValueView::text("dark"), 9);
      row.deadlines = {1, 2, 3, 4};
      row.calculation_id = 5;
      row.record_version = ValueView::integer(6);
      row.cost_us = 7;
      REQUIRE(writer.put(row));
    });
    const std::vector<store::Lookup> keys = {{"a", 70}, {"b", 3}, {"c", 1}};
    test::CollectingSink sink;
    REQUIRE(file.store().read(keys, sink));
    REQUIRE(sink.rows.size() == 1);
    const auto& row = sink.rows.at(3);
    CHECK(row.rowid == file.raw().integer("SELECT rowid FROM cache_entries"));
    CHECK(row.deadlines.computed_at == 1);
    CHECK(row.deadlines.fresh_until == 2);
    CHECK(row.deadlines.expires_at == 3);
    CHECK(row.deadlines.keep_until == 4);
    CHECK(row.calculation_id == 5);
    CHECK(row.record_version == Value::integer(6));
    CHECK(row.cost_us == 7);
    CHECK(row.value == Value::text("dark"));
  }

  TEST_CASE("read does nothing for an empty list of keys") {
    StoreFixture file;
    test::CollectingSink sink;
    file.store().close();
    CHECK(file.store().read({}, sink));
    file.reopen();
  }

  TEST_CASE("a read sees every commit that finished before it") {
    StoreFixture file;
    for (int i = 0; i < 200; ++i) {
      file.put({{"key", std::to_string(i)}});
      REQUIRE(read_value(file.store(), "key") == Value::text(std::to_string(i)));
    }
    file.transaction([](store::Writer& writer) { REQUIRE(writer.delete_key("key")); });
    CHECK_FALSE(read_value(file.store(), "key"));
  }

  TEST_CASE("a read does not see uncommitted values") {
    StoreFixture file;
    file.put({{"key", "old"}});
    REQUIRE(file.writer().begin());
    REQUIRE(file.writer().put(row_of("key", ValueView::text("new"), 9)));
    CHECK(read_value(file.store(), "key") == Value::text("old"));
    file.writer().rollback();
    CHECK(read_value(file.store(), "key") == Value::text("old"));
  }

  TEST_CASE("the store accepts keys of any bytes") {
    StoreFixture file;
    const std::vector<std::string> keys = {"'",
                                           "\"; DROP TABLE cache_entries; --",
                                           "a\nb",
                                           "%_*?[",
                                           "\xC3\x28",
                                           "caf\xC3\xA9",
                                           std::string(4'096, 'k')};
    std::vector<std::pair<std::string, std::string>> entries;
    for (const std::string& key : keys) entries.emplace_back(key, "value of " + key);
    file.put(entries);
    const auto rows = read_rows(file.store(), keys);
    REQUIRE(rows.size() == keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      CHECK(rows.at(i).value == Value::text("value of " + keys[i]));
      CHECK(file.store().entry(keys[i]).value()->info.key == keys[i]);
    }
  }

  TEST_CASE("a read of 100,000 keys takes a new snapshot for each 10,000") {
    StoreFixture file;
    std::vector<std::string> keys;
    file.transaction([&keys](store::Writer& writer) {
      for (int i = 0; i < 100'000; ++i) {
        keys.push_back(numbered_key(i));
        if (i % 3 == 0) continue;
        REQUIRE(writer.put(row_of(keys.back(), ValueView::integer(i), i + 1)));
      }
    });
    const auto lookups = test::lookups_of(keys);

    // Commits two removals in the middle of the read. Only the next 10,000 keys see them.
    class Sink : public store::RowSink {
     public:
      explicit Sink(StoreFixture& store_file) : file_(store_file) {}
      void row(std::size_t index, const store::EntryView& row) noexcept override {
        ++rows;
        right = right && row.value == ValueView::integer(static_cast<std::int64_t>(index));
        if (index == 25'000) {
          file_.transaction([](store::Writer& writer) {
            REQUIRE(writer.delete_key(numbered_key(26'000)));
            REQUIRE(writer.delete_key(numbered_key(50'000)));
          });
        }
        saw_26 = saw_26 || index == 26'000;
        saw_50 = saw_50 || index == 50'000;
      }
      int rows = 0;
      bool right = true;
      bool saw_26 = false;
      bool saw_50 = false;

     private:
      StoreFixture& file_;
    } sink(file);
    REQUIRE(file.store().read(lookups, sink));
    CHECK(sink.right);
    CHECK(sink.saw_26);        // the snapshot is older than its removal
    CHECK_FALSE(sink.saw_50);  // the snapshot is newer than its removal
    CHECK(sink.rows == 66'666 - 1);
  }

  TEST_CASE("a read sees the change of another program once its snapshot is old") {
    StoreFixture file;
    file.put({{"key", "1"}});
    CHECK(read_value(file.store(), "key"));
    file.raw().run("DELETE FROM cache_entries");
    file.clock->advance(50ms);
    CHECK_FALSE(read_value(file.store(), "key"));

    file.put({{"key", "2"}});
    CHECK(read_value(file.store(), "key"));
    file.raw().run("DELETE FROM cache_entries");
    file.store().release_snapshots(0);
    CHECK_FALSE(read_value(file.store(), "key"));
  }

  TEST_CASE("a read-only store sees each change at once and keeps no snapshot") {
    StoreFixture file;
    file.put({{"key", "1"}});
    store::OpenOptions options = file.options;
    options.read_only = true;
    auto opened = store::open_store(options);
    REQUIRE(opened);
    store::Store& reading = **opened;
    CHECK(reading.writer() == nullptr);
    CHECK(read_value(reading, "key") == Value::text("1"));
    file.put({{"key", "2"}});
    CHECK(read_value(reading, "key") == Value::text("2"));
    CHECK(reading.totals().value() == store::Totals{1, 100});
    const auto done = file.writer().checkpoint(false);
    REQUIRE(done);
    CHECK_FALSE(done->foreign_reader);
    reading.close();
  }

  TEST_CASE("entry returns all fields of an entry and no value for NULL") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      store::PutRow row = row_of("full", ValueView::text("value"), 77);
      row.deadlines = {10, 20, 30, 40};
      row.calculation_id = 5;
      row.record_version = ValueView::blob("v");
      row.cost_us = 6;
      row.touches = 2;
      REQUIRE(writer.put(row));
      REQUIRE(writer.put(row_of("bare", ValueView::null(), 78)));
    });
    const auto full = file.store().entry("full").value();
    REQUIRE(full);
    CHECK(full->info.key == "full");
    CHECK(full->info.byte_size == 100);
    CHECK(full->info.inserted_at == 77);
    CHECK(full->info.computed_at == 10);
    CHECK(full->info.fresh_until == 20);
    CHECK(full->info.expires_at == 30);
    CHECK(full->info.keep_until == 40);
    CHECK(full->info.accessed_at == 77);
    CHECK(full->info.access_count == 2);
    CHECK(full->info.calculation_id == 5);
    CHECK(full->info.cost == Duration::microseconds(6));
    CHECK(full->deadlines.keep_until == 40);
    CHECK(full->value == Value::text("value"));

    const auto bare = file.store().entry("bare").value();
    REQUIRE(bare);
    CHECK_FALSE(bare->info.fresh_until);
    CHECK_FALSE(bare->info.expires_at);
    CHECK_FALSE(bare->info.keep_until);
    CHECK_FALSE(bare->info.calculation_id);
    CHECK_FALSE(bare->info.cost);
    CHECK(bare->deadlines.expires_at == base::kForever);
    CHECK(file.store().entry("missing").value() == std::nullopt);
    CHECK(file.store().entry("ful").value() == std::nullopt);
  }

  TEST_CASE("pages contain the keys in order and each key once") {
    StoreFixture file;
    file.put({{"a", ""}, {"b", ""}, {"b\xFF", ""}, {"ba", ""}, {"bb", ""}, {"c", ""}, {"%", ""}});
    using Keys = std::vector<std::string>;
    store::Store& store = file.store();
    CHECK(keys_of(store.page("", "", 3)) == Keys{"%", "a", "b"});
    CHECK(keys_of(store.page("", "b", 9)) == Keys{"ba", "bb", "b\xFF", "c"});
    CHECK(keys_of(store.page("", "c", 9)).empty());
    CHECK(keys_of(store.page("b", "", 9)) == Keys{"b", "ba", "bb", "b\xFF"});
    CHECK(keys_of(store.page("b", "ba", 1)) == Keys{"bb"});
    CHECK(keys_of(store.page("b", "a", 1)) == Keys{"b"});
    CHECK(keys_of(store.page("b", "zzz", 9)).empty());
    CHECK(keys_of(store.page("b\xFF", "", 9)) == Keys{"b\xFF"});
    CHECK(keys_of(store.page("%", "", 9)) == Keys{"%"});
    CHECK(keys_of(store.page("", "", 0)).empty());
  }

  TEST_CASE("a page of large values ends early") {
    StoreFixture file;
    const std::string large(3 << 20, 'x');
    file.put({{"a", large}, {"b", large}, {"c", large}});
    CHECK(keys_of(file.store().page("", "", 9)).size() == 2);
    CHECK(keys_of(file.store().page("", "b", 9)).size() == 1);
  }

  TEST_CASE("last_stamp returns the largest stamp, including those of other programs") {
    StoreFixture file;
    CHECK(file.store().last_stamp().value() == 0);
    file.put({{"a", "1"}, {"b", "2"}});
    file.transaction([](store::Writer& writer) { REQUIRE(writer.delete_key("b")); });
    CHECK(file.store().last_stamp().value() == 2);
    file.raw().run("UPDATE cache_entries SET inserted_at = 50");
    file.store().release_snapshots(0);
    CHECK(file.store().last_stamp().value() == 50);
  }

  TEST_CASE("a file with more than 100,000 calculations is corrupt, apart from retired ones") {
    StoreFixture file;
    const auto fill = [&file](int first, int count, bool retired) {
      file.raw().run("WITH RECURSIVE n(i) AS (SELECT " + std::to_string(first) +
                     " UNION ALL SELECT i + 1 FROM n LIMIT " + std::to_string(count) +
                     ") INSERT INTO cache_calculations (id, resource, name, version, policy,"
                     " retired) SELECT i, 'r', 'n', 1, 'p', " +
                     (retired ? "1" : "0") + " FROM n");
      file.store().release_snapshots(0);
      return file.store().calculations();
    };
    CHECK(fill(1, 100'000, false).value().size() == 100'000);
    const auto with_retired = fill(200'000, 150'000, true);
    REQUIRE(with_retired.ok());
    CHECK(with_retired->size() == 250'000);
    CHECK(with_retired->front().policy == "p");
    CHECK(with_retired->back().retired);
    CHECK(with_retired->back().policy.empty());
    CHECK(fill(0, 1, false).failure().kind == FailureKind::corrupt);
  }
}
