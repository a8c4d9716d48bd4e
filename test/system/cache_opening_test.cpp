// Opening a cache when the disk is full, fails, or does not allow its file.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/fault_vfs.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Failing {
  std::string name;
  std::function<void(FaultVfs&)> begin;
  bool allows_existing_file;  // an existing file can be opened
};

Failing failing_with(const std::string& name, Fault fault) {
  return {name, [fault](FaultVfs& vfs) { vfs.fail(fault, 0, true); }, false};
}

std::vector<Failing> failings() {
  return {{"a full disk", [](FaultVfs& vfs) { vfs.fill_disk(0); }, true},
          failing_with("I/O errors", Fault::io_error),
          failing_with("no file can be opened", Fault::cannot_open),
          failing_with("a read-only disk", Fault::read_only)};
}

/// The file cannot be opened, which was reported once. A put is stored in memory only.
void check_unavailable(CacheFixture& f, std::int64_t since) {
  CHECK(f->health().state == HealthState::unavailable);
  CHECK(f->health().since == since);
  CHECK_MESSAGE(has(f->health().last_error, f.path), f->health().last_error);
  CHECK(f.heard.count(NoticeKind::unavailable) == 1);
  CHECK(has(f.heard.last(NoticeKind::unavailable).what, f.path));
  CHECK(f.heard.last(NoticeKind::unavailable).subject == f.path);
  const std::int64_t dropped = f->stats().dropped;
  CHECK_FALSE(f->put("k", 1));
  CHECK(f->get<int>("k") == 1);
  CHECK(f->stats().dropped == dropped + 1);
}

void check_available(CacheFixture& f) {
  CHECK(f->health().state == HealthState::ok);
  CHECK(f->health().since == f.clock->wall_now());
  CHECK(f.heard.count(NoticeKind::unavailable) == 1);
  CHECK(f.heard.count(NoticeKind::available) == 1);
  CHECK(f.heard.count(NoticeKind::quarantined) == 0);
  CHECK(f->put("k", 2));
  f->flush();
  CHECK(f.in_file("k"));
}

void open_and_heal(FaultVfs& vfs, CacheFixture& f) {
  const std::int64_t since = f.clock->wall_now();
  for (int round = 0; round < 3; ++round) {
    check_unavailable(f, since);
    f.clock->advance(1min);
    CHECK_FALSE(f->run_maintenance(1s));
  }
  vfs.heal();
  f.clock->advance(1min);
  (void)f->run_maintenance(1s);
  check_available(f);
}

void check_refused(CacheFixture& f) {
  Options options = f.options;
  options.when_unavailable = WhenUnavailable::throw_error;
  const auto error = thrown_by([&] { const Cache cache(f.path, options); });
  REQUIRE(error);
  CHECK(error->code() == ErrorCode::unavailable);
  CHECK(has(error->what(), f.path));
  CHECK(error->subject() == f.path);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a cache works without a file until the file can be created") {
    for (const Failing& failing : failings()) {
      INFO(failing.name);
      FaultVfs vfs;
      CacheFixture f;
      failing.begin(vfs);
      open_and_heal(vfs, f);
    }
  }

  TEST_CASE("a failed creation throws the path and leaves nothing that prevents a later one") {
    for (const Failing& failing : failings()) {
      INFO(failing.name);
      FaultVfs vfs;
      CacheFixture f;
      failing.begin(vfs);
      check_refused(f);
      CHECK((!exists(f.path) || fs::file_size(f.path) == 0));
      vfs.heal();
      CHECK(f->put("k", 1));
      f->flush();
      CHECK(f.in_file("k"));
      CHECK(f.heard.notices().empty());
    }
  }

  TEST_CASE("a file that cannot be opened is not changed and is opened later") {
    for (const Failing& failing : failings()) {
      if (failing.allows_existing_file) continue;
      INFO(failing.name);
      FaultVfs vfs;
      CacheFixture f;
      f.fill("old ", 100);
      f.close();
      const std::string before = read_file(f.path);
      failing.begin(vfs);
      check_refused(f);
      CHECK(read_file(f.path) == before);
      open_and_heal(vfs, f);
      CHECK(f->stats().entries == 101);
      CHECK(f->contains("old 99"));
    }
  }

  TEST_CASE("an existing file is opened and read when the disk has space for its index only") {
    FaultVfs vfs;
    CacheFixture f;
    f.fill("old ", 100);
    f.close();
    vfs.fill_disk(32 * KiB);  // the index of the log is a file of its own
    CHECK_MESSAGE(f->health().state == HealthState::ok, f->health().last_error);
    CHECK(f->contains("old 99"));
    vfs.fill_disk(0);
    // More than the space that opening reserved in the log.
    const std::vector<std::string> keys = numbered("k", 30);
    for (const std::string& key : keys) CHECK(f->put(key, std::string(100 * KiB, 'x')));
    CHECK(f->contains("k29"));
    CHECK(code_thrown_by([&] { f->flush(); }) == "store_failed");
    CHECK(f->health().state == HealthState::degraded);
    vfs.heal();
    f.clock->advance(1min);
    (void)f->run_maintenance(1s);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.in_file("k29"));
  }

  TEST_CASE("a missing folder is reported with advice and the cache opens when it exists") {
    CacheFixture f;
    f.options.when_unavailable = WhenUnavailable::go_on;
    const std::string folder = f.dir.path("missing");
    const std::string path = folder + "/cache.db";
    Cache cache(path, f.options);
    (void)cache.run_maintenance();
    REQUIRE(f.heard.count(NoticeKind::unavailable) == 1);
    const Notice notice = f.heard.last(NoticeKind::unavailable);
    CHECK(notice.subject == path);
    CHECK_MESSAGE(has(notice.what, "the folder '" + folder + "' does not exist"), notice.what);
    CHECK_MESSAGE(has(notice.what, "create it"), notice.what);
    fs::create_directory(folder);
    f.clock->advance(1min);
    CHECK_FALSE(cache.run_maintenance(1s));
    CHECK(cache.health().state == HealthState::ok);
    CHECK(f.heard.count(NoticeKind::available) == 1);
  }

  TEST_CASE("an empty path throws an error or gives a cache in memory only") {
    CacheFixture f;
    Options options = f.options;
    options.when_unavailable = WhenUnavailable::throw_error;
    const auto error = thrown_by([&] { const Cache cache("", options); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::unavailable);
    CHECK_MESSAGE(has(error->what(), "'' is no name of a file"), error->what());
    CHECK(error->subject().empty());

    Cache cache("", f.options);
    for (int round = 0; round < 2; ++round) {
      CHECK(cache.health().state == HealthState::unavailable);
      CHECK_FALSE(cache.put("k", 1));
      CHECK(cache.get<int>("k") == 1);
      f.clock->advance(1min);
      CHECK_FALSE(cache.run_maintenance(1s));
    }
    CHECK(f.heard.count(NoticeKind::unavailable) == 1);
    CHECK(has(f.heard.last(NoticeKind::unavailable).what, "'' is no name of a file"));
  }
}
