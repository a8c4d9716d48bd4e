#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/platform.hpp"
#include "store/connection.hpp"
#include "support/allocations.hpp"
#include "support/counting_vfs.hpp"
#include "support/store_fixture.hpp"

// The writer beside other programs, and its work between transactions.

using namespace ashmemo;
using base::FailureKind;
using test::row_of;
using test::StoreFixture;

namespace {

constexpr std::int64_t kMiB = 1024 * 1024;

std::int64_t file_bytes(const std::string& path) { return base::inspect(path).value().bytes; }

// Fills about `pages` pages of the WAL.
void fill_wal(StoreFixture& file, int pages) {
  static int round = 0;
  file.put({{"fill " + std::to_string(++round),
             std::string(static_cast<std::size_t>(pages) * 4'092, 'x')}});
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a transaction does not begin while another program writes") {
    StoreFixture file;
    file.put({{"a", "1"}});
    file.raw().run("BEGIN IMMEDIATE");
    const auto begun = file.writer().begin();
    REQUIRE_FALSE(begun);
    CHECK(begun.failure().kind == FailureKind::busy);
    CHECK(test::read_value(file.store(), "a") == Value::text("1"));
    file.raw().run("ROLLBACK");
    file.put({{"b", "2"}});
    CHECK(file.writer().totals() == store::Totals{2, 200});
  }

  TEST_CASE("begin reports a change by another program once, and own changes never") {
    StoreFixture file;
    const auto foreign = [&file] {
      const auto begun = file.writer().begin();
      REQUIRE(begun);
      REQUIRE(file.writer().put(row_of("k", ValueView::integer(1), ++file.last_stamp)));
      REQUIRE(file.writer().commit(false));
      return begun->foreign_change;
    };
    CHECK_FALSE(foreign());
    REQUIRE(file.writer().checkpoint(false));
    CHECK_FALSE(foreign());
    REQUIRE(file.writer().checkpoint(true));
    CHECK_FALSE(foreign());
    fill_wal(file, 600);
    file.transaction([](store::Writer& writer) { REQUIRE(writer.delete_everything()); });
    REQUIRE(file.writer().vacuum(50));
    REQUIRE(file.writer().checkpoint(true));
    CHECK_FALSE(foreign());
    REQUIRE(file.store().integrity());
    CHECK_FALSE(foreign());

    file.raw().run("UPDATE cache_entries SET access_count = 1");
    const std::uint64_t counter = file.store().commit_counter();
    CHECK(foreign());
    CHECK(file.store().commit_counter() == counter + 2);  // once for each program
    CHECK_FALSE(foreign());
  }

  TEST_CASE("look sees the change of another program even while that program holds the lock") {
    StoreFixture file;
    file.put({{"a", "1"}, {"b", "2"}});
    file.raw().run("DELETE FROM cache_entries WHERE cache_key = 'a'");
    file.raw().run("BEGIN IMMEDIATE");
    auto seen = file.writer().look();
    REQUIRE(seen);
    CHECK(seen->foreign_change);
    CHECK(file.writer().totals() == store::Totals{1, 100});
    seen = file.writer().look();
    REQUIRE(seen);
    CHECK_FALSE(seen->foreign_change);
    file.raw().run("ROLLBACK");
    REQUIRE(file.writer().begin());
    CHECK_FALSE(file.writer().look());
    file.writer().rollback();
  }

  TEST_CASE("totals are known after opening without a transaction") {
    StoreFixture file;
    file.put({{"a", "1"}});
    file.reopen();
    REQUIRE(file.writer().look());
    CHECK(file.writer().totals() == store::Totals{1, 100});
  }

  TEST_CASE("a transaction without changes does not raise the commit counter") {
    StoreFixture file;
    file.put({{"a", "1"}});
    const std::uint64_t counter = file.store().commit_counter();
    file.transaction([](store::Writer& writer) {
      REQUIRE(writer.oldest(0, 5));
      REQUIRE(writer.delete_key("missing"));
    });
    CHECK(file.store().commit_counter() == counter);
    file.put({{"a", "2"}});
    CHECK(file.store().commit_counter() == counter + 1);
  }

  TEST_CASE("totals and rowids are read again after a change by another program") {
    StoreFixture file;
    file.put({{"a", "1"}});
    file.raw().run(
        "INSERT INTO cache_entries (rowid, cache_key, byte_size, inserted_at, computed_at,"
        " accessed_at) VALUES (500, 'shell', 7, 5, 5, 5)");
    file.put({{"b", "2"}});
    CHECK(file.writer().totals() == store::Totals{3, 207});
    CHECK(file.raw().integer("SELECT rowid FROM cache_entries WHERE cache_key = 'b'") == 501);
    file.raw().run("DELETE FROM cache_entries WHERE cache_key <> 'b'");
    file.put({{"c", "3"}});
    CHECK(file.writer().totals() == store::Totals{2, 200});
  }

  TEST_CASE("a foreign row with the largest integers does not stop the writer") {
    StoreFixture file;
    file.raw().run(
        "INSERT INTO cache_entries (rowid, cache_key, byte_size, inserted_at, computed_at,"
        " accessed_at, expires_at, keep_until, access_count)"
        " VALUES (9223372036854775807, 'max', 9223372036854775807, 9223372036854775807,"
        " -9223372036854775808, 9223372036854775807, 5, -9223372036854775808,"
        " 9223372036854775807)");
    file.put({{"a", "1"}, {"b", "2"}});
    CHECK(file.raw().integer("SELECT max(rowid) FROM cache_entries WHERE cache_key <> 'max'") == 2);
    CHECK(file.store().last_stamp().value() == file.last_stamp);
    file.transaction([](store::Writer& writer) {
      CHECK(writer.delete_due(10, 10).value().rows.size() == 1);
      REQUIRE(writer.recount());
    });
    CHECK(file.writer().totals() == store::Totals{2, 200});
  }

  TEST_CASE("a foreign trigger stops the writer and a plain index does not") {
    StoreFixture file;
    file.put({{"a", "1"}});
    file.raw().run("CREATE INDEX mine ON cache_entries (access_count)");
    file.put({{"b", "2"}});
    file.raw().run(
        "CREATE TRIGGER theirs AFTER INSERT ON cache_entries BEGIN"
        " DELETE FROM cache_entries; END");
    const auto begun = file.writer().begin();
    REQUIRE_FALSE(begun);
    CHECK(begun.failure().kind == FailureKind::corrupt);
    CHECK_FALSE(file.writer().begin());
    CHECK(file.raw().integer("SELECT count(*) FROM cache_entries") == 2);
    file.raw().run("DROP TRIGGER theirs");
    file.put({{"c", "3"}});
    CHECK(file.writer().totals() == store::Totals{3, 300});
  }

  TEST_CASE("a file without totals is corrupt") {
    StoreFixture file;
    file.expect_wrong_totals();
    file.put({{"a", "1"}});
    file.raw().run("DELETE FROM cache_totals");
    const auto begun = file.writer().begin();
    REQUIRE_FALSE(begun);
    CHECK(begun.failure().kind == FailureKind::corrupt);
  }

  TEST_CASE("a value above the limit of the connection is missing for reads and can be removed") {
    StoreFixture file;
    file.put({{"a", std::string(3 * kMiB, 'x')}, {"b", "2"}, {"c", std::string(3 * kMiB, 'y')}});
    file.options.max_entry_bytes = kMiB;
    file.reopen();
    const auto rows = test::read_rows(file.store(), {"a", "b", "c"});
    CHECK(rows.size() == 1);
    CHECK(rows.count(1) == 1);
    CHECK(file.store().entry("a").value() == std::nullopt);
    const auto page = file.store().page("", "", 10);
    REQUIRE(page);
    REQUIRE(page->size() == 1);
    CHECK(page->front().info.key == "b");
    CHECK(file.store().page("", "b", 10).value().empty());

    file.transaction([](store::Writer& writer) {
      const auto oldest = writer.oldest(0, 3).value();
      CHECK_FALSE(writer.touch({oldest[0].rowid, 50, 1}).value().has_value());
      // The row is too large to be written again.
      CHECK_FALSE(writer.reinsert(oldest[0].rowid, {60, 60, 1, 0, 0}).value());
      CHECK(writer.totals() == store::Totals{3, 300});
      REQUIRE(writer.delete_row(oldest[0]));
      CHECK(writer.totals() == store::Totals{2, 200});
      REQUIRE(writer.put(row_of("c", ValueView::integer(3), 70)));
    });
    CHECK(test::read_value(file.store(), "c") == Value::integer(3));
  }

  TEST_CASE("a checkpoint moves all frames and the WAL restarts") {
    StoreFixture file;
    CHECK(file.writer().wal_bytes() < 100'000);
    fill_wal(file, 400);
    CHECK(file.writer().wal_bytes() >= 400 * 4'096);
    const std::int64_t size = file_bytes(file.path + "-wal");
    // After this read an idle reader has a snapshot.
    CHECK(test::read_value(file.store(), "missing") == std::nullopt);
    const auto done = file.writer().checkpoint(false);
    REQUIRE(done);
    CHECK(done->wal_frames >= 400);
    CHECK(done->moved_frames == done->wal_frames);
    CHECK_FALSE(done->foreign_reader);
    CHECK(file.writer().wal_bytes() == 0);
    file.put({{"a", "1"}});
    CHECK(file_bytes(file.path + "-wal") == size);  // written from its start again
    CHECK(file.writer().wal_bytes() < 100'000);
    CHECK(file.store().sizes().wal_bytes == size);
    CHECK(file.store().sizes().file_bytes == file_bytes(file.path));
  }

  TEST_CASE("a checkpoint that runs out of memory fails, and the next one shortens the log") {
    StoreFixture file;
    bool failed = true;
    for (std::int64_t before = 0; failed; ++before) {
      CAPTURE(before);
      fill_wal(file, 400);  // more than a log keeps
      failed = test::without_memory(before, [&] { (void)file.writer().checkpoint(true); });
      REQUIRE(file.writer().checkpoint(true));
      CHECK(file_bytes(file.path + "-wal") <= store::kWalLeastBytes);
    }
  }

  TEST_CASE("a look or a transaction reserves space in a log that another program has shortened") {
    StoreFixture file;
    file.put({{"a", "1"}});
    const std::string log = file.path + "-wal";
    for (const bool looks_before : {false, true, false}) {
      file.store().release_snapshots(0);
      file.raw().run("PRAGMA wal_checkpoint(TRUNCATE)");
      REQUIRE(file_bytes(log) == 0);
      if (looks_before) {
        file.raw().run("BEGIN IMMEDIATE");
        REQUIRE(file.writer().look());
        CHECK(file_bytes(log) == 0);  // the other program may write the log
        file.raw().run("COMMIT");
        REQUIRE(file.writer().look());
        CHECK(file_bytes(log) >= store::kWalLeastBytes);
      }
      file.put({{"b", "2"}});
      CHECK(file_bytes(log) >= store::kWalLeastBytes);
    }
    CHECK(test::read_value(file.store(), "b") == Value::text("2"));
  }

  TEST_CASE("wal_bytes includes a WAL that existed before opening") {
    StoreFixture file;
    fill_wal(file, 300);
    test::RawDatabase last(file.path);
    REQUIRE(last.integer("SELECT count(*) FROM cache_entries") == 1);
    last.run("BEGIN");  // keeps the WAL when our store closes
    REQUIRE(last.integer("SELECT count(*) FROM cache_entries") == 1);
    file.reopen();
    CHECK(file.writer().wal_bytes() >= 300 * 4'096);
    last.run("COMMIT");
  }

  TEST_CASE("a truncating checkpoint shortens the WAL to 1 MiB") {
    StoreFixture file;
    fill_wal(file, 2'000);
    CHECK(file_bytes(file.path + "-wal") > 7 * kMiB);
    REQUIRE(file.writer().checkpoint(true));
    CHECK(file_bytes(file.path + "-wal") == kMiB);
    fill_wal(file, 2'000);
    REQUIRE(file.writer().checkpoint(false));
    file.put({{"a", "1"}});
    CHECK(file_bytes(file.path + "-wal") == store::kWalKeptBytes);
  }

  TEST_CASE("checkpoint reports a foreign reader that keeps the WAL from restarting") {
    StoreFixture file;
    fill_wal(file, 100);
    file.raw().run("BEGIN");
    REQUIRE(file.raw().integer("SELECT count(*) FROM cache_entries") == 1);
    SUBCASE("it reads the last state") {
      const auto done = file.writer().checkpoint(false);
      REQUIRE(done);
      CHECK(done->moved_frames == done->wal_frames);
      CHECK(done->foreign_reader);
    }
    SUBCASE("it reads an older state") {
      fill_wal(file, 100);
      const auto done = file.writer().checkpoint(false);
      REQUIRE(done);
      CHECK(done->moved_frames < done->wal_frames);
      CHECK(done->foreign_reader);
    }
    CHECK(file.writer().wal_bytes() > 0);
    file.raw().run("COMMIT");
    const auto after = file.writer().checkpoint(false);
    REQUIRE(after);
    CHECK_FALSE(after->foreign_reader);
    CHECK(file.writer().wal_bytes() == 0);
  }

  TEST_CASE("checkpoint does not report a foreign writer as a reader") {
    StoreFixture file;
    fill_wal(file, 100);
    file.raw().run("BEGIN IMMEDIATE");
    const auto done = file.writer().checkpoint(false);
    REQUIRE(done);
    CHECK_FALSE(done->foreign_reader);
    file.raw().run("ROLLBACK");
  }

  TEST_CASE("upkeep inside a transaction is refused") {
    StoreFixture file;
    REQUIRE(file.writer().begin());
    CHECK_FALSE(file.writer().checkpoint(false));
    CHECK_FALSE(file.writer().vacuum(1));
    file.writer().rollback();
  }

  TEST_CASE("vacuum releases free pages in slices and shortens the file") {
    StoreFixture file;
    fill_wal(file, 500);
    REQUIRE(file.writer().checkpoint(false));
    file.transaction([](store::Writer& writer) { REQUIRE(writer.delete_everything()); });
    const std::int64_t before = file.writer().vacuum(0).value();
    CHECK(before >= 500);
    CHECK(file.writer().vacuum(100).value() == before - 100);
    CHECK(file.writer().vacuum(100'000).value() == 0);
    const std::int64_t when_moved = file.writer().bytes_when_moved().value();
    CHECK(when_moved < file.store().sizes().file_bytes);
    REQUIRE(file.writer().checkpoint(false));
    CHECK(file.store().sizes().file_bytes <= when_moved);
    CHECK(when_moved < 100'000);
  }

  TEST_CASE("a checkpoint ends the file at its last page, and never makes it longer") {
    StoreFixture file;
    for (const int pages : {1, 3, 40, 41}) {  // no multiple of the step in which the file grows
      fill_wal(file, pages);
      const std::int64_t grown = file_bytes(file.path);
      REQUIRE(file.writer().checkpoint(false));
      const std::int64_t bytes = file.raw().integer("PRAGMA page_count") * 4'096;
      CHECK(file_bytes(file.path) == bytes);
      CHECK(grown >= bytes);
    }
  }

  TEST_CASE("the file grows before a commit even if it was shortened beside a foreign reader") {
    StoreFixture file;
    fill_wal(file, 500);
    REQUIRE(file.writer().checkpoint(false));
    file.transaction([](store::Writer& writer) { REQUIRE(writer.delete_everything()); });
    CHECK(file.writer().vacuum(100'000).value() == 0);
    file.raw().run("BEGIN");
    REQUIRE(file.raw().integer("SELECT count(*) FROM cache_entries") == 0);
    const auto moved = file.writer().checkpoint(false);
    REQUIRE(moved);
    CHECK(moved->foreign_reader);
    CHECK(file_bytes(file.path) < 200'000);
    fill_wal(file, 200);
    CHECK(file_bytes(file.path) >= file.writer().bytes_when_moved().value());
    file.raw().run("COMMIT");
  }

  TEST_CASE("vacuum fails as busy while another program writes") {
    StoreFixture file;
    fill_wal(file, 50);
    file.transaction([](store::Writer& writer) { REQUIRE(writer.delete_everything()); });
    file.raw().run("BEGIN IMMEDIATE");
    const auto done = file.writer().vacuum(10);
    REQUIRE_FALSE(done);
    CHECK(done.failure().kind == FailureKind::busy);
    file.raw().run("ROLLBACK");
  }

  TEST_CASE("a commit syncs the WAL only if the commit or the store requires it") {
    test::CountingVfs syncs;
    StoreFixture file;
    file.put({{"a", "1"}});
    int before = syncs.of_wal();
    file.put({{"b", "2"}});
    CHECK(syncs.of_wal() == before);
    file.transaction([](store::Writer& to) { REQUIRE(to.put(row_of("c", ValueView::null(), 9))); },
                     true);
    CHECK(syncs.of_wal() == before + 1);

    file.options.synced = true;
    file.reopen();
    file.put({{"d", "3"}});
    before = syncs.of_wal();
    file.put({{"e", "4"}});
    CHECK(syncs.of_wal() == before + 1);
    file.transaction([](store::Writer& to) { REQUIRE(to.put(row_of("f", ValueView::null(), 9))); },
                     true);
    CHECK(syncs.of_wal() == before + 2);
  }

  TEST_CASE("a closed store refuses to write") {
    StoreFixture file;
    file.store().close();
    CHECK(file.writer().begin().failure().kind == FailureKind::unavailable);
    CHECK(file.writer().checkpoint(true).failure().kind == FailureKind::unavailable);
    CHECK(file.writer().vacuum(1).failure().kind == FailureKind::unavailable);
    file.reopen();
  }

  TEST_CASE("closing inside a transaction rolls it back") {
    StoreFixture file;
    file.put({{"a", "1"}});
    REQUIRE(file.writer().begin());
    REQUIRE(file.writer().put(row_of("b", ValueView::integer(2), 9)));
    file.store().close();
    CHECK_FALSE(base::inspect(file.path + "-wal").value().bytes > 0);
    file.reopen();
    CHECK(file.raw().rows("SELECT cache_key FROM cache_entries") == "a");
  }
}
