// Work that waits while another program holds the write lock and is done when the lock is released.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// A cache with 100 entries to be erased, 1,000 expired entries and 1,900 live ones, of which the
/// limit allows 10. Another program holds the write lock.
struct Locked {
  Locked() : f({.timing = {.max_wait = 0s}, .eviction = Eviction::fifo}) {
    f.fill("erased ", 100);
    std::vector<std::pair<std::string, int>> pairs;
    for (const std::string& key : numbered("short ", 1'000)) pairs.emplace_back(key, 1);
    CHECK(f->put_many(pairs, {.ttl = 1min}) == pairs.size());
    f.fill("long ", 1'900);
    f->flush();
    f.raw().run("BEGIN IMMEDIATE");
    f->set_limits({.max_entries = 10});
    f.clock->advance(1h);
  }

  CacheFixture f;
};

void check_reads(CacheFixture& f) {
  for (const std::string& key : numbered("long ", 1'900)) CHECK(f->contains(key));
  CHECK(f->get<std::string>("long 7").has_value());
  CHECK_FALSE(f->get<int>("short 7").has_value());
  CHECK(f->touch_many({"long 1", "long 2", "short 1", "none"}) == 2);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("expiry and eviction wait for a foreign lock and are done after it") {
    Locked locked;
    CacheFixture& f = locked.f;
    check_reads(f);
    (void)f->run_maintenance(1s);
    CHECK(f->erase_prefix("erased ") == 0);
    check_reads(f);
    CHECK(f->stats().entries == 3'000);
    CHECK(f->stats().expired == 0);
    CHECK(f->stats().evicted == 0);
    CHECK(f.rows_in_file() == 3'000);
    CHECK(f->health().state == HealthState::degraded);
    CHECK(f.heard.count(NoticeKind::busy) == 1);

    f.raw().run("ROLLBACK");
    f->flush();
    const Stats stats = f->stats();
    CHECK(stats.entries == 10);
    CHECK(stats.expired == 1'000);
    CHECK(stats.evicted == 1'890);
    CHECK(stats.erased == 100);
    CHECK(stats.dropped == 0);
    CHECK(f->contains("long 1899"));  // it was written last
    CHECK_FALSE(f->contains("long 7"));
    CHECK(f.heard.count(NoticeKind::recovered) == 1);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->check().ok);
  }

  TEST_CASE("administration throws store_failed under a foreign lock") {
    Locked locked;
    CacheFixture& f = locked.f;
    CHECK(f->touch("long 1"));
    const std::string target = f.dir.path("copy.db");
    CHECK(code_thrown_by([&] { f->flush(); }) == "store_failed");
    CHECK(code_thrown_by([&] { f->compact(); }) == "store_failed");
    CHECK(code_thrown_by([&] { (void)f->check(); }) == "store_failed");
    CHECK(code_thrown_by([&] { f->backup(target); }) == "store_failed");
    CHECK_FALSE(exists(target));
    CHECK(f->erase_many({"long 1", "long 2"}) == 0);
    CHECK_FALSE(f->erase("long 3"));
    CHECK(f->clear() == 0);
    CHECK(f.keys().empty());
    CHECK(f->put("new", 1));
    CHECK(f.heard.count(NoticeKind::removal_uncommitted) == 1);
    CHECK(f.rows_in_file() == 3'000);

    f.raw().run("ROLLBACK");
    f->flush();
    CHECK(f.keys() == "new");
    CHECK(f->stats().entries == 1);
    CHECK(f->stats().dropped == 0);
    f->backup(target);
    CHECK(Cache(target, f.options).get<int>("new") == 1);
  }

  TEST_CASE("a backup works under a foreign lock when no write is pending") {
    CacheFixture f;
    f.fill("k", 100);
    f->flush();
    f.raw().run("BEGIN IMMEDIATE");
    f->backup(f.dir.path("copy.db"));
    f.raw().run("ROLLBACK");
    CHECK(Cache(f.dir.path("copy.db"), f.options).stats().entries == 100);
  }
}
