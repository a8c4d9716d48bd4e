// Forks at every test point of the code, on the thread that reaches the point.

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/rendezvous.hpp"
#include "support/sanitized.hpp"
#include "support/watchdog.hpp"
#include "system/forked_child.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// Forks a child when an operation reaches a test point for the first time. Must be created before
/// the threads of the cache and destroyed after them.
class Forks {
 public:
  explicit Forks(std::function<void()> check)
      : check_(std::move(check)), points_([this](std::string_view point) { at(point); }) {}

  void during(const std::string& operation, const std::function<void()>& run) {
    set_operation(operation);
    run();
    set_operation("");
  }
  [[nodiscard]] std::string points_met() const {
    std::string all;
    for (const std::string& point : points_met_) all += point + "; ";
    return all;
  }

 private:
  void at(std::string_view point) {
    if (is_child_) return;  // the child reaches test points, too
    const std::lock_guard lock(mutex_);
    if (operation_.empty() || !met_.insert(operation_ + " at " + std::string(point)).second) return;
    points_met_.insert(std::string(point));
    INFO(operation_ << " at " << std::string(point));
    is_child_ = true;
    check_();
    is_child_ = false;
  }

  void set_operation(const std::string& operation) {
    const std::lock_guard lock(mutex_);
    operation_ = operation;
  }

  const std::function<void()> check_;
  std::mutex mutex_;
  std::string operation_;  // empty between operations
  std::set<std::string> met_;
  std::set<std::string> points_met_;
  static thread_local bool is_child_;  // also true in the parent while it waits for the child
  AtTestPoints points_;
};

thread_local bool Forks::is_child_ = false;

/// The operations of a cache that read or change entries.
std::vector<std::pair<std::string, std::function<void()>>> operations(CacheFixture& f) {
  return {
      {"put", [&f] { CHECK(f->put("k", 1)); }},
      {"get of a pending write", [&f] { CHECK(f->get<int>("k") == 1); }},
      {"flush", [&f] { f->flush(); }},
      {"get", [&f] { CHECK(f->get<int>("k") == 1); }},
      {"put_many",
       [&f] {
         CHECK(f->put_many<int>({{"l", 2}, {"m", 3}, {"n", 4}}) == 3);
       }},
      {"get_many",
       [&f] {
         CHECK(f->get_many<int>({"k", "x", "l"}).at(2) == 2);
       }},
      {"contains", [&f] { CHECK(f->contains("m")); }},
      {"touch", [&f] { CHECK(f->touch("k")); }},
      {"entry", [&f] { CHECK(f->entry("k")); }},
      {"for_each", [&f] { CHECK(f.keys() == "k l m n"); }},
      {"get_or_compute", [&f] { CHECK(f->get_or_compute("o", [] { return 5; }) == 5); }},
      {"erase", [&f] { CHECK(f->erase("k")); }},
      {"erase_many",
       [&f] {
         CHECK(f->erase_many({"l", "x"}) == 1);
       }},
      {"erase_prefix", [&f] { CHECK(f->erase_prefix("m") == 1); }},
      {"run_maintenance", [&f] { (void)f->run_maintenance(1s); }},
      {"compact", [&f] { f->compact(); }},
      {"check", [&f] { CHECK(f->check().ok); }},
      {"eviction",
       [&f] {
         f->set_limits({.max_entries = 1});
         f->flush();
         CHECK(f->stats().entries == 1);
       }},
      {"clear", [&f] { CHECK(f->clear() == 1); }},
      {"put again", [&f] { CHECK(f->put("k", 6)); }},
      {"close", [&f] { f->close(); }},
  };
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a child forked at any test point only gets misses and the parent continues") {
    const Watchdog watchdog("forks at all points");
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "manual"));
      CacheFixture f;
      if (thread) f.use_thread();
      f.options.timing.flush_interval = 0s;
      Cache* cache = nullptr;
      Forks forks([&cache] { check_child(*cache); });
      cache = &f.cache();
      for (const auto& [name, run] : operations(f)) forks.during(name, run);
      for (const char* const point :
           {"change: begun", "change: queued", "commit: begins", "commit: looked", "commit: done",
            "commit: finishes", "load: looked up", "load: keeps", "read: asked memory",
            "read: asked pending", "read: has a row"}) {
        CHECK_MESSAGE(has(forks.points_met(), point), point);
      }
      f.reopen();
      CHECK(f.keys() == "k");
      CHECK(f->get<int>("k") == 6);
      f.close();  // before `forks` is destroyed
    }
  }

  TEST_CASE("a forked child does not read the parent's memory tier when there is no file") {
    CacheFixture f;
    Cache cache(f.dir.path("no/such/folder/x.db"), f.options);
    Forks forks([&cache] { check_child(cache); });
    forks.during("put", [&cache] { CHECK_FALSE(cache.put("k", 1)); });
    forks.during("get", [&cache] { CHECK(cache.get<int>("k") == 1); });
    CHECK(has(forks.points_met(), "memory alone: looked"));
  }

  TEST_CASE("a loader may fork while another thread waits for its result") {
    const Watchdog watchdog("forks of loaders");
    CacheFixture f;
    Cache& cache = f.cache();
    Events events;
    const AtTestPoints points([&events](std::string_view point) {
      if (point == "load: waits") events.happened("waits");
    });
    const auto load = [&] {
      events.happened("loads");
      events.wait_for("waits");
      check_child(cache);
      return 5;
    };
    std::thread owner([&] { CHECK(cache.get_or_compute("x", load) == 5); });
    events.wait_for("loads");
    CHECK(cache.get_or_compute("x", [] { return 6; }) == 5);
    owner.join();
    CHECK(f->get<int>("x") == 5);
  }

  TEST_CASE("a load may fork before it waits for another thread's load") {
    const Watchdog watchdog("a fork of a waiting load");
    CacheFixture f;
    Cache& cache = f.cache();
    Events events;
    const AtTestPoints points([&](std::string_view point) {
      if (point != "load: waits") return;
      check_child(cache);
      events.happened("forked");
    });
    std::thread owner([&] {
      const auto load = [&events] {
        events.happened("loads");
        events.wait_for("forked");
        return 5;
      };
      CHECK(cache.get_or_compute("x", load) == 5);
    });
    events.wait_for("loads");
    CHECK(cache.get_or_compute("x", [] { return 6; }) == 5);
    owner.join();
    CHECK(events.times("forked") == 1);
  }

  TEST_CASE("a child forked in a calculation computes the records of other threads itself") {
    const Watchdog watchdog("a child that goes on with a load");
    struct Post {
      int id;
    };
    CacheFixture f;
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    Events events;
    pid_t child = -1;
    const auto twice = posts.calculation("twice", [&](const Post& post) {
      if (post.id == 1) {
        child = ::fork();
        if (child != 0) events.happened("forked");
      } else if (child != 0) {
        events.happened("computes");
        events.wait_for("forked");
      }
      return 2 * post.id;
    });
    posts.cache_calculation("twice", {});
    std::thread owner([&] { CHECK(twice(Post{2}) == 4); });
    events.wait_for("computes");
    const std::vector<int> results = twice(std::vector<Post>{{1}, {2}});
    if (child == 0) ::_exit(results == std::vector<int>{2, 4} ? 0 : 1);
    owner.join();
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(results == std::vector<int>{2, 4});
  }

  TEST_CASE("a child forked in a calculation that then throws needs no mutex of another thread") {
    const Watchdog watchdog("a child of a calculation that fails");
    struct Post {
      int id;
    };
    CacheFixture f;
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    Events events;
    bool failing = false;
    pid_t child = -1;
    const auto twice = posts.calculation("twice", [&](const Post& post) {
      if (!failing) return 2 * post.id;
      events.happened("computes");
      events.wait_for("holds the mutex");
      child = ::fork();
      if (child == 0) ::alarm(20);  // ends a child that hangs
      if (child != 0) events.happened("forked");
      throw std::runtime_error("the source is down");
    });
    posts.cache_calculation("twice", {.ttl = 1s, .stale_if_error = 1h});
    CHECK(twice(Post{3}) == 6);
    f.clock->advance(2s);
    failing = true;
    const AtTestPoints points([&, loads = std::this_thread::get_id()](std::string_view point) {
      if (point != "catalog: locked" || std::this_thread::get_id() == loads) return;
      events.happened("holds the mutex");
      events.wait_for("forked");
    });
    std::thread holder([&] {
      events.wait_for("computes");
      (void)f->get<int>("Post:3:twice");
    });
    int result = 0;
    bool has_thrown = false;
    try {
      result = twice(Post{3});
    } catch (const std::runtime_error&) {
      has_thrown = true;
    }
    if (child == 0) ::_exit(has_thrown ? 0 : 1);
    holder.join();
    CHECK(result == 6);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }

  TEST_CASE("a child forked in a load does not ask how other calculations divide their batches") {
    struct Post {
      int id;
    };
    CacheFixture f;
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    bool forks = false;
    bool failing = false;
    pid_t child = -1;
    const auto first = posts.calculation("first", [&](Records<Post> batch) {
      if (forks) child = ::fork();
      return std::vector<int>(batch.size(), 1);
    });
    std::vector<std::size_t> sizes;
    const auto second = posts.calculation("second", [&](Records<Post> batch) {
      sizes.push_back(batch.size());
      if (failing) throw std::runtime_error("the source is down");
      return std::vector<int>(batch.size(), 2);
    });
    for (const char* const name : {"first", "second"}) {
      posts.cache_calculation(name, {.ttl = 1s, .stale_if_error = 1h});
    }
    const std::vector<Post> page = {{1}, {2}};
    (void)posts.load(page, first, second);
    f.clock->advance(2s);
    failing = true;
    (void)second(page);
    f.clock->advance(2s);
    failing = false;
    forks = true;
    sizes.clear();
    (void)posts.load(page, first, second);
    // FailedRecords has a mutex, which another thread of the parent may have locked.
    if (child == 0) ::_exit(sizes == std::vector<std::size_t>{2} ? 0 : 1);
    CHECK(sizes == std::vector<std::size_t>{1, 1});
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }

  TEST_CASE("a child forked in a visitor of for_each sees no further entry") {
    CacheFixture f;
    CHECK(f->put_many<int>({{"k", 1}, {"l", 2}, {"m", 3}}) == 3);
    f->flush();
    pid_t child = -1;
    int seen = 0;
    f->for_each("", [&](const EntryInfo&) {
      if (++seen == 1) child = ::fork();
    });
    if (child == 0) ::_exit(seen == 1 ? 0 : 1);
    CHECK(seen == 3);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }

  TEST_CASE("a fork works while a background refresh starts its thread") {
    struct Post {
      int id;
    };
    CacheFixture f;
    Cache& cache = f.cache();
    Registry registry(cache);
    auto& posts = registry.resource<Post>("Post", &Post::id);
    const auto twice = posts.calculation("twice", [](const Post& post) { return 2 * post.id; });
    posts.cache_calculation("twice", {.ttl = 1s, .stale_while_revalidate = 1h});
    CHECK(twice(Post{3}) == 6);
    f.clock->advance(2s);
    Events events;
    const AtTestPoints points([&](std::string_view point) {
      if (point != "background: starts a thread") return;
      check_child(cache);
      events.happened("forked");
    });
    CHECK(twice(Post{3}) == 6);
    CHECK(events.times("forked") == 1);
    f.close();  // waits for the refresh
  }

  TEST_CASE("a hook may fork") {
    const Watchdog watchdog("a fork in a hook");
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "manual"));
      CacheFixture f;
      if (thread) f.use_thread();
      Cache* cache = nullptr;
      Events events;
      f.options.hooks.on_removal = [&](const Removal&) {
        check_child(*cache, "misuse");
        events.happened("forked");
      };
      cache = &f.cache();
      CHECK(f->put("k", 1));
      CHECK(f->put("l", 2));
      f->flush();
      CHECK(f->erase("k"));
      events.wait_for("forked");
      CHECK(f->get<int>("l") == 2);
      f.close();
      CHECK(events.times("forked") == 1);
    }
  }

  TEST_CASE("a forked child that returns from a hook does not go on with its parent's work") {
    const Watchdog watchdog("a return from a hook in a child");
    for (const bool thread : {false, true}) {
      // The child of a thread ends by exit(), where sanitizers look for leaks and may hang.
      if (thread && kIsSanitized) continue;
      INFO(std::string(thread ? "with a thread" : "manual"));
      CacheFixture f({.memory_bytes = 0});  // otherwise the worker wakes up each second
      if (thread) f.use_thread();
      f.options.timing.maintenance_interval = 1h;
      Events events;
      pid_t child = -1;
      int calls = 0;
      f.options.hooks.on_removal = [&](const Removal&) {
        if (++calls == 1) child = ::fork();
        if (child == 0) {
          ::alarm(60);  // ends a child that hangs
        } else if (calls == 2) {
          events.happened("called twice");
        }
      };
      CHECK(f->put("k", 1));
      CHECK(f->put("l", 2));
      f->flush();
      CHECK(f->erase_many({"k", "l"}) == 2);
      if (!thread && child == 0) {  // in thread mode the child ends with its only thread
        const bool is_right = calls == 1 && code_thrown_by([&] { f->flush(); }) == "closed";
        ::_exit(is_right ? 0 : 1);
      }
      events.wait_for("called twice");
      int status = 0;
      CHECK(::waitpid(child, &status, 0) == child);
      CHECK(WIFEXITED(status));
      if (!thread) CHECK(WEXITSTATUS(status) == 0);
      CHECK(f->put("m", 3));
      f->flush();
      CHECK(f.keys() == "m");
      f.close();
    }
  }
}
