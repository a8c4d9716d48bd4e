// Other programs that delete, vacuum, truncate or lock the file of an open cache.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

constexpr int kEntries = 300;

std::vector<std::string> keys() { return numbered("k", kEntries); }

/// The number of entries that are found. Each value must be right.
int count_right(CacheFixture& f) {
  int found = 0;
  for (const auto& value : f->get_many<std::string>(keys())) {
    if (!value) continue;
    CHECK(*value == std::string(100, 'x'));
    ++found;
  }
  return found;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a cache continues empty after a shell deletes all entries") {
    CacheFixture f;
    f.fill("k", kEntries, 100);
    f->flush();
    CHECK(count_right(f) == kEntries);
    CHECK(f->put("pending", 1));
    CHECK(f.shell("DELETE FROM cache_entries") == "");
    f->flush();
    CHECK(count_right(f) == 0);
    CHECK(f->get<int>("pending") == 1);
    CHECK(f->stats().entries == 1);
    f.fill("k", kEntries, 100);
    f->flush();
    CHECK(count_right(f) == kEntries);
  }

  TEST_CASE("a cache makes a new file after a shell empties all its tables") {
    CacheFixture f;
    f.fill("k", kEntries, 100);
    f->flush();
    CHECK(f.shell("DELETE FROM cache_entries; DELETE FROM cache_calculations;"
                  "DELETE FROM cache_totals") == "");
    (void)f->run_maintenance(1s);
    CHECK(count_right(f) == 0);
    f.clock->advance(1min);
    (void)f->run_maintenance(1s);
    CHECK(f->health().state == HealthState::ok);
    f.fill("k", kEntries, 100);
    f->flush();
    CHECK(count_right(f) == kEntries);
    CHECK(f.heard.count(NoticeKind::quarantined) == 1);  // a file without totals is corrupt
  }

  TEST_CASE("a shell that runs VACUUM loses nothing") {
    CacheFixture f;
    f.fill("k", kEntries, 100);
    f->flush();
    for (int i = 0; i < kEntries; i += 2) CHECK(f->erase(keys()[static_cast<std::size_t>(i)]));
    CHECK(count_right(f) == kEntries / 2);
    CHECK(f->put("pending", 1));
    CHECK(f.shell("VACUUM") == "");
    CHECK(count_right(f) == kEntries / 2);
    f->flush();
    CHECK(f->get<int>("pending") == 1);
    CHECK(f.heard.notices().empty());
    CHECK(f.shell("PRAGMA integrity_check") == "ok\n");
  }

  TEST_CASE("a file truncated while the cache is open is quarantined and no value is wrong") {
    for (const char* size : {"0", "100", "4096", "40000"}) {
      INFO(std::string(size));
      CacheFixture f;
      f.expect_no_order();
      f.fill("k", kEntries, 100);
      f->flush();
      f->compact();  // moves the log into the file
      REQUIRE(run_program({"truncate", "-s", size, f.path}).exit_code == 0);
      (void)count_right(f);
      CHECK(f->get_or_compute("new", [] { return 7; }) == 7);
      for (int i = 0; i < 5; ++i) {
        f.clock->advance(1min);
        (void)f->run_maintenance(1s);
        CHECK(f->put("probe" + std::to_string(i), std::string(2'000, 'y')));
      }
      CHECK_MESSAGE(f->health().state == HealthState::ok, f->health().last_error);
      f.fill("k", kEntries, 100);
      f->flush();
      CHECK(count_right(f) == kEntries);
      CHECK(f->check().ok);
    }
  }

  TEST_CASE("a cache opens the file of a killed process and finds its commits") {
    CacheFixture f;
    {
      Child first([&](Child::Parent& parent) -> std::string {
        Cache cache(f.path, f.options);
        for (const std::string& key : keys()) (void)cache.put(key, std::string(100, 'x'));
        cache.flush();
        parent.notify();
        parent.wait_for();
        return {};
      });
      REQUIRE(first.wait_for());
      CHECK(code_thrown_by([&] { const Cache second(f.path, f.options); }) == "file_in_use");
      first.kill();
    }
    CHECK(count_right(f) == kEntries);
    CHECK(f->check().ok);
    CHECK(f.heard.notices().empty());
  }
}
