// Processes that fork while a cache is open.

#include <doctest/doctest.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
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

struct Post {
  int id;
};
struct Page {
  int id;
};

/// Threads that repeat one call each until the destructor stops them.
class Users {
 public:
  ~Users() {
    stop_ = true;
    for (std::thread& each : threads_) each.join();
  }
  void add(std::function<void(int)> use) {
    threads_.emplace_back([this, use = std::move(use)] {
      use(0);
      ++working_;
      for (int i = 1; !stop_; ++i) use(i);
    });
  }
  /// Waits until each thread has made its call once.
  void wait_for_all() const {
    while (working_ < threads_.size()) std::this_thread::yield();
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> working_{0};
  std::vector<std::thread> threads_;
};

/// A hook that forks once, while another thread has the mutex of the queue. The child returns from
/// the hook and goes on with the call that ran it.
class ForkingHook {
 public:
  void arm() { is_armed_ = true; }

  void fork(Cache& cache) {
    if (!is_armed_.exchange(false)) return;
    std::atomic<bool> locked{false};
    std::atomic<bool> forked{false};
    const std::thread::id this_thread = std::this_thread::get_id();
    const AtTestPoints points([&](std::string_view point) {
      if (point != "queue: locked" || std::this_thread::get_id() == this_thread) return;
      locked = true;
      while (!forked) std::this_thread::yield();
    });
    std::thread other([&cache] { (void)cache.put("other", 1); });
    while (!locked) std::this_thread::yield();
    child_ = ::fork();
    if (child_ == 0) {
      ::alarm(kChildSeconds);  // ends a child that hangs
      other.detach();          // this thread exists only in the parent
      return;
    }
    forked = true;
    other.join();
    int status = 0;
    CHECK(::waitpid(child_, &status, 0) == child_);
    child_returned_ = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  void end_child() const {
    if (child_ == 0) ::_exit(0);
  }
  [[nodiscard]] bool child_returned() const { return child_returned_; }

 private:
  static constexpr unsigned kChildSeconds = 20;

  std::atomic<bool> is_armed_{false};
  pid_t child_ = -1;
  bool child_returned_ = false;
};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a forked child's calls count as misses and the parent continues") {
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "manual"));
      CacheFixture f;
      if (thread) f.use_thread();
      CHECK(f->put("k", 1));
      f->flush();
      CHECK(f->put("pending", 1));
      const ChildEnd end = in_child([&] { return answers_of(f.cache()); });
      CHECK(end.exit_code == 0);
      CHECK(end.said == misses_alone() + "4 4");
      CHECK(f->get<int>("k") == 1);
      CHECK(f->get<int>("pending") == 1);
      CHECK(f->put("after", 2));
      f->flush();
      CHECK(f.shell("SELECT cache_key FROM cache_entries ORDER BY 1") == "after\nk\npending\n");
    }
  }

  TEST_CASE("a forked child's close and destructor do not affect the parent's file") {
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "manual"));
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
      // The parent still holds the lock after a shell and another process opened the file.
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

  TEST_CASE("a forked child may open its own cache on a file that is not open in the parent") {
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

  TEST_CASE("the health and the errors of a forked child name the fork") {
    CacheFixture f;
    Cache& cache = f.cache();
    const ChildEnd end = in_child([&]() -> std::string {
      const auto error = thrown_by([&] { cache.flush(); });
      return cache.health().last_error + " | " + (error ? error->what() : "nothing");
    });
    const std::string fork = f.path + ": this process was forked after the cache was opened";
    CHECK_MESSAGE(end.said.starts_with(fork), end.said);
    CHECK_MESSAGE(has(end.said, " | flush failed: " + fork), end.said);
    CHECK(f->health().last_error.empty());
  }

  TEST_CASE("a forked child cannot open a file that its parent had open, not even to read it") {
    CacheFixture f;
    (void)f.cache();
    for (const Access access : {Access::read_write, Access::read_only}) {
      const ChildEnd end = in_child([&]() -> std::string {
        f.cache().close();
        Options options = f.options;
        options.access = access;
        const auto error = thrown_by([&] { const Cache mine(f.path, options); });
        return error ? std::string(to_string(error->code())) + ' ' + error->what() : "nothing";
      });
      CHECK_MESSAGE(end.said.starts_with("file_in_use "), end.said);
      CHECK_MESSAGE(has(end.said, "was opened before this process was forked"), end.said);
    }
  }

  TEST_CASE("a child forked beside a worker that writes opens and loads its own cache") {
    const Watchdog watchdog("a fork beside a worker");
    CacheFixture f;
    f.use_thread();
    f.options.timing.flush_interval = 0s;
    Cache& cache = f.cache();
    Users users;
    users.add(
        [&](int i) { (void)cache.put("k" + std::to_string(i % 1000), std::string(500, 'x')); });
    users.wait_for_all();
    Options options = f.options;
    // ThreadSanitizer ends a forked child that starts a thread.
    if (kIsSanitized) options.hooks.worker = WorkerMode::manual;
    for (int round = 0; round < 50; ++round) {
      const ChildEnd end = in_child([&] {
        Cache mine(f.dir.path("child.db"), options);
        const int loaded = mine.get_or_compute("a", [] { return 1; });
        mine.flush();
        return std::to_string(loaded + mine.get<int>("a").value_or(0));
      });
      CHECK(end.exit_code == 0);
      CHECK(end.said == "2");
    }
  }

  TEST_CASE("a child forked by a hook does not wait for a mutex of another thread") {
    const Watchdog watchdog("a hook that forks");
    using Call = std::function<void(Cache&)>;
    const std::string large(10'000, 'x');
    const std::vector<std::pair<std::string, Call>> calls = {
        {"put that waits for space",
         [&](Cache& cache) {
           for (int i = 0; i < 8; ++i) (void)cache.put("p" + std::to_string(i), large);
         }},
        {"erase",
         [](Cache& cache) {
           (void)cache.erase_many({"k", "l"});
         }},
        {"erase_prefix", [](Cache& cache) { (void)cache.erase_prefix("k"); }},
        {"get_or_compute_many",
         [&](Cache& cache) {
           (void)cache.get_or_compute_many<std::string>(numbered("c", 8), [&](auto keys) {
             return std::vector<std::string>(keys.size(), large);
           });
         }},
        {"flush",
         [](Cache& cache) {
           (void)cache.put("k", 2);
           (void)code_thrown_by([&] { cache.flush(); });
         }},
        {"run_maintenance",
         [](Cache& cache) {
           (void)cache.put("k", 2);
           (void)cache.run_maintenance(1s);
         }},
    };
    for (const auto& named : calls) {
      INFO(named.first);
      ForkingHook hook;
      CacheFixture f;
      f.options.limits.max_entries = 2;
      f.options.queue_bytes = 64 * 1024;
      f.options.hooks.on_removal = [&](const Removal&) { hook.fork(f.cache()); };
      CHECK(f->put("k", 1));
      CHECK(f->put("l", 1));
      f->flush();
      hook.arm();
      named.second(f.cache());
      hook.end_child();
      CHECK(hook.child_returned());
    }
  }

  TEST_CASE("a child forked while threads use the cache does not hang") {
    const Watchdog watchdog("a fork among threads");
    CacheFixture f({.memory_bytes = 0});
    f.use_thread();
    f.options.timing.flush_interval = 0s;
    Cache& cache = f.cache();
    Registry registry(cache);
    auto& posts = registry.resource<Post>("Post", &Post::id);
    const auto twice = posts.calculation("twice", [](const Post& post) { return 2 * post.id; });
    posts.cache_calculation("twice", {});
    auto& pages = registry.resource<Page>("Page", &Page::id);
    const auto unused = pages.calculation("unused", [](const Page& page) { return page.id; });
    pages.cache_calculation("unused", {});
    const std::vector<std::string> keys = numbered("k", 100);
    {
      Users users;
      users.add([&](int i) { (void)cache.put(keys[static_cast<std::size_t>(i) % 100], i); });
      users.add([&](int) { (void)cache.get_many<int>(keys); });
      users.add([&](int i) { CHECK(twice({{i % 50}, {i % 7}}).at(1) == 2 * (i % 7)); });
      users.add([&](int) { cache.for_each("", [](const EntryInfo&) {}); });
      users.add([&](int i) { (void)cache.erase_prefix(i % 9 == 0 ? "Post" : "k1"); });
      users.add([&](int) { (void)code_thrown_by([&] { (void)cache.check(); }); });
      users.wait_for_all();
      for (int round = 0; round < 20; ++round) {
        const ChildEnd end = in_child([&] {
          return answers_of(cache) + ' ' + std::to_string(unused.stats().hits) + ", " +
                 std::to_string(twice(Post{4})) + " computed";
        });
        CHECK(end.exit_code == 0);
        CHECK_MESSAGE(end.said.starts_with(misses_alone()), end.said);
        CHECK_MESSAGE(end.said.ends_with(", 8 computed"), end.said);
      }
    }
    CHECK(f->check().ok);
  }
}
