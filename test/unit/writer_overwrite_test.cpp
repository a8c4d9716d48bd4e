// Overwrites: which rows keep their place in the queue, and what a new value costs.

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "support/store_fixture.hpp"

using namespace ashmemo;
using test::row_of;
using test::StoreFixture;

namespace {

constexpr std::int64_t kNow = 5'000;
constexpr std::int64_t kFrame = 4'096 + 24;

/// A row of calculation 5 that is live at kNow.
store::PutRow row_at(std::string_view key, std::int64_t stamp, std::string_view value = "old") {
  store::PutRow row = row_of(key, ValueView::text(value), stamp);
  row.calculation_id = 5;
  row.now = kNow;
  return row;
}

store::PutRow overwriting(std::string_view key, std::int64_t stamp,
                          const store::Overwrite& overwrite = {}) {
  store::PutRow row = row_at(key, stamp, "new");
  row.overwrite = overwrite;
  return row;
}

void put(StoreFixture& file, const store::PutRow& row) {
  file.transaction([&](store::Writer& writer) { REQUIRE(writer.put(row)); });
}

std::string place_of(StoreFixture& file, const std::string& key = "key") {
  return file.raw().rows(
      "SELECT inserted_at, accessed_at, eviction_counter, eviction_queue, value"
      " FROM cache_entries WHERE cache_key = '" +
      key + "'");
}

void set_counter(StoreFixture& file, const std::string& counter) {
  file.raw().run("UPDATE cache_entries SET eviction_counter = " + counter);
}

/// A file with 3,000 rows in the probation queue. Returns the pages that a change writes.
struct LargeFile {
  explicit LargeFile(std::int64_t expires_at = store::Deadlines().expires_at)
      : deadline(expires_at) {
    file.transaction([&](store::Writer& writer) {
      for (int i = 0; i < 3'000; ++i) REQUIRE(writer.put(in_probation(row_at(key(i), i + 1))));
    });
  }
  static std::string key(int i) { return test::numbered_key(i); }
  store::PutRow in_probation(store::PutRow row) const {
    row.eviction_queue = store::kProbationQueue;
    row.deadlines.expires_at = row.deadlines.keep_until = deadline;
    return row;
  }
  /// The pages in the log of a transaction that puts this row.
  std::int64_t pages_of(const store::PutRow& row) {
    const std::int64_t before = file.writer().wal_bytes();
    put(file, row);
    return (file.writer().wal_bytes() - before) / kFrame;
  }

  StoreFixture file;
  std::int64_t deadline;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a new value for a live row of the same calculation keeps the place of the row") {
    StoreFixture file;
    put(file, row_at("key", 10));
    put(file, overwriting("key", 20));
    CHECK(place_of(file) == "10|10|0|0|new");
    // The largest stamp counts although no row has it.
    CHECK(file.raw().integer("SELECT last_stamp FROM cache_totals") == 20);
    CHECK(test::read_value(file.store(), "key") == Value::text("new"));  // its checksum matches
  }

  TEST_CASE("a new value is a new insertion unless the row is live and of the same calculation") {
    StoreFixture file;
    store::PutRow old = row_at("key", 10);
    store::PutRow row = overwriting("key", 20, {.reads = 1, .is_access = true});
    SUBCASE("the row is expired") { old.deadlines = {1'000, kNow, kNow, kNow}; }
    SUBCASE("the row is kept only for errors") { old.deadlines = {1'000, kNow, kNow, kNow + 100}; }
    SUBCASE("the row is from the future") { old.deadlines.computed_at = kNow + 1; }
    SUBCASE("the row is of another calculation or version") { row.calculation_id = 6; }
    SUBCASE("a direct put replaces a result") { row.calculation_id = 0; }
    SUBCASE("a result replaces a direct put") { old.calculation_id = 0; }
    SUBCASE("the writer is not asked to keep places") { row.overwrite.reset(); }
    old.eviction_queue = store::kProbationQueue;
    put(file, old);
    set_counter(file, "3");
    put(file, row);
    CHECK(place_of(file) == "20|20|0|1|new");
  }

  TEST_CASE("a row is live until it expires, also when it is stale") {
    StoreFixture file;
    store::PutRow old = row_at("key", 10);
    SUBCASE("it expires in a moment") { old.deadlines = {kNow, kNow + 1, kNow + 1, kNow + 1}; }
    SUBCASE("it is stale") { old.deadlines = {1'000, 2'000, kNow + 1, kNow + 1}; }
    SUBCASE("it was put directly") { old.calculation_id = 0; }
    put(file, old);
    store::PutRow row = overwriting("key", 20);
    row.calculation_id = old.calculation_id;
    put(file, row);
    CHECK(place_of(file) == "10|10|0|0|new");
  }

  TEST_CASE("an overwrite may count as reads up to the maximum of the counter") {
    StoreFixture file;
    put(file, row_at("key", 10));
    for (const char* counter : {"1", "2", "3", "3"}) {
      put(file, overwriting("key", 20, {.reads = 1}));
      CHECK(place_of(file) == std::string("10|10|") + counter + "|0|new");
    }
    set_counter(file, "-7");
    put(file, overwriting("key", 20, {.reads = 1}));
    CHECK(place_of(file) == "10|10|1|0|new");
    set_counter(file, std::to_string(std::numeric_limits<std::int64_t>::max()));
    put(file, overwriting("key", 20, {.reads = 1}));
    CHECK(place_of(file) == "10|10|3|0|new");
  }

  TEST_CASE("an overwrite may count as an access and never sets the access time back") {
    StoreFixture file;
    put(file, row_at("key", 10));
    put(file, overwriting("key", 20, {.is_access = true}));
    CHECK(place_of(file) == "10|20|0|0|new");
    put(file, overwriting("key", 15, {.is_access = true}));
    CHECK(place_of(file) == "10|20|0|0|new");
  }

  TEST_CASE("an overwritten row stays in its queue and keeps its reads") {
    StoreFixture file;
    store::PutRow old = row_at("key", 10);
    old.eviction_queue = store::kProbationQueue;
    old.touches = 3;
    put(file, old);
    store::PutRow row = overwriting("key", 20, {.reads = 1});
    row.touches = 2;
    row.byte_size = 250;
    put(file, row);
    CHECK(place_of(file) == "10|10|1|1|new");
    CHECK(file.raw().integer("SELECT access_count FROM cache_entries") == 5);
    CHECK(file.writer().totals() == store::Totals{1, 250, 1, 250});
  }

  TEST_CASE("an overwrite at the same place writes the pages of the row and the totals only") {
    LargeFile large;
    const std::string key = LargeFile::key(1'500);
    // The page of the row, and the page of the totals.
    CHECK(large.pages_of(large.in_probation(overwriting(key, 4'000, {.reads = 1}))) == 2);
    // The same, and one page of the queue's index.
    CHECK(large.pages_of(large.in_probation(overwriting(key, 4'001, {.is_access = true}))) == 3);
    // The same, and two pages of each queue's index.
    CHECK(large.pages_of(large.in_probation(row_at(key, 4'002))) == 6);
  }

  TEST_CASE("an overwrite with a new deadline writes only the pages of the index of deadlines") {
    LargeFile large(kNow + 1'000);
    const std::string key = LargeFile::key(1'500), other = LargeFile::key(1'501);
    store::PutRow row = large.in_probation(overwriting(key, 4'000));
    row.deadlines.expires_at = row.deadlines.keep_until = kNow + 2'000;
    CHECK(large.pages_of(row) == 4);
    row = large.in_probation(row_at(other, 4'001));
    row.deadlines.expires_at = row.deadlines.keep_until = kNow + 2'000;
    CHECK(large.pages_of(row) == 8);
  }
}
