#include "store/sqlite_store.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/platform.hpp"
#include "support/child.hpp"
#include "support/store_fixture.hpp"

using namespace ashmemo;
using namespace std::chrono_literals;
using base::FailureKind;
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

std::string numbered(int i) { return "key " + std::to_string(1'000'000 + i); }

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("17 reading delivers the rows there are, under the caller's own index") {
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
    CHECK(row.accessed_at == 9);
    CHECK(row.calculation_id == 5);
    CHECK(row.record_version == Value::integer(6));
    CHECK(row.cost_us == 7);
    CHECK(row.value == Value::text("dark"));
  }

  TEST_CASE("16 reading no keys does nothing") {
    StoreFixture file;
    test::CollectingSink sink;
    file.store().close();
    CHECK(file.store().read({}, sink));
    file.reopen();
  }

  TEST_CASE("a read sees every commit that was finished before it") {
    StoreFixture file;
    for (int i = 0; i < 200; ++i) {
      file.put({{"key", std::to_string(i)}});
      REQUIRE(read_value(file.store(), "key") == Value::text(std::to_string(i)));
    }
    file.transaction([](store::Writer& writer) { REQUIRE(writer.erase("key")); });
    CHECK_FALSE(read_value(file.store(), "key"));
  }

  TEST_CASE("what is not committed is not read") {
    StoreFixture file;
    file.put({{"key", "old"}});
    REQUIRE(file.writer().begin());
    REQUIRE(file.writer().put(row_of("key", ValueView::text("new"), 9)));
    CHECK(read_value(file.store(), "key") == Value::text("old"));
    file.writer().rollback();
    CHECK(read_value(file.store(), "key") == Value::text("old"));
  }

  TEST_CASE("keys with quotes, newlines and other bytes are only bytes") {
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

  TEST_CASE("100,000 keys are read, with a new snapshot each 10,000") {
    StoreFixture file;
    std::vector<std::string> keys;
    file.transaction([&keys](store::Writer& writer) {
      for (int i = 0; i < 100'000; ++i) {
        keys.push_back(numbered(i));
        if (i % 3 == 0) continue;
        REQUIRE(writer.put(row_of(keys.back(), ValueView::integer(i), i + 1)));
      }
    });
    std::vector<store::Lookup> lookups;
    for (std::size_t i = 0; i < keys.size(); ++i) lookups.push_back({keys[i], i});

    // Commits in the middle of the read: what is read afterwards shows it, ten thousand keys on.
    class Sink : public store::RowSink {
     public:
      explicit Sink(StoreFixture& store_file) : file_(store_file) {}
      void row(std::size_t index, const store::RowView& row) noexcept override {
        ++rows;
        right = right && row.value == ValueView::integer(static_cast<std::int64_t>(index));
        if (index == 25'000) {
          file_.transaction([](store::Writer& writer) {
            REQUIRE(writer.erase(numbered(26'000)));
            REQUIRE(writer.erase(numbered(50'000)));
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
    CHECK(sink.saw_26);        // the state the ten thousand began with
    CHECK_FALSE(sink.saw_50);  // a newer one
    CHECK(sink.rows == 66'666 - 1);
  }

  TEST_CASE("another program's change is seen once the snapshot has aged") {
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

  TEST_CASE("a store for reading only sees each change at once and keeps no snapshot") {
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

  TEST_CASE("10 an entry is told whole, with NULL where it says nothing") {
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
    CHECK(full->record_version == Value::blob("v"));
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

  TEST_CASE("4 pages walk through the keys in order, each once") {
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

  TEST_CASE("the last stamp is the largest of ours and of what others inserted") {
    StoreFixture file;
    CHECK(file.store().last_stamp().value() == 0);
    file.put({{"a", "1"}, {"b", "2"}});
    file.transaction([](store::Writer& writer) { REQUIRE(writer.erase("b")); });
    CHECK(file.store().last_stamp().value() == 2);
    file.raw().run("UPDATE cache_entries SET inserted_at = 50");
    file.store().release_snapshots(0);
    CHECK(file.store().last_stamp().value() == 50);
  }

  TEST_CASE("a file that claims a hundred thousand calculations is damaged") {
    StoreFixture file;
    const std::string fill =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000)"
        " INSERT INTO cache_calculations (id, resource, name, version, policy)"
        " SELECT i, 'r', 'n', 1, '' FROM n";
    file.raw().run(fill);
    CHECK(file.store().calculations().value().size() == 100'000);
    file.raw().run(
        "INSERT INTO cache_calculations (id, resource, name, version, policy)"
        " VALUES (0, 'r', 'n', 1, '')");
    file.store().release_snapshots(0);
    CHECK(file.store().calculations().failure().kind == FailureKind::corrupt);
  }

  TEST_CASE("58 flipped bytes are found by the check, and break no reader") {
    StoreFixture file;
    std::vector<std::string> keys;
    for (int i = 0; i < 2'000; ++i) keys.push_back(numbered(i));
    file.transaction([&keys](store::Writer& writer) {
      std::int64_t stamp = 0;
      for (const std::string& key : keys) {
        REQUIRE(writer.put(row_of(key, ValueView::text(key), ++stamp)));
      }
    });
    CHECK(file.store().integrity().value().empty());
    file.close();
    file.expect_damage();
    {
      std::fstream bytes(file.path, std::ios::in | std::ios::out | std::ios::binary);
      for (int page = 12; page < 60; page += 3) {
        bytes.seekp(page * 4'096 + 1);
        for (int i = 0; i < 40; ++i) bytes.put(static_cast<char>(i * 37));
      }
    }
    file.reopen();
    CHECK_FALSE(file.store().integrity().value().empty());
    int failed = 0;
    for (std::size_t i = 0; i < keys.size(); i += 20) {
      test::CollectingSink sink;
      const std::vector<store::Lookup> lookups = {{keys[i], 0}};
      const auto done = file.store().read(lookups, sink);
      if (done) continue;
      CHECK(done.failure().kind == FailureKind::corrupt);
      ++failed;
    }
    CHECK(failed > 0);
  }

  TEST_CASE("59 a backup is one whole state of the file, and opens like it") {
    StoreFixture file;
    file.put({{"a", "1"}, {"large", std::string(5 << 20, 'x')}});
    const std::string target = file.dir.path("copy.db");
    REQUIRE(base::create_private_file(target));
    REQUIRE(file.store().backup(target));
    file.put({{"later", "2"}});

    store::OpenOptions options = file.options;
    options.path = target;
    auto copy = store::open_store(options);
    REQUIRE(copy);
    CHECK(read_value(**copy, "a") == Value::text("1"));
    CHECK_FALSE(read_value(**copy, "later"));
    CHECK((*copy)->totals().value() == store::Totals{2, 200});
    CHECK((*copy)->integrity().value().empty());
    (*copy)->close();
    const auto state = base::inspect(target).value();
    CHECK_FALSE(state.writable_by_others);
    CHECK(state.bytes > 5 << 20);
  }

  TEST_CASE("a backup goes on with its state while entries are written") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      for (int i = 0; i < 20'000; ++i) {
        REQUIRE(writer.put(row_of(numbered(i), ValueView::integer(0), i + 1)));
      }
    });
    std::atomic<bool> stop{false};
    std::thread copying([&] {
      for (int i = 0; i < 5; ++i) {
        const std::string target = file.dir.path("copy" + std::to_string(i));
        CHECK(base::create_private_file(target));
        CHECK(file.store().backup(target));
      }
      stop = true;
    });
    // Each transaction changes all of the two entries, so a mixed copy has two different ones.
    for (std::int64_t round = 1; !stop; ++round) {
      file.transaction([round](store::Writer& writer) {
        for (const int i : {0, 19'999}) {
          REQUIRE(writer.put(row_of(numbered(i), ValueView::integer(round), 30'000 + round)));
        }
      });
      if (round % 10 == 0) REQUIRE(file.writer().checkpoint(false));
    }
    copying.join();
    for (int i = 0; i < 5; ++i) {
      test::RawDatabase copy(file.dir.path("copy" + std::to_string(i)));
      CHECK(copy.integer("SELECT count(DISTINCT value) FROM cache_entries WHERE cache_key IN"
                         " ('key 1000000', 'key 1019999')") == 1);
      CHECK(copy.rows("PRAGMA integrity_check") == "ok");
    }
  }

  TEST_CASE("57 a backup to where nothing is fails and names the place") {
    StoreFixture file;
    const std::string target = file.dir.path("missing/copy.db");
    const auto done = file.store().backup(target);
    REQUIRE_FALSE(done);
    CHECK(done.failure().what.find(target) != std::string::npos);
    CHECK_FALSE(test::exists(target));
  }

  TEST_CASE("55 reopening finds all rows, and the files are whole without us") {
    StoreFixture file;
    file.put({{"a", "1"}, {"b", "2"}});
    file.close();
    CHECK_FALSE(test::exists(file.path + "-wal"));
    CHECK_FALSE(test::exists(file.path + "-shm"));
    file.reopen();
    CHECK(read_rows(file.store(), {"a", "b"}).size() == 2);
    CHECK(file.store().totals().value() == store::Totals{2, 200});
  }

  TEST_CASE("61 a closed store refuses to read, and closing twice is nothing") {
    StoreFixture file;
    file.put({{"a", "1"}});
    store::Store& store = file.store();
    store.close();
    store.close();
    test::CollectingSink sink;
    const std::vector<store::Lookup> keys = {{"a", 0}};
    CHECK(store.read(keys, sink).failure().kind == FailureKind::unavailable);
    CHECK(store.entry("a").failure().kind == FailureKind::unavailable);
    CHECK(store.page("", "", 1).failure().kind == FailureKind::unavailable);
    CHECK(store.integrity().failure().kind == FailureKind::unavailable);
    CHECK_FALSE(store.still_in_place());
    store.release_snapshots(0);

    auto again = store::open_store(file.options);  // while the closed one still exists
    REQUIRE(again);
    (*again)->close();
    file.reopen();
  }

  TEST_CASE("a deleted file is noticed") {
    StoreFixture file;
    file.put({{"a", "1"}});
    CHECK(read_value(file.store(), "a"));
    CHECK(file.store().still_in_place());
    REQUIRE(base::remove_file(file.path));
    CHECK_FALSE(file.store().still_in_place());
    CHECK(read_value(file.store(), "a"));  // by the connection that is open
    CHECK(file.store().integrity().failure().kind == FailureKind::unavailable);
    REQUIRE(base::remove_file(file.path + "-wal"));
    file.reopen();
    CHECK_FALSE(read_value(file.store(), "a"));
  }

  TEST_CASE("a file that takes the place of ours is not opened") {
    StoreFixture file;
    file.put({{"a", "1"}});
    REQUIRE(base::rename_file(file.path, file.dir.path("moved")));
    test::write_file(file.path, "somebody's own");
    test::CollectingSink sink;
    const std::vector<store::Lookup> keys = {{"a", 0}};
    CHECK(file.store().read(keys, sink).failure().kind == FailureKind::unavailable);
    CHECK(test::read_file(file.path) == "somebody's own");
    file.store().close();
    REQUIRE(base::remove_file(file.path));
    file.reopen();
  }

  // One writer makes rounds: all entries of a round are of one commit, so whoever reads a page must
  // find all of it in one round, and never an older one than before.
  TEST_CASE("62 reads on many threads see whole commits, in order, while the WAL starts over") {
    StoreFixture file;
    constexpr int kEntries = 40;
    constexpr int kRounds = 300;
    std::vector<std::string> keys;
    for (int i = 0; i < kEntries; ++i) keys.push_back(numbered(i));
    const auto write_round = [&](std::int64_t round) {
      file.transaction([&](store::Writer& writer) {
        for (const std::string& key : keys) {
          REQUIRE(writer.put(row_of(key, ValueView::integer(round), ++file.last_stamp)));
        }
      });
    };
    write_round(0);

    class Sink : public store::RowSink {
     public:
      void row(std::size_t, const store::RowView& row) noexcept override {
        const std::int64_t round = row.value.as_integer();
        if (rows++ == 0) first = round;
        one_round = one_round && round == first;
      }
      int rows = 0;
      std::int64_t first = 0;
      bool one_round = true;
    };
    std::atomic<std::int64_t> committed{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 4; ++t) {
      readers.emplace_back([&] {
        std::vector<store::Lookup> lookups;
        for (std::size_t i = 0; i < keys.size(); ++i) lookups.push_back({keys[i], i});
        while (committed < kRounds) {
          const std::int64_t at_least = committed;
          Sink sink;
          const auto done = file.store().read(lookups, sink);
          const bool right =
              done.ok() && sink.rows == kEntries && sink.one_round && sink.first >= at_least;
          if (!right) ++wrong;
        }
      });
    }
    for (std::int64_t round = 1; round <= kRounds; ++round) {
      write_round(round);
      committed = round;
      if (round % 20 == 0) REQUIRE(file.writer().checkpoint(round % 40 == 0));
      if (round % 30 == 0) file.store().release_snapshots(0);
    }
    for (std::thread& reader : readers) reader.join();
    CHECK(wrong == 0);
  }

  TEST_CASE("51 after a crash the totals are exact and nothing committed is lost") {
    StoreFixture file;
    file.close();
    test::Child child([&file](test::Child::Parent& parent) {
      auto opened = store::open_store(file.options);
      store::Writer& writer = *(*opened)->writer();
      for (int i = 0; i < 50; ++i) {
        static_cast<void>(writer.begin());
        for (int k = 0; k < 20; ++k) {
          const std::string key = numbered(i * 13 + k);
          static_cast<void>(writer.put(row_of(key, ValueView::integer(k), i * 20 + k + 1)));
        }
        static_cast<void>(writer.commit(false));
      }
      static_cast<void>(writer.begin());
      static_cast<void>(writer.erase_prefix("", 300));
      parent.tell();
      parent.wait_for();  // killed here, in the middle of a transaction
      return std::string();
    });
    REQUIRE(child.wait_for());
    child.kill();
    file.reopen();
    CHECK(file.writer().wal_bytes() > 0);
    CHECK(file.store().totals().value() == store::Totals{49 * 13 + 20, (49 * 13 + 20) * 100});
    file.put({{"after", "1"}});
  }
}
