// Files whose index of keys and rows do not agree: after a flipped bit, or beside a write-ahead log
// of another file.

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hinted_file.hpp"
#include "store/rowid_hints.hpp"
#include "support/hostile.hpp"
#include "support/store_fixture.hpp"
#include "support/temp_dir.hpp"

using namespace ashmemo;
using base::FailureKind;
using test::StoreFixture;

namespace {

constexpr std::size_t kPage = 4'096;
constexpr char kIndexLeaf = 10;

/// Writes `to` over `from` in all pages of one kind. Both have the same length.
void overwrite_in_pages(const std::string& path, char kind, std::string_view from,
                        std::string_view to) {
  std::string file = test::read_file(path);
  int changes = 0;
  for (std::size_t page = kPage; page < file.size(); page += kPage) {
    if (file[page] != kind) continue;
    for (std::size_t at = file.find(from, page); at < page + kPage; at = file.find(from, at + 1)) {
      file.replace(at, from.size(), to);
      ++changes;
    }
  }
  REQUIRE(changes == 1);
  test::write_file(path, file);
}

/// A file with the keys "key 1" to "key 5". Its index leads "key 3" to the row of "key 4", and the
/// other way round. Short rows in a new file have the rowids 1 to 5.
struct SwappedRows : StoreFixture {
  SwappedRows() {
    put({{"key 1", "one"}, {"key 2", "two"}, {"key 3", "three"}, {"key 4", "four"}, {"key 5", ""}});
    close();
    overwrite_in_pages(path, kIndexLeaf, "key 3\x03", "key 3\x04");
    overwrite_in_pages(path, kIndexLeaf, "key 4\x04", "key 4\x03");
    reopen();
    expect_damage();
  }
};

base::Status read(store::Store& store, std::string_view key, std::optional<Value>* value) {
  struct Sink : store::RowSink {
    explicit Sink(std::optional<Value>* out) : found(out) {}
    void row(std::size_t, const store::EntryView& row) noexcept override {
      *found = Value(row.value);
    }
    std::optional<Value>* found;
  } sink(value);
  const store::Lookup lookup{key, 0};
  return store.read({&lookup, 1}, sink);
}

template <class T>
bool is_damage(const base::Result<T>& done) {
  return !done && done.failure().kind == FailureKind::corrupt;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a read fails when the row that was found has another key") {
    SwappedRows file;
    for (const std::string key : {"key 3", "key 4"}) {
      std::optional<Value> value;
      const auto done = read(file.store(), key, &value);
      REQUIRE_FALSE(done);
      CHECK(done.failure().kind == FailureKind::corrupt);
      CHECK_FALSE(value);
      CHECK(is_damage(file.store().entry(key)));
    }
    CHECK(test::read_value(file.store(), "key 2") == Value::text("two"));
  }

  TEST_CASE("a read of a row without a checksum fails when it has another key") {
    SwappedRows file;
    file.raw().run("UPDATE cache_entries SET value = 'by a person' WHERE rowid IN (2, 4)");
    file.store().release_snapshots(0);
    std::optional<Value> value;
    CHECK(read(file.store(), "key 3", &value).failure().kind == FailureKind::corrupt);
    CHECK_FALSE(value);
    CHECK(read(file.store(), "key 2", &value));
    CHECK(value == Value::text("by a person"));
  }

  TEST_CASE("a row whose checksum is not a number is damaged and the file is not") {
    StoreFixture file;
    file.put({{"key 1", "one"}, {"key 2", "two"}});
    file.close();
    test::run_without_types(file.path, "cache_entries",
                            "UPDATE cache_entries SET checksum = x'00' WHERE cache_key = 'key 1'");
    file.reopen();
    std::optional<Value> value;
    CHECK(read(file.store(), "key 1", &value).ok());
    CHECK_FALSE(value);
    CHECK(read(file.store(), "key 2", &value).ok());
    CHECK(value == Value::text("two"));
    file.expect_damage();
  }

  TEST_CASE("a wrong hint hides no damage of the index, and a right one needs no index") {
    SwappedRows file;
    file.options.hints = std::make_shared<store::RowidHints>(store::RowidHints::kMinBytes);
    file.reopen();
    std::optional<Value> value;
    file.options.hints->fill("key 3", 2);
    CHECK(read(file.store(), "key 3", &value).failure().kind == FailureKind::corrupt);
    CHECK_FALSE(value);
    file.options.hints->fill("key 3", 3);
    CHECK(read(file.store(), "key 3", &value).ok());
    CHECK(value == Value::text("three"));
  }

  TEST_CASE("a read that fails reports the hints that it used until then") {
    SwappedRows file;
    file.options.hints = std::make_shared<store::RowidHints>(store::RowidHints::kMinBytes);
    file.reopen();
    const std::vector<std::string> keys{"key 1", "key 2", "key 3"};
    const auto lookups = test::lookups_of(keys);
    file.options.hints->fill("key 1", 1);
    file.options.hints->fill("key 2", 2);
    file.options.hints->fill("key 3", 5);
    test::HintSink sink;
    CHECK(file.store().read(lookups, sink).failure().kind == FailureKind::corrupt);
    CHECK(sink.values.size() == 2);
    CHECK(sink.right == 2);
    CHECK(sink.wrong == 1);
  }

  TEST_CASE("a walk fails when a row has another key than the index") {
    SwappedRows file;
    CHECK(is_damage(file.store().page("", "", 9)));
    CHECK(is_damage(file.store().page("key 4", "", 9)));
    CHECK(file.store().page("key 5", "", 9).value().size() == 1);
  }

  TEST_CASE("the writer neither replaces nor removes a row that has another key") {
    for (const int change : {0, 1, 2}) {
      CAPTURE(change);
      SwappedRows file;
      REQUIRE(file.writer().begin());
      store::Writer& writer = file.writer();
      if (change == 0) CHECK(is_damage(writer.put(test::row_of("key 3", ValueView::null(), 9))));
      if (change == 1) CHECK(is_damage(writer.delete_key("key 3")));
      if (change == 2) CHECK(is_damage(writer.delete_prefix("key", 9)));
      // The failure has rolled the transaction back.
      CHECK(file.raw().integer("SELECT count(*) FROM cache_entries NOT INDEXED") == 5);
    }
  }

  TEST_CASE("an index entry without a row is damage") {
    StoreFixture file;
    file.put({{"key 1", "one"}});
    file.raw().run(
        "PRAGMA writable_schema=ON;"
        "CREATE TABLE other (a); UPDATE sqlite_schema SET rootpage ="
        " (SELECT rootpage FROM sqlite_schema WHERE name = 'other') WHERE name = 'cache_entries';"
        "DELETE FROM sqlite_schema WHERE name = 'other'; PRAGMA writable_schema=RESET");
    file.reopen();
    file.expect_damage();
    std::optional<Value> value;
    CHECK(read(file.store(), "key 1", &value).failure().kind == FailureKind::corrupt);
    CHECK(is_damage(file.store().entry("key 1")));
    CHECK(is_damage(file.store().page("", "", 9)));
  }

  TEST_CASE("a key that changed in the index alone answers no other key") {
    StoreFixture file;
    file.put({{"key 1", "one"}, {"key 3", "three"}});
    file.close();
    overwrite_in_pages(file.path, kIndexLeaf, "key 1", "key 2");
    file.reopen();
    file.expect_damage();
    std::optional<Value> value;
    CHECK(read(file.store(), "key 1", &value));  // a miss: the index has no such key
    CHECK(read(file.store(), "key 2", &value).failure().kind == FailureKind::corrupt);
    CHECK_FALSE(value);
  }
}
