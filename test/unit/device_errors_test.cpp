// Errors of the device when SQLite reads. Its VFS and its statements report them as damage.

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/header.hpp"
#include "store/rowid_hints.hpp"
#include "support/bad_device.hpp"
#include "support/raw_database.hpp"
#include "support/store_fixture.hpp"
#include "support/system_calls.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using base::FailureKind;

namespace {

constexpr std::int64_t kPage = 4096;

/// A store whose rows are in its file, and not yet in the page caches of its connections.
struct Bench {
  Bench() {
    std::vector<std::pair<std::string, std::string>> entries;
    for (int i = 0; i < 500; ++i) entries.emplace_back(numbered_key(i), std::string(100, 'x'));
    f.put(entries);
    f.reopen();
  }

  [[nodiscard]] base::Failure failure_of_read() {
    CollectingSink sink;
    const std::string key = numbered_key(250);
    const store::Lookup lookups[] = {{key, 0}};
    const base::Status read = f.store().read(lookups, sink);
    return read.ok() ? base::Failure{FailureKind::other, 0, "none"} : read.failure();
  }

  [[nodiscard]] base::Failure failure_of_delete() {
    const auto begun = f.writer().begin();
    if (!begun.ok()) return begun.failure();
    const auto deleted = f.writer().delete_key(numbered_key(250));
    f.writer().rollback();
    return deleted.ok() ? base::Failure{FailureKind::other, 0, "none"} : deleted.failure();
  }

  /// The device cannot read the file, except its first page.
  void fail_pages() {
    device.fail_file(f.path, kPage, static_cast<std::int64_t>(read_file(f.path).size()));
  }

  BadDevice device;
  StoreFixture f;
};

void check_unreadable(const base::Failure& failure) {
  INFO(failure.what);
  CHECK(failure.kind == FailureKind::io);
  CHECK(failure.system_error == EIO);
  CHECK(store::is_unreadable(failure));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("an error of the device while entries are read is no damage") {
    Bench bench;
    bench.fail_pages();
    check_unreadable(bench.failure_of_read());
    CHECK(bench.device.fired() > 0);
    bench.device.heal();
    CHECK(read_value(bench.f.store(), numbered_key(250)).has_value());
  }

  TEST_CASE("a look-up of many keys misses only the rows that the device cannot read") {
    for (const bool has_hints : {false, true}) {
      CAPTURE(has_hints);
      Bench bench;
      bench.f.put({{"last", "the value of the last row"}});
      if (has_hints) bench.f.options.hints = std::make_shared<store::RowidHints>(1'000'000);
      bench.f.reopen();
      std::vector<std::string> keys = {"last"};
      for (int i = 0; i < 500; ++i) keys.push_back(numbered_key(i));
      if (has_hints) {
        CHECK(read_rows(bench.f.store(), keys).size() == 501);  // fills the hints
        bench.f.reopen();
      }
      const std::size_t at = read_file(bench.f.path).find("the value of the last row");
      REQUIRE(at != std::string::npos);
      const auto page = static_cast<std::int64_t>(at) / kPage * kPage;
      bench.device.fail_file(bench.f.path, page, page + kPage);
      const auto lookups = test::lookups_of(keys);
      std::size_t readable = 0;
      for (const store::Lookup& lookup : lookups) {
        CollectingSink sink;
        readable += bench.f.store().read({&lookup, 1}, sink).ok() ? 1U : 0U;
        CHECK(sink.rows.size() <= 1);
      }
      REQUIRE(readable >= 450);
      REQUIRE(readable <= 499);
      CollectingSink sink;
      const base::Status read = bench.f.store().read(lookups, sink);
      REQUIRE_FALSE(read.ok());
      check_unreadable(read.failure());
      CHECK(sink.rows.size() == readable);
      bench.device.heal();
    }
  }

  TEST_CASE("one look-up asks a device that fails each read at most a hundred times") {
    Bench bench;
    CHECK(read_value(bench.f.store(), numbered_key(0)).has_value());  // opens a reader
    bench.fail_pages();
    std::vector<std::string> keys;
    for (int i = 0; i < 500; ++i) keys.push_back(numbered_key(i));
    const auto lookups = test::lookups_of(keys);
    CollectingSink sink;
    const base::Status read = bench.f.store().read(lookups, sink);
    REQUIRE_FALSE(read.ok());
    check_unreadable(read.failure());
    CHECK(bench.device.fired() > 1);
    CHECK(bench.device.fired() <= 100);
    bench.device.heal();
  }

  TEST_CASE("one look-up asks a device that fails slowly only twice") {
    std::int64_t end = 0;  // reads of a page before it fail
    int asked = 0;
    std::shared_ptr<ManualClock> clock;
    before_os_calls([&](const OsCall& call) {
      if (call.kind != OsCall::Kind::read || call.at < kPage || call.at >= end) return 0;
      ++asked;
      clock->advance(std::chrono::seconds(1));
      return EIO;
    });
    {
      StoreFixture f;
      clock = f.clock;
      f.put({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
      f.reopen();
      const store::Lookup lookups[] = {{"a", 0}, {"b", 1}, {"c", 2}, {"d", 3}};
      end = static_cast<std::int64_t>(read_file(f.path).size());
      CollectingSink sink;
      CHECK_FALSE(f.store().read(lookups, sink).ok());
      end = 0;
      CHECK(asked == 2);
    }
    before_os_calls({});
  }

  TEST_CASE("an error of the device while the log is read is no damage") {
    Bench bench;
    bench.f.put({{numbered_key(250), "new"}});
    bench.device.fail_file(bench.f.path + "-wal", 0, std::int64_t{1} << 40);
    check_unreadable(bench.failure_of_read());
    bench.device.heal();
    CHECK(read_value(bench.f.store(), numbered_key(250)).has_value());
  }

  TEST_CASE("the writer takes damage after an error of the device for damage") {
    Bench bench;
    bench.fail_pages();
    check_unreadable(bench.failure_of_delete());
    bench.device.heal();
    bench.f.expect_damage();
    const std::string content = read_file(bench.f.path);
    std::string damaged = content.substr(0, kPage);
    damaged.resize(content.size(), '\xEE');
    write_file(bench.f.path, damaged);
    const base::Failure failure = bench.failure_of_delete();
    INFO(failure.what);
    CHECK(failure.kind == FailureKind::corrupt);
    write_file(bench.f.path, content);
  }

  TEST_CASE("a header that the device cannot read fails with its error") {
    Bench bench;
    bench.f.close();
    bench.device.fail_once(0);
    const auto header = store::read_header(bench.f.path);
    REQUIRE_FALSE(header);
    check_unreadable(header.failure());
    CHECK(header.failure().what.find("not an error") == std::string::npos);
    CHECK(store::read_header(bench.f.path).value().is_sqlite);
  }
}
