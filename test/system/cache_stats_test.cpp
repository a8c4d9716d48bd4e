// Counters, health and notices, with exact numbers for scripted calls.

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// A value that its codec refuses to write.
struct Unwritable {};

}  // namespace

template <>
struct ashmemo::Codec<Unwritable> {
  static Value encode(const Unwritable&) { throw std::runtime_error("no"); }
  static std::optional<Unwritable> decode(ValueView) { return std::nullopt; }
};

TEST_SUITE("system") {
  TEST_CASE("every counter is exact in a scripted run") {
    CacheFixture f(
        {.limits = {.max_entries = 5, .max_entry_bytes = 50'000}, .eviction = Eviction::fifo});
    for (const char* key : {"a", "b", "c"}) CHECK(f->put(key, key));  // 3 puts
    CHECK(f->put("short", "s", {.ttl = 1s}));                         // 1 put
    CHECK_FALSE(f->put("large", std::string(60'000, 'x')));           // 1 put, refused
    CHECK_FALSE(f->put("unwritable", Unwritable()));                  // 1 put, unencodable
    CHECK(f->get<std::string>("a") == "a");                           // hit, mark: pending
    CHECK_FALSE(f->get<std::string>("missing").has_value());          // miss
    f->flush();                                                       // 1 commit
    CHECK(f->stats().commits == 1);
    CHECK(f->put("a", "a2"));                   // 1 put, replaced
    CHECK(f->get<std::string>("b") == "b");     // hit, mark
    CHECK(f->get<std::string>("b") == "b");     // hit, coalesced
    CHECK_FALSE(f->get<int>("c").has_value());  // miss, undecodable
    CHECK(f->touch("c"));                       // mark
    f.clock->advance(1s);
    CHECK_FALSE(f->get<std::string>("short").has_value());  // miss, expired
    f->flush();                                             // 1 commit, 1 for touches
    CHECK(f->stats().commits == 3);
    f.run_to_the_end();    // 1 expired
    CHECK(f->erase("c"));  // 1 erased
    CHECK_FALSE(f->erase("c"));
    for (const char* key : {"d", "e", "f", "g"}) CHECK(f->put(key, key));  // 4 puts
    f->flush();  // a kept its place and is the oldest: evicted
    CHECK(f.keys() == "b d e f g");
    CHECK(f->get_or_compute("h", [&] { return f.clock->advance(2s), 1; }) == 1);  // miss, computed
    CHECK(f->get_or_compute("h", [] { return 2; }) == 1);                         // hit
    f->flush();

    const Stats s = f->stats();
    CHECK(s.entries == 5);
    CHECK(s.queue_bytes == 0);
    CHECK(s.file_bytes > 0);
    CHECK(s.wal_bytes > 0);
    CHECK(s.hits == 4);
    CHECK(s.stale_hits == 0);
    CHECK(s.misses == 4);
    CHECK(s.expired_misses == 1);
    CHECK(s.undecodable == 1);
    CHECK(s.unread == 0);
    CHECK(s.computed == 1);
    CHECK(s.uncached_keys == 0);
    CHECK(s.puts == 12);
    CHECK(s.refused == 1);
    CHECK(s.dropped == 0);
    CHECK(s.unencodable == 1);
    CHECK(s.erased == 1);
    CHECK(s.replaced == 1);
    CHECK(s.expired == 1);
    CHECK(s.evicted == 2);
    CHECK(s.touches_marked == 5);
    CHECK(s.touches_coalesced == 1);
    CHECK(s.touches_dropped == 0);
    CHECK(s.worker_errors == 0);
    CHECK(s.saved == Duration(2s));
    CHECK(s.bytes_written > s.bytes);
  }

  TEST_CASE("hits, stale hits and misses add up to the number of requested keys") {
    CacheFixture f;
    f.fill("k", 30);
    f->flush();
    (void)f->get_many<int>(numbered("k", 40));
    (void)f->get_many<std::string>({"k1", "k1", "z", "z"});
    (void)f->get_or_compute("k2", [] { return std::string(); });
    const Stats s = f->stats();
    CHECK(s.hits + s.stale_hits + s.misses == 45);
    CHECK(s.hits == 3);
    CHECK(s.undecodable == 30);
  }

  TEST_CASE("counters of a calculation survive a restart") {
    struct Post {
      int id;
    };
    const std::vector<Post> page = {{1}, {2}, {3}};
    CacheFixture f;
    for (int run = 1; run <= 3; ++run) {
      Registry registry(f.cache());
      auto& posts = registry.resource<Post>("Post", &Post::id);
      auto slow = posts.calculation("slow", [&f](const Post& post) {
        f.clock->advance(2s);
        return post.id;
      });
      posts.cache_calculation("slow", {});
      CHECK(slow.stats().computed == (run == 1 ? 0 : 3));  // also before the first load
      CHECK(slow.stats().hits == std::max(0, 6 * run - 9));
      for (int i = 0; i < 2; ++i) CHECK(slow(page) == std::vector<int>{1, 2, 3});
      const CalculationStats stats = slow.stats();
      CHECK(stats.computed == 3);
      CHECK(stats.misses == 3);
      CHECK(stats.hits == 6 * run - 3);
      CHECK(stats.saved == Duration(2s * (6 * run - 3)));
      f.close();
      CHECK(f.shell("SELECT max(hits) FROM cache_by_calculation") ==
            std::to_string(stats.hits) + "\n");
    }
  }

  TEST_CASE("file_bytes and wal_bytes are the sizes of the files") {
    CacheFixture f;
    f.fill("k", 100, 5'000);
    f->flush();
    const Stats s = f->stats();
    CHECK(s.wal_bytes > 500'000);
    f->compact();
    CHECK(f->stats().file_bytes >= 500'000);
    CHECK(f->stats().file_bytes == f.raw().integer("PRAGMA page_count") * 4'096);
  }

  TEST_CASE("the totals equal a recount after every kind of operation") {
    CacheFixture f({.limits = {.max_entries = 40}});
    f.fill("k", 30, 100);
    f.check_file();
    f.fill("k", 10, 3'000);
    f.check_file();
    CHECK(f->erase("k3"));
    f.check_file();
    CHECK(f->erase_prefix("k1") == 11);
    f.check_file();
    f.fill("l", 60);
    f.check_file();
    CHECK(f->put("short", 1, {.ttl = 1s}));
    f.clock->advance(1s);
    f.run_to_the_end();
    f.check_file();
    f->compact();
    f.check_file();
    f.reopen();
    f.check_file();
    (void)f->clear();
    f.check_file();
    CHECK(f->stats().bytes == 0);
  }

  TEST_CASE("entries and bytes are known at once after reopening") {
    CacheFixture f;
    f.fill("k", 100, 500);
    f->flush();
    const Stats before = f->stats();
    f.reopen();
    CHECK(f->stats().entries == before.entries);
    CHECK(f->stats().bytes == before.bytes);
    CHECK(f->stats().puts == 0);
  }

  TEST_CASE("an error is reported once for its kind and counted each time") {
    CacheFixture f({.limits = {.max_entry_bytes = 1'000}});
    for (int i = 0; i < 3; ++i) {
      CHECK_FALSE(f->put("large", std::string(5'000, 'x')));
      CHECK_FALSE(f->put("unwritable", Unwritable()));
    }
    f->flush();
    CHECK(f->stats().refused == 3);
    CHECK(f->stats().unencodable == 3);
    CHECK(f.heard.count(NoticeKind::refused) == 1);
    CHECK(f.heard.count(NoticeKind::unencodable) == 1);
    CHECK(f.heard.last(NoticeKind::unencodable).subject == "unwritable");
    CHECK(f.heard.notices().size() == 2);
    CHECK(f->health().state == HealthState::ok);
    CHECK_FALSE(f->health().last_error.empty());
  }

  TEST_CASE("health of a healthy cache is ok and has no error") {
    CacheFixture f;
    f.fill("k", 10);
    f->flush();
    const Health health = f->health();
    CHECK(health.state == HealthState::ok);
    CHECK(health.last_error.empty());
    CHECK(health.dropped == 0);
    CHECK_FALSE(health.foreign_reader);
    CHECK(health.since == f.clock->wall_now());
    CHECK(f.heard.notices().empty());
    CHECK(to_string(HealthState::ok) == "ok");
    CHECK(to_string(HealthState::unavailable) == "unavailable");
  }
}
