// A process that forks with a cache open.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

std::string answers_of(Cache& cache) {
  std::string said;
  said += cache.get<int>("k") ? "hit " : "miss ";
  said += cache.put("k", 2) ? "put " : "not-put ";
  said += cache.contains("k") ? "there " : "not-there ";
  said += cache.entry("k") ? "entry " : "no-entry ";
  said += cache.touch("k") ? "touched " : "untouched ";
  said += cache.erase("k") ? "erased " : "not-erased ";
  said += std::to_string(cache.clear()) + ' ';
  said += std::to_string(cache.get_or_compute("k", [] { return 7; })) + ' ';
  said += code_thrown_by([&] { cache.flush(); }) + ' ';
  said += std::to_string(cache.put_many<int>({{"a", 1}, {"b", 2}})) + ' ';
  const auto computed = cache.get_or_compute_many<int>(
      {"k", "l"}, [](auto keys) { return std::vector<int>(keys.size(), 8); });
  said += std::to_string(computed.at(1)) + ' ';
  int shown = 0;
  cache.for_each("", [&](const EntryInfo&) { ++shown; });
  said += std::to_string(shown + static_cast<int>(cache.calculations().size())) + ' ';
  cache.set_limits({.max_entries = 1});
  said += std::to_string(cache.limits().max_entries.count() > 1) + ' ';
  said += std::string(to_string(cache.health().state)) + ' ';
  said += std::to_string(cache.stats().misses) + ' ' + std::to_string(cache.stats().unread);
  return said;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("65 after a fork the child's calls are misses, counted, and the parent goes on") {
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "by hand"));
      CacheFixture f;
      if (thread) f.use_thread();
      CHECK(f->put("k", 1));
      f->flush();
      CHECK(f->put("pending", 1));
      const ChildEnd end = in_child([&] { return answers_of(f.cache()); });
      CHECK(end.exit_code == 0);
      CHECK(end.said ==
            "miss not-put not-there no-entry untouched not-erased 0 7 closed 0 8 0 1 closed 4 4");
      CHECK(f->get<int>("k") == 1);
      CHECK(f->get<int>("pending") == 1);
      CHECK(f->put("after", 2));
      f->flush();
      CHECK(f.shell("SELECT cache_key FROM cache_entries ORDER BY 1") == "after\nk\npending\n");
    }
  }

  TEST_CASE("65 the child's destructor and close do nothing to the parent's file") {
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "by hand"));
      CacheFixture f;
      auto cache = std::make_unique<Cache>(f.path, f.options);
      if (thread) {
        cache.reset();
        f.use_thread();
        cache = std::make_unique<Cache>(f.path, f.options);
      }
      CHECK(cache->put("k", 1));
      const ChildEnd end = in_child([&]() -> std::string {
        cache->close();
        cache.reset();
        return "destroyed";
      });
      CHECK(end.exit_code == 0);
      CHECK(end.said == "destroyed");
      CHECK(exists(f.path + "-wal"));
      // The lock is still the parent's: neither a shell nor another process can take it away.
      CHECK(f.shell("SELECT 1") == "1\n");
      CHECK(in_child([&] {
              return code_thrown_by([&] { const Cache other(f.path, f.options); });
            }).said == "file_in_use");
      CHECK(cache->put("l", 2));
      cache->flush();
      CHECK(f.shell("SELECT count(*) FROM cache_entries") == "2\n");
      cache.reset();
      CHECK(f->get<int>("l") == 2);
    }
  }

  TEST_CASE(
      "65 a child may open a cache of its own, on another file or after the parent's is closed") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f->flush();
    const auto use = [&](const std::string& path) -> std::string {
      Cache mine(path, f.options);
      const bool taken = mine.put("child", 5);
      mine.flush();
      return std::string(taken ? "put " : "not-put ") +
             std::to_string(mine.get<int>("child").value_or(0));
    };
    CHECK(in_child([&] { return use(f.dir.path("other.db")); }).said == "put 5");
    f.close();
    CHECK(in_child([&] { return use(f.path); }).said == "put 5");
    CHECK(f->get<int>("child") == 5);
    CHECK(f->get<int>("k") == 1);
  }

  TEST_CASE("65 a fork while threads hold every lock does not hang the child") {
    CacheFixture f;
    f.use_thread();
    f.options.timing.flush_interval = 0s;
    (void)f.cache();
    std::atomic<bool> stop{false};
    std::thread writer([&] {
      for (int i = 0; !stop; ++i) (void)f->put("k" + std::to_string(i % 100), i);
    });
    for (int round = 0; round < 20; ++round) {
      const ChildEnd end = in_child([&] { return answers_of(f.cache()); });
      CHECK(end.exit_code == 0);
      CHECK(end.said.starts_with("miss not-put"));
    }
    stop = true;
    writer.join();
  }
}
