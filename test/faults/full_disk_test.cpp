#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/fault_vfs.hpp"

// What a cache does on a disk without room.

using namespace ashmemo;
using test::CacheFixture;
using test::FaultVfs;
using test::numbered;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kBytes = 400;

/// A cache of some megabytes, on a disk that has room for not one byte more.
struct Crowded {
  explicit Crowded(Eviction eviction, PutOptions put_options = {}) {
    f.options.eviction = eviction;
    f.options.limits.max_bytes = 64 * MiB;
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string& key : numbered("old", 4'000)) {
      pairs.emplace_back(key, std::string(kBytes, 'x'));
    }
    REQUIRE(f->put_many(pairs, put_options) == pairs.size());
    f->flush();
    f.run_to_the_end();
    f.heard.clear();
    vfs.fill_disk(0);
  }

  FaultVfs vfs;
  CacheFixture f;
};

/// Puts until nothing more is taken, and some more, while the store refuses to write.
void fill_the_queue(CacheFixture& f) {
  const std::int64_t since = f->health().since;
  std::vector<std::string> taken;
  std::int64_t refused = 0;
  for (const std::string& key : numbered("large", 30)) {
    f.clock->advance(1s);
    if (f->put(key, std::string(500'000, 'x'))) {
      taken.push_back(key);
    } else {
      ++refused;
    }
  }
  (void)f->run_maintenance();
  CHECK(taken.size() > 5);
  CHECK(refused > 5);
  CHECK(f->stats().dropped == refused);
  CHECK(f->health().dropped == refused);
  CHECK(f->health().since == since);
  CHECK(f->health().state == HealthState::degraded);
  CHECK(f.heard.count(NoticeKind::writes_dropped) == 1);
  for (const std::string& key : taken) CHECK(f->get<std::string>(key).has_value());
  for (const std::string& key : numbered("old", 4'000)) CHECK(f->contains(key));
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("on a full disk the oldest entries make room for new ones") {
    Crowded crowded(Eviction::fifo);
    CacheFixture& f = crowded.f;
    for (int round = 0; round < 30; ++round) {
      const std::string prefix = "new" + std::to_string(round) + ':';
      f.fill(prefix, 100, kBytes);
      f->flush();
      for (const std::string& key : numbered(prefix, 100)) CHECK(f.in_file(key));
      f.close_raw();
    }
    const Stats stats = f->stats();
    CHECK(stats.dropped == 0);
    CHECK(stats.evicted > 1'000);
    CHECK(stats.entries > 2'500);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.heard.count(NoticeKind::write_failed) >= 1);
    CHECK(f.heard.count(NoticeKind::write_failed) == f.heard.count(NoticeKind::recovered));
    CHECK_FALSE(f->contains("old0"));
    CHECK(f->contains("old3999"));
    CHECK(f->contains("new29:99"));
  }

  TEST_CASE("on a full disk what is due leaves before anything that lives") {
    Crowded crowded(Eviction::fifo, {.ttl = 1h});
    CacheFixture& f = crowded.f;
    f.clock->advance(2h);
    for (int round = 0; round < 10; ++round) {
      f.fill("new" + std::to_string(round) + ':', 100, kBytes);
      f->flush();
    }
    CHECK(f->stats().expired > 0);
    CHECK(f->stats().evicted == 0);
    CHECK(f->stats().dropped == 0);
  }

  TEST_CASE("on a full disk what is due is deleted to the end, though nobody puts anything") {
    Crowded crowded(Eviction::fifo, {.ttl = 1h});
    CacheFixture& f = crowded.f;
    f.clock->advance(2h);
    for (int i = 0; i < 200; ++i) (void)f->run_maintenance(Duration());
    CHECK(f->stats().expired == 4'000);
    CHECK(f->health().state == HealthState::ok);
  }

  TEST_CASE("on a full disk removals are committed") {
    Crowded crowded(Eviction::fifo);
    CacheFixture& f = crowded.f;
    CHECK(f->erase("old7"));
    CHECK(f->erase_prefix("old1") == 1'111);
    CHECK(f->clear() > 2'000);
    CHECK(f.heard.count(NoticeKind::removal_uncommitted) == 0);
    CHECK(f.rows_in_file() == 0);
  }

  TEST_CASE("where nothing may leave, writes wait, and are dropped; it heals with the disk") {
    Crowded crowded(Eviction::none);
    CacheFixture& f = crowded.f;
    CHECK(f->put("new", std::string(500'000, 'x')));
    for (int i = 0; i < 5; ++i) {
      CHECK(test::code_thrown_by([&] { f->flush(); }) == "store_failed");
      f.clock->advance(1s);
    }
    CHECK(f->health().state == HealthState::degraded);
    CHECK(test::has(f->health().last_error, "full"));
    CHECK(f.heard.count(NoticeKind::write_failed) == 1);
    CHECK(f->get<std::string>("old7").has_value());
    CHECK(f->get<std::string>("new").has_value());
    fill_the_queue(f);

    crowded.vfs.heal();
    f.clock->advance(1min);
    (void)f->run_maintenance();
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->health().since == f.clock->wall_now());
    CHECK(f.heard.count(NoticeKind::recovered) == 1);
    CHECK(f.in_file("new"));
  }

  TEST_CASE("where writing fails, what finds no room in the queue is dropped, counted and told") {
    Crowded crowded(Eviction::fifo);
    CacheFixture& f = crowded.f;
    crowded.vfs.fail_each(test::SystemCall::write, test::Fault::io_error);
    CHECK(f->put("new", std::string(500'000, 'x')));
    CHECK(test::code_thrown_by([&] { f->flush(); }) == "store_failed");
    fill_the_queue(f);
    CHECK(f->stats().evicted == 0);  // room would not help
    crowded.vfs.heal();
    f->flush();
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.in_file("new"));
  }

  TEST_CASE("when there is room again nothing is evicted for it any more") {
    Crowded crowded(Eviction::fifo);
    CacheFixture& f = crowded.f;
    f.fill("new", 200, kBytes);
    f->flush();
    CHECK(f->stats().evicted > 0);
    crowded.vfs.heal();
    f.clock->advance(2min);
    f.run_to_the_end();
    const std::int64_t evicted = f->stats().evicted;
    f.fill("more", 2'000, kBytes);
    f->flush();
    f.run_to_the_end();
    CHECK(f->stats().evicted == evicted);
  }
}
