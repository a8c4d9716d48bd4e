// Opening a cache where there is no room, no right or no working disk for its file.

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
  bool spares_what_is_there;  // a file that is there can be opened all the same
};

Failing failing_with(const std::string& name, Fault fault) {
  return {name, [fault](FaultVfs& vfs) { vfs.fail(fault, 0, true); }, false};
}

std::vector<Failing> failings() {
  return {{"a full disk", [](FaultVfs& vfs) { vfs.fill_disk(0); }, true},
          failing_with("I/O errors", Fault::io_error),
          failing_with("nothing can be opened", Fault::cannot_open),
          failing_with("all is read-only", Fault::read_only)};
}

/// It cannot be opened, which was told once; what is put is in memory only.
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
  TEST_CASE("57 where no file can be made a cache goes on without, until it can") {
    for (const Failing& failing : failings()) {
      INFO(failing.name);
      FaultVfs vfs;
      CacheFixture f;
      failing.begin(vfs);
      open_and_heal(vfs, f);
    }
  }

  TEST_CASE("57 where no file can be made the error names it, and nothing is in the way later") {
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

  TEST_CASE("57 a file that cannot be opened is left as it is, and opened when it can be") {
    for (const Failing& failing : failings()) {
      if (failing.spares_what_is_there) continue;
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

  TEST_CASE("57 on a full disk a file that is there is opened and read") {
    FaultVfs vfs;
    CacheFixture f;
    f.fill("old ", 100);
    f.close();
    vfs.fill_disk(0);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->contains("old 99"));
    CHECK(f->put("k", 1));
    CHECK(f->get<int>("k") == 1);
    CHECK(code_thrown_by([&] { f->flush(); }) == "store_failed");
    CHECK(f->health().state == HealthState::degraded);
    vfs.heal();
    f.clock->advance(1min);
    (void)f->run_maintenance(1s);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.in_file("k"));
  }

  TEST_CASE("57 without a name there is no file: an error that says so, or memory alone") {
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
