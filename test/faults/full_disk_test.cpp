#include <doctest/doctest.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/fault_vfs.hpp"

// A cache on a full disk.

using namespace ashmemo;
using test::CacheFixture;
using test::FaultVfs;
using test::has;
using test::numbered;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kBytes = 400;

/// A cache of some megabytes on a disk without free space.
struct FullDisk {
  explicit FullDisk(Eviction eviction, PutOptions put_options = {}) {
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
  ~FullDisk() { vfs.heal(); }  // the fixture opens the file again to check it
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

  FaultVfs vfs;
  CacheFixture f;
};

/// Puts until the queue accepts no more entries, and then some more, while the store cannot write.
void fill_the_queue(CacheFixture& f) {
  const std::int64_t since = f->health().since;
  std::vector<std::string> accepted;
  std::int64_t refused = 0;
  for (const std::string& key : numbered("large", 30)) {
    f.clock->advance(1s);
    if (f->put(key, std::string(500'000, 'x'))) {
      accepted.push_back(key);
    } else {
      ++refused;
    }
  }
  (void)f->run_maintenance();
  CHECK(accepted.size() > 5);
  CHECK(refused > 5);
  CHECK(f->stats().dropped == refused);
  CHECK(f->health().dropped == refused);
  CHECK(f->health().since == since);
  CHECK(f->health().state == HealthState::degraded);
  CHECK(f.heard.count(NoticeKind::writes_dropped) == 1);
  for (const std::string& key : accepted) CHECK(f->get<std::string>(key).has_value());
  for (const std::string& key : numbered("old", 4'000)) CHECK(f->contains(key));
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("on a full disk the oldest entries are evicted for new ones") {
    FullDisk disk(Eviction::fifo);
    CacheFixture& f = disk.f;
    for (int round = 0; round < 25; ++round) {
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
    CHECK(f->contains("old999"));  // the last one in the order of the keys
    CHECK(f->contains("new24:99"));
  }

  TEST_CASE("on a full disk entries make room right after opening, while the log is new") {
    FullDisk disk(Eviction::fifo, {.ttl = 1h});
    CacheFixture& f = disk.f;
    disk.vfs.heal();
    f.reopen();
    disk.vfs.fill_disk(0);
    for (const std::string& key : numbered("new", 300)) {
      CHECK(f->put(key, std::string(kBytes, 'x')));
      f->flush();
    }
    CHECK(f->stats().evicted > 100);
    f.clock->advance(2h);
    for (int i = 0; i < 300; ++i) (void)f->run_maintenance(Duration());
    CHECK(f->stats().expired > 2'000);
    CHECK(f->stats().dropped == 0);
    CHECK(f->get<std::string>("new299").has_value());
    CHECK(f->health().state == HealthState::ok);
  }

  TEST_CASE("on a full disk a value that finds no space does not block the writes behind it") {
    FullDisk disk(Eviction::fifo);
    CacheFixture& f = disk.f;
    CHECK(f->put("large", std::string(5 * MiB, 'x')));
    f.fill("small", 100, kBytes);
    for (int i = 0; i < 5; ++i) {
      (void)f->run_maintenance();
      f.clock->advance(1s);
    }
    for (const std::string& key : numbered("small", 100)) CHECK(f.in_file(key));
    f.close_raw();
    CHECK(f->stats().dropped == 1);
    CHECK_FALSE(f->contains("large"));
    CHECK(f.heard.count(NoticeKind::writes_dropped) == 1);
    CHECK(has(f.heard.last(NoticeKind::writes_dropped).what, "full"));
  }

  TEST_CASE("on a full disk a large value beside a removal is dropped and flush returns") {
    FullDisk disk(Eviction::fifo);
    CacheFixture& f = disk.f;
    CHECK(f->put("large", std::string(5 * MiB, 'x')));
    CHECK_FALSE(f->put("refused", std::string(65 * MiB, 'x')));  // queues a removal
    f->flush();
    CHECK(f->stats().dropped == 1);
    CHECK_FALSE(f->contains("large"));
  }

  TEST_CASE("a quota or a file size limit that is reached is a full disk") {
    for (const int system_error : {EDQUOT, EFBIG, ENOSPC}) {
      CAPTURE(system_error);
      FullDisk disk(Eviction::fifo);
      CacheFixture& f = disk.f;
      disk.vfs.fill_disk(0, system_error);
      for (int round = 0; round < 10; ++round) {
        f.fill("new" + std::to_string(round) + ':', 100, kBytes);
        f->flush();
      }
      CHECK(f->stats().evicted > 100);
      CHECK(f->stats().dropped == 0);
      CHECK(f->contains("new9:99"));
      CHECK(has(f.heard.last(NoticeKind::write_failed).what, "make room"));
    }
  }

  TEST_CASE("a file system that became read-only or fails is not taken for a full disk") {
    for (const int system_error : {EROFS, EIO}) {
      CAPTURE(system_error);
      FullDisk disk(Eviction::fifo);
      CacheFixture& f = disk.f;
      disk.vfs.fill_disk(0, system_error);
      f.fill("new", 2'000, kBytes);
      CHECK(test::code_thrown_by([&] { f->flush(); }) == "store_failed");
      CHECK(f->stats().evicted == 0);
      const std::string what = f.heard.last(NoticeKind::write_failed).what;
      CHECK_MESSAGE(has(what, std::generic_category().message(system_error)), what);
      CHECK_FALSE(has(what, "full"));
      CHECK_FALSE(has(what, "make room"));
      disk.vfs.heal();
      f->flush();
    }
  }

  TEST_CASE("an Error for a cache that cannot be opened advises what helps against its cause") {
    struct Case {
      int system_error;
      std::string advice;
    };
    for (const Case& each :
         {Case{ENOSPC, "make room on its disk"}, Case{EDQUOT, "raise the quota"},
          Case{EROFS, "mount its file system for writing"}, Case{EIO, "check its disk"}}) {
      CAPTURE(each.system_error);
      FaultVfs vfs;
      CacheFixture f;
      f.expect_no_order();
      f.options.when_unavailable = WhenUnavailable::throw_error;
      vfs.fill_disk(0, each.system_error);
      const auto error = test::thrown_by([&] { (void)f.cache(); });
      REQUIRE(error);
      CHECK_MESSAGE(has(error->what(), each.advice), error->what());
      CHECK_FALSE(has(error->what(), "by this user"));
    }
  }

  TEST_CASE("on a full disk expired entries are removed before live ones") {
    FullDisk disk(Eviction::fifo, {.ttl = 1h});
    CacheFixture& f = disk.f;
    f.clock->advance(2h);
    for (int round = 0; round < 10; ++round) {
      f.fill("new" + std::to_string(round) + ':', 100, kBytes);
      f->flush();
    }
    CHECK(f->stats().expired > 0);
    CHECK(f->stats().evicted == 0);
    CHECK(f->stats().dropped == 0);
  }

  TEST_CASE("on a full disk all expired entries are deleted without a put") {
    FullDisk disk(Eviction::fifo, {.ttl = 1h});
    CacheFixture& f = disk.f;
    f.clock->advance(2h);
    for (int i = 0; i < 200; ++i) (void)f->run_maintenance(Duration());
    CHECK(f->stats().expired == 4'000);
    CHECK(f->health().state == HealthState::ok);
  }

  TEST_CASE("on a full disk removals are committed") {
    FullDisk disk(Eviction::fifo);
    CacheFixture& f = disk.f;
    CHECK(f->erase("old7"));
    CHECK(f->erase_prefix("old1") == 1'111);
    CHECK(f->clear() > 2'000);
    CHECK(f.heard.count(NoticeKind::removal_uncommitted) == 0);
    CHECK(f.rows_in_file() == 0);
  }

  TEST_CASE("without eviction, writes wait and are dropped until the disk has space") {
    FullDisk disk(Eviction::none);
    CacheFixture& f = disk.f;
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

    disk.vfs.heal();
    f.clock->advance(1min);
    (void)f->run_maintenance();
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->health().since == f.clock->wall_now());
    CHECK(f.heard.count(NoticeKind::recovered) == 1);
    CHECK(f.in_file("new"));
  }

  TEST_CASE("puts are dropped, counted and reported when writing fails and the queue is full") {
    FullDisk disk(Eviction::fifo);
    CacheFixture& f = disk.f;
    disk.vfs.fail_each(test::SystemCall::write, test::Fault::io_error);
    CHECK(f->put("new", std::string(500'000, 'x')));
    CHECK(test::code_thrown_by([&] { f->flush(); }) == "store_failed");
    fill_the_queue(f);
    CHECK(f->stats().evicted == 0);  // more space would not help
    disk.vfs.heal();
    f->flush();
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.in_file("new"));
  }

  TEST_CASE("the cache stops evicting for disk space when the disk has space again") {
    FullDisk disk(Eviction::fifo);
    CacheFixture& f = disk.f;
    f.fill("new", 200, kBytes);
    f->flush();
    CHECK(f->stats().evicted > 0);
    disk.vfs.heal();
    f.clock->advance(2min);
    f.run_to_the_end();
    const std::int64_t evicted = f->stats().evicted;
    f.fill("more", 2'000, kBytes);
    f->flush();
    f.run_to_the_end();
    CHECK(f->stats().evicted == evicted);
  }
}
