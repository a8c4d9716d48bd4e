// Durability: what an accepted write survives when the call returns, and the file after a crash.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/counting_vfs.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Post {
  int id;
};

/// Runs `work` on a cache in a child process and kills the child when `work` has returned. The
/// cache is not closed.
void crash_after(CacheFixture& f, const std::function<void(Cache&)>& work) {
  Child child([&](Child::Parent& parent) -> std::string {
    Cache cache(f.path, f.options);
    work(cache);
    parent.notify();
    parent.wait_for();
    return {};
  });
  REQUIRE(child.wait_for());
  child.kill();
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a relaxed put is visible to reads at once and is in the file after a flush") {
    CacheFixture f;
    CHECK(f->put("k", "v"));
    CHECK(f->get<std::string>("k") == "v");
    CHECK(f->stats().queue_bytes > 0);
    CHECK(f->stats().entries == 0);
    CHECK_FALSE(f.in_file("k"));
    f->flush();
    CHECK(f.in_file("k"));
    CHECK(f->stats().queue_bytes == 0);
    CHECK(f->stats().entries == 1);
    CHECK(f->get<std::string>("k") == "v");
  }

  TEST_CASE("with commit and power durability a write is in the file when put returns") {
    for (const Durability durability : {Durability::commit, Durability::power}) {
      for (const bool thread : {false, true}) {
        INFO(std::string(to_string(durability))
             << std::string(thread ? " with a thread" : " manual"));
        CacheFixture f({.durability = durability});
        if (thread) f.use_thread();
        CHECK(f->put("one", 1));
        CHECK(f.in_file("one"));
        const std::vector<std::pair<std::string, int>> pairs = {{"a", 1}, {"b", 2}, {"a", 3}};
        CHECK(f->put_many(pairs) == 3);
        CHECK(f.shell("SELECT cache_key, value FROM cache_entries ORDER BY 1") ==
              "a|3\nb|2\none|1\n");
        CHECK(f->get_or_compute("computed", [] { return 4; }) == 4);
        CHECK(f.in_file("computed"));
      }
    }
  }

  TEST_CASE("only power durability syncs the log before put returns") {
    for (const Durability durability :
         {Durability::relaxed, Durability::commit, Durability::power}) {
      INFO(std::string(to_string(durability)));
      const CountingVfs device;
      CacheFixture f({.durability = durability});
      CHECK(f->put("first", 1));
      f->flush();
      for (int i = 0; i < 3; ++i) {
        const int before = device.of_wal();
        CHECK(f->put("k", i));
        CHECK((device.of_wal() > before) == (durability == Durability::power));
      }
    }
  }

  TEST_CASE("a crash after commit loses no entry and keeps the totals exact") {
    CacheFixture f({.durability = Durability::commit});
    crash_after(f, [](Cache& cache) {
      for (const std::string& key : numbered("k", 50)) (void)cache.put(key, key);
      (void)cache.erase("k7");
    });
    CHECK(f->stats().entries == 49);
    CHECK(f.heard.notices().empty());
    CHECK(f->get<std::string>("k49") == "k49");
    CHECK_FALSE(f->contains("k7"));
    f.check_file();
  }

  TEST_CASE("a crash before the flush loses only pending writes") {
    CacheFixture f;
    crash_after(f, [](Cache& cache) {
      (void)cache.put("flushed", 1);
      cache.flush();
      (void)cache.put("pending", 2);
    });
    CHECK(f.keys() == "flushed");
    f.check_file();
  }

  TEST_CASE("an erased entry does not return after a crash") {
    CacheFixture f;
    crash_after(f, [](Cache& cache) {
      for (const std::string& key : numbered("k", 3)) (void)cache.put(key, 1);
      for (const std::string& key : numbered("p", 3)) (void)cache.put(key, 1);
      cache.flush();
      (void)cache.erase("k0");
      (void)cache.erase_prefix("p");
    });
    CHECK(f.keys() == "k1 k2");
    f.check_file();
  }

  TEST_CASE("counters of a calculation that were flushed survive a crash") {
    CacheFixture f;
    const auto count = [](Cache& cache, const std::vector<Post>& first) {
      Registry registry(cache);
      auto& posts = registry.resource<Post>("Post", &Post::id);
      const auto words = posts.calculation("words", [](const Post& post) { return post.id; });
      posts.cache_calculation("words", {});
      for (const Post& post : first) (void)words(post);
      cache.flush();
      (void)words(Post{100});  // the crash happens before this count is written
    };
    crash_after(f, [&count](Cache& cache) { count(cache, {{1}, {2}, {1}}); });
    const auto stats = [&f] { return f->calculations().at(0).stats; };
    CHECK(stats().computed == 2);
    CHECK(stats().misses == 2);
    CHECK(stats().hits == 1);
    f.close();
    crash_after(f, [&count](Cache& cache) { count(cache, {{1}, {3}}); });
    CHECK(stats().computed == 3);
    CHECK(stats().misses == 3);
    CHECK(stats().hits == 2);
  }

  TEST_CASE("a crash during writes with a worker thread does not damage the file") {
    CacheFixture f;
    f.use_thread();
    f.options.timing.flush_interval = 0s;
    crash_after(f, [](Cache& cache) {
      for (int i = 0; i < 3'000; ++i) {
        (void)cache.put("k" + std::to_string(i % 700), std::string(300, 'x'));
      }
    });
    f.check_file();
    CHECK(f.heard.notices().empty());
  }

  TEST_CASE("close writes all accepted writes and may be called twice") {
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "manual"));
      CacheFixture f;
      if (thread) f.use_thread();
      f.fill("k", 2'000);
      f->flush();  // so that the read below reads a committed row and marks a touch
      CHECK(f->get<std::string>("k7").has_value());
      f.fill("l", 10);
      f->close();
      f->close();
      CHECK(f.rows_in_file() == 2'010);
      CHECK(f.raw().integer("SELECT access_count FROM cache_entries WHERE cache_key = 'k7'") == 1);
      f.reopen();
      CHECK(f->stats().entries == 2'010);
    }
  }

  TEST_CASE("the destructor writes all accepted writes and closes the file") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f.close();
    CHECK(f.shell("SELECT cache_key FROM cache_entries") == "k\n");
    CHECK_FALSE(exists(f.path + "-wal"));
  }

  TEST_CASE("after close reads miss, writes return false and administration throws closed") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f->close();
    CHECK_FALSE(f->get<int>("k").has_value());
    CHECK(f->get_many<int>({"k", "l"}).size() == 2);
    CHECK_FALSE(f->contains("k"));
    CHECK_FALSE(f->entry("k").has_value());
    CHECK(f.keys() == "");
    CHECK_FALSE(f->put("k", 2));
    CHECK(f->put_many<int>({{"a", 1}, {"b", 2}}) == 0);
    CHECK_FALSE(f->touch("k"));
    CHECK_FALSE(f->erase("k"));
    CHECK(f->erase_prefix("k") == 0);
    CHECK(f->clear() == 0);
    CHECK(f->get_or_compute("k", [] { return 9; }) == 9);
    CHECK(f->health().state == HealthState::closed);
    CHECK(f->stats().misses == 4);
    CHECK(f->stats().unread == 4);
    CHECK(code_thrown_by([&] { f->flush(); }) == "closed");
    CHECK(code_thrown_by([&] { f->compact(); }) == "closed");
    CHECK(code_thrown_by([&] { (void)f->check(); }) == "closed");
    CHECK(code_thrown_by([&] { f->backup(f.dir.path("copy")); }) == "closed");
    CHECK(code_thrown_by([&] { (void)f->run_maintenance(); }) == "closed");
    CHECK_FALSE(exists(f.dir.path("copy")));
    CHECK(f.rows_in_file() == 1);
    f->set_limits({.max_entries = 1});
  }

  TEST_CASE("close reports the writes that it drops because another program holds the lock") {
    CacheFixture f;
    f.options.timing.close_wait = 0s;
    CHECK(f->put("before", 1));
    f->flush();
    for (const std::string& key : numbered("k", 3)) CHECK(f->put(key, 1));
    f.raw().run("BEGIN IMMEDIATE");
    f->close();
    CHECK(f->stats().dropped == 3);
    CHECK(f.heard.count(NoticeKind::writes_dropped) == 1);
    CHECK(has(f.heard.last(NoticeKind::writes_dropped).what, "3"));
    f.raw().run("ROLLBACK");
    CHECK(f.rows_in_file() == 1);
  }
}
