// Errors of the device when SQLite reads. Its VFS and its statements report them as damage.

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "store/header.hpp"
#include "support/bad_device.hpp"
#include "support/raw_database.hpp"
#include "support/store_fixture.hpp"

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
