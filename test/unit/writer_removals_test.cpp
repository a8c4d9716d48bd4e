#include <doctest/doctest.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "store/writer_sql.hpp"
#include "support/store_fixture.hpp"

using namespace ashmemo;
using test::row_of;
using test::StoreFixture;

namespace {

using Keys = std::vector<std::string>;

constexpr std::int64_t kMiB = 1024 * 1024;

Keys keys_of(const store::Writer::Deleted& removed) {
  Keys keys;
  for (const store::DeletedRow& row : removed) keys.push_back(row.key);
  return keys;
}

Keys keys_of(const base::Result<store::Writer::Deleted>& removed) {
  REQUIRE(removed);
  return keys_of(*removed);
}

void put_expiring(store::Writer& writer, const std::string& key, std::int64_t expires_at,
                  std::int64_t keep_until) {
  static std::int64_t stamp = 0;
  store::PutRow row = row_of(key, ValueView::integer(1), ++stamp);
  row.deadlines = {0, expires_at, expires_at, keep_until};
  REQUIRE(writer.put(row));
}

store::Writer::Due delete_due(store::Writer& writer, std::int64_t now, int max_rows = 1'000) {
  const auto due = writer.delete_due(now, max_rows);
  REQUIRE(due);
  return *due;
}

/// Calls `delete_due` until it reports no more. Returns the removed keys.
Keys erase_all_due(store::Writer& writer, std::int64_t now, int max_rows = 1'000) {
  Keys all;
  while (true) {
    const store::Writer::Due due = delete_due(writer, now, max_rows);
    CHECK(due.rows.size() <= static_cast<std::size_t>(max_rows));
    for (const store::DeletedRow& row : due.rows) all.push_back(row.key);
    if (!due.more) return all;
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("erase_prefix removes exactly the keys that begin with the prefix") {
    StoreFixture file;
    const std::vector<std::pair<std::string, std::string>> all = {
        {"Post:1:a", ""}, {"Post:10:a", ""}, {"Post:1", ""},   {"Post%1:a", ""},
        {"Post_1:a", ""}, {"post:1:a", ""},  {"Pos", ""},      {"Post:1:\xFF", ""},
        {"\xFF\xFF", ""}, {"\xFF\xFE", ""},  {"\xFF\xFFz", ""}};
    file.put(all);
    file.transaction([](store::Writer& writer) {
      CHECK(keys_of(writer.delete_prefix("Post:1:", 9)) == Keys{"Post:1:a", "Post:1:\xFF"});
      CHECK(keys_of(writer.delete_prefix("Post:1:", 9)).empty());
      CHECK(keys_of(writer.delete_prefix("Post_", 9)) == Keys{"Post_1:a"});
      CHECK(keys_of(writer.delete_prefix("\xFF\xFF", 9)) == Keys{"\xFF\xFF", "\xFF\xFFz"});
      CHECK(keys_of(writer.delete_prefix("", 2)) == Keys{"Pos", "Post%1:a"});
      CHECK(keys_of(writer.delete_prefix("", 9)) ==
            Keys{"Post:1", "Post:10:a", "post:1:a", "\xFF\xFE"});
      CHECK(writer.totals() == store::Totals{0, 0});
    });
  }

  TEST_CASE("erase_prefix is limited in rows and bytes except for its first row") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      const std::vector<std::int64_t> sizes = {5 * kMiB, 3 * kMiB, kMiB, 1, kMiB};
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        const std::string key = "k" + std::to_string(i);
        store::PutRow row = row_of(key, ValueView::null(), static_cast<std::int64_t>(i) + 1);
        row.byte_size = sizes[i];
        REQUIRE(writer.put(row));
      }
      CHECK(keys_of(writer.delete_prefix("k", 9)) == Keys{"k0"});
      CHECK(keys_of(writer.delete_prefix("k", 9)) == Keys{"k1", "k2"});
      CHECK(keys_of(writer.delete_prefix("k", 1)) == Keys{"k3"});
      CHECK(keys_of(writer.delete_prefix("k", 9)) == Keys{"k4"});
    });
  }

  TEST_CASE("delete_due removes an entry exactly at its end and not before") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      put_expiring(writer, "plain", 100, 100);
      put_expiring(writer, "kept", 100, 150);
      put_expiring(writer, "later", 200, 200);
      REQUIRE(writer.put(row_of("never", ValueView::integer(1), 99)));
      CHECK(erase_all_due(writer, 99).empty());
      CHECK(erase_all_due(writer, 100) == Keys{"plain"});
      CHECK(erase_all_due(writer, 149).empty());
      CHECK(erase_all_due(writer, 150) == Keys{"kept"});
      CHECK(erase_all_due(writer, 1'000'000) == Keys{"later"});
      CHECK(writer.totals() == store::Totals{1, 100});
    });
  }

  TEST_CASE("delete_due removes due entries in bounded batches") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      for (int i = 0; i < 2'500; ++i) put_expiring(writer, "k" + std::to_string(i), 100, 100);
    });
    file.transaction([](store::Writer& writer) {
      CHECK(delete_due(writer, 100).rows.size() == 1'000);
      CHECK(erase_all_due(writer, 100).size() == 1'500);
    });
  }

  TEST_CASE("delete_due finds a due entry behind many kept ones in several bounded calls") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      for (int i = 0; i < 45'000; ++i) {
        put_expiring(writer, "kept" + std::to_string(i), 10 + i / 1'000, 5'000 + i);
      }
      put_expiring(writer, "due", 100, 100);
    });
    file.transaction([](store::Writer& writer) {
      const auto found = delete_due(writer, 200);
      CHECK(keys_of(found.rows) == Keys{"due"});
      CHECK_FALSE(found.more);
      CHECK(keys_of(delete_due(writer, 5'001).rows) == Keys{"kept0", "kept1"});
      put_expiring(writer, "kept44000", 20, 400);
      CHECK(keys_of(delete_due(writer, 400).rows) == Keys{"kept44000"});
    });
    // The query reads no row that stays. SQLite's counter of steps includes the index entries that
    // a query skips.
    sqlite3_stmt* due = nullptr;
    const store::WriterSql sql;
    REQUIRE(sqlite3_prepare_v2(file.raw().handle(), sql.due.sql(), -1, &due, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_bind_int64(due, 1, 4'999) == SQLITE_OK);
    CHECK(sqlite3_step(due) == SQLITE_DONE);
    CHECK(sqlite3_stmt_status(due, SQLITE_STMTSTATUS_VM_STEP, 0) < 100);
    CHECK(sqlite3_stmt_status(due, SQLITE_STMTSTATUS_SORT, 0) == 0);
    sqlite3_finalize(due);
  }

  TEST_CASE("entries that end first go first, those that were kept after the others") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      put_expiring(writer, "b", 20, 20);
      put_expiring(writer, "kept b", 5, 30);
      put_expiring(writer, "a", 10, 10);
      put_expiring(writer, "kept a", 6, 15);
      CHECK(keys_of(delete_due(writer, 100, 3).rows) == Keys{"a", "b", "kept a"});
      CHECK(keys_of(delete_due(writer, 100, 3).rows) == Keys{"kept b"});
    });
  }

  TEST_CASE("each entry that ends is in one index of ends, and entries that never end in none") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      put_expiring(writer, "plain", 10, 10);
      put_expiring(writer, "kept", 10, 20);
      REQUIRE(writer.put(row_of("never", ValueView::integer(1), 9)));
    });
    const auto keys_in = [&file](const std::string& index, const std::string& condition) {
      return file.raw().rows("SELECT cache_key FROM cache_entries INDEXED BY " + index + " WHERE " +
                             condition);
    };
    CHECK(keys_in("cache_entries_expires_at", "expires_at IS NOT NULL AND keep_until IS NULL") ==
          "plain");
    CHECK(keys_in("cache_entries_keep_until", "keep_until IS NOT NULL") == "kept");
  }

  TEST_CASE("delete_due finds entries again after a rollback") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      put_expiring(writer, "a", 10, 10);
      put_expiring(writer, "b", 20, 500);
    });
    REQUIRE(file.writer().begin());
    CHECK(erase_all_due(file.writer(), 50) == Keys{"a"});
    file.writer().rollback();
    file.transaction([](store::Writer& writer) { CHECK(erase_all_due(writer, 50) == Keys{"a"}); });
  }

  TEST_CASE("delete_due finds entries that another program made due") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      put_expiring(writer, "kept", 10, 500);
      CHECK(erase_all_due(writer, 50).empty());
    });
    file.raw().run("UPDATE cache_entries SET keep_until = 40");
    file.transaction(
        [](store::Writer& writer) { CHECK(erase_all_due(writer, 50) == Keys{"kept"}); });
  }

  // Compares random puts, overwrites and removals with a map. The clock sometimes goes back.
  TEST_CASE("delete_due removes exactly the due entries after random changes") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](int n) {
      return static_cast<int>(std::uniform_int_distribution<>(0, n - 1)(random));
    };
    StoreFixture file;
    std::map<std::string, std::int64_t> ends;
    std::int64_t now = 1'000;
    for (int step = 0; step < 300; ++step) {
      now += below(30) - 5;
      const bool roll_back = below(10) == 0;
      auto expected = ends;
      REQUIRE(file.writer().begin());
      for (int i = below(60); i > 0; --i) {
        const std::string key = "k" + std::to_string(below(3'000));
        const std::int64_t expires_at = now + below(200) - 50;
        const std::int64_t keep_until = expires_at + (below(3) == 0 ? below(400) : 0);
        put_expiring(file.writer(), key, expires_at, keep_until);
        expected[key] = keep_until;
      }
      if (below(3) == 0 && !expected.empty()) {
        REQUIRE(file.writer().delete_key(expected.begin()->first));
        expected.erase(expected.begin());
      }
      Keys due;
      for (const auto& [key, end] : expected) {
        if (end <= now) due.push_back(key);
      }
      Keys removed = erase_all_due(file.writer(), now, 1 + below(40));
      std::sort(removed.begin(), removed.end());
      REQUIRE(removed == due);
      for (const std::string& key : due) expected.erase(key);
      CHECK(file.writer().totals().entries == static_cast<std::int64_t>(expected.size()));
      if (roll_back) {
        file.writer().rollback();
      } else {
        REQUIRE(file.writer().commit(false));
        ends = expected;
      }
    }
  }

  TEST_CASE("delete_retired removes entries of retired calculations in one pass over all rows") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      REQUIRE(writer.put_calculation({{}, 1, "Post", "a", 1, "", true}));
      REQUIRE(writer.put_calculation({{}, 2, "Post", "a", 2, "", false}));
      for (int i = 0; i < 250; ++i) {
        const std::string key = "k" + std::to_string(i);
        store::PutRow row = row_of(key, ValueView::integer(i), i + 1);
        row.calculation_id = i % 3;
        REQUIRE(writer.put(row));
      }
    });
    std::optional<std::int64_t> at = 0;
    int steps = 0;
    std::size_t removed = 0;
    while (at) {
      file.transaction([&](store::Writer& writer) {
        const auto rows = writer.delete_retired(&at, 100);
        REQUIRE(rows);
        for (const store::DeletedRow& row : *rows) CHECK(row.calculation_id == 1);
        removed += rows->size();
      });
      ++steps;
    }
    CHECK(steps == 3);
    CHECK(removed == 83);
    CHECK(file.raw().integer("SELECT count(*) FROM cache_entries WHERE calculation_id = 1") == 0);
    CHECK(file.writer().totals().entries == 167);
  }

  TEST_CASE("delete_retired ends at once if no calculation is retired") {
    StoreFixture file;
    file.put({{"a", "1"}});
    file.transaction([](store::Writer& writer) {
      std::optional<std::int64_t> at = 0;
      CHECK(keys_of(writer.delete_retired(&at, 10)).empty());
      CHECK_FALSE(at);
    });
  }

  TEST_CASE("erase_all removes all entries at once and nothing from an empty file") {
    StoreFixture file;
    file.transaction([](store::Writer& writer) {
      CHECK(writer.delete_everything().value() == 0);
      for (int i = 0; i < 10'000; ++i) put_expiring(writer, "k" + std::to_string(i), 100 + i, 900);
    });
    file.transaction([](store::Writer& writer) {
      CHECK(writer.delete_everything().value() == 10'000);
      CHECK(writer.totals() == store::Totals{0, 0});
      put_expiring(writer, "new", 50, 50);
      CHECK(erase_all_due(writer, 60) == Keys{"new"});
    });
    CHECK(file.raw().rows("SELECT entries, bytes FROM cache_totals") == "0|0");
  }

  // Runs random operations and compares the totals with a recount after each transaction.
  TEST_CASE("totals are equal to a recount after every transaction") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](int n) {
      return static_cast<int>(std::uniform_int_distribution<>(0, n - 1)(random));
    };
    StoreFixture file;
    std::int64_t stamp = 0;
    for (int step = 0; step < 150; ++step) {
      REQUIRE(file.writer().begin());
      for (int i = below(20); i > 0; --i) {
        const std::string key = "k" + std::to_string(below(40));
        store::PutRow row = row_of(key, ValueView::integer(i), ++stamp);
        row.byte_size = below(1'000);
        row.deadlines.expires_at = row.deadlines.keep_until = step + below(20);
        row.calculation_id = below(3);
        row.eviction_queue = below(3);
        store::Writer& writer = file.writer();
        std::optional<std::int64_t> at = 0;
        switch (below(10)) {
          case 0:
            REQUIRE(writer.delete_key(key));
            break;
          case 1:
            REQUIRE(writer.delete_due(step, 5));
            break;
          case 2:
            REQUIRE(writer.delete_prefix("k1", 3));
            break;
          case 3:
            REQUIRE(writer.delete_retired(&at, 50));
            break;
          case 4: {
            const auto oldest = writer.oldest(0, 2).value();
            for (const store::Candidate& seen : oldest) REQUIRE(writer.delete_row(seen));
            const auto probation = writer.oldest(store::kProbationQueue, 2).value();
            for (const store::Candidate& seen : probation) {
              CHECK(seen.eviction_queue == store::kProbationQueue);
              REQUIRE(writer.reinsert(seen.rowid, {++stamp, stamp, 1, 0, below(2)}));
            }
            break;
          }
          case 5:
            if (below(20) == 0) REQUIRE(writer.delete_everything());
            if (below(20) == 0) REQUIRE(writer.recount());
            REQUIRE(writer.put_calculation({{}, 1, "r", "n", 1, "", true}));
            break;
          default:
            REQUIRE(writer.put(row));
        }
      }
      if (below(6) == 0) {
        file.writer().rollback();
      } else {
        REQUIRE(file.writer().commit(false));
      }
      REQUIRE(file.kept_totals() == file.counted_totals());
    }
  }
}
