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

// The life of a store: corruption, backups, closing, deleted files, threads and crashes.

using namespace ashmemo;
using namespace std::chrono_literals;
using base::FailureKind;
using test::numbered_key;
using test::read_rows;
using test::read_value;
using test::row_of;
using test::StoreFixture;

TEST_SUITE("unit") {
  TEST_CASE("integrity finds overwritten bytes, and reads of them fail as corrupt") {
    StoreFixture file;
    std::vector<std::string> keys;
    for (int i = 0; i < 2'000; ++i) keys.push_back(numbered_key(i));
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

  TEST_CASE("a backup contains one complete state of the file and can be opened") {
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

  TEST_CASE("a backup contains one state while entries are written") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      for (int i = 0; i < 20'000; ++i) {
        REQUIRE(writer.put(row_of(numbered_key(i), ValueView::integer(0), i + 1)));
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
    // Each transaction changes both entries, so a mixed copy would contain different values.
    for (std::int64_t round = 1; !stop; ++round) {
      file.transaction([round](store::Writer& writer) {
        for (const int i : {0, 19'999}) {
          REQUIRE(writer.put(row_of(numbered_key(i), ValueView::integer(round), 30'000 + round)));
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

  TEST_CASE("a backup to a missing directory fails and names the path") {
    StoreFixture file;
    const std::string target = file.dir.path("missing/copy.db");
    const auto done = file.store().backup(target);
    REQUIRE_FALSE(done);
    CHECK(done.failure().what.find(target) != std::string::npos);
    CHECK_FALSE(test::exists(target));
  }

  TEST_CASE("a closed store has no WAL and reopening finds all rows") {
    StoreFixture file;
    file.put({{"a", "1"}, {"b", "2"}});
    file.close();
    CHECK_FALSE(test::exists(file.path + "-wal"));
    CHECK_FALSE(test::exists(file.path + "-shm"));
    file.reopen();
    CHECK(read_rows(file.store(), {"a", "b"}).size() == 2);
    CHECK(file.store().totals().value() == store::Totals{2, 200});
  }

  TEST_CASE("a closed store refuses reads and can be closed twice") {
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

    auto again = store::open_store(file.options);  // while the closed store still exists
    REQUIRE(again);
    (*again)->close();
    file.reopen();
  }

  TEST_CASE("still_in_place returns false for a deleted file") {
    StoreFixture file;
    file.put({{"a", "1"}});
    CHECK(read_value(file.store(), "a"));
    CHECK(file.store().still_in_place());
    REQUIRE(base::remove_file(file.path));
    CHECK_FALSE(file.store().still_in_place());
    CHECK(read_value(file.store(), "a"));  // from the open connection
    CHECK(file.store().integrity().failure().kind == FailureKind::unavailable);
    REQUIRE(base::remove_file(file.path + "-wal"));
    file.reopen();
    CHECK_FALSE(read_value(file.store(), "a"));
  }

  TEST_CASE("a file that replaced ours is not opened") {
    StoreFixture file;
    file.put({{"a", "1"}});
    REQUIRE(base::rename_file(file.path, file.dir.path("moved")));
    test::write_file(file.path, "not ours");
    test::CollectingSink sink;
    const std::vector<store::Lookup> keys = {{"a", 0}};
    CHECK(file.store().read(keys, sink).failure().kind == FailureKind::unavailable);
    CHECK(test::read_file(file.path) == "not ours");
    file.store().close();
    REQUIRE(base::remove_file(file.path));
    file.reopen();
  }

  // Each round of the writer changes all entries in one commit. A reader must find all entries in
  // one round, and never in an older round than before.
  TEST_CASE("reads on many threads see whole commits in order while the WAL restarts") {
    StoreFixture file;
    constexpr int kEntries = 40;
    constexpr int kRounds = 300;
    std::vector<std::string> keys;
    for (int i = 0; i < kEntries; ++i) keys.push_back(numbered_key(i));
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
      void row(std::size_t, const store::EntryView& row) noexcept override {
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
        const auto lookups = test::lookups_of(keys);
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

  TEST_CASE("a store has exact totals and all commits after a crash") {
    StoreFixture file;
    file.close();
    test::Child child([&file](test::Child::Parent& parent) {
      auto opened = store::open_store(file.options);
      store::Writer& writer = *(*opened)->writer();
      for (int i = 0; i < 50; ++i) {
        static_cast<void>(writer.begin());
        for (int k = 0; k < 20; ++k) {
          const std::string key = numbered_key(i * 13 + k);
          static_cast<void>(writer.put(row_of(key, ValueView::integer(k), i * 20 + k + 1)));
        }
        static_cast<void>(writer.commit(false));
      }
      static_cast<void>(writer.begin());
      static_cast<void>(writer.delete_prefix("", 300));
      parent.notify();
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
