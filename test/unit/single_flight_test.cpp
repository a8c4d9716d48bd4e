#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "blog_fixture.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

// Several callers request the same results at the same time.

using namespace ashmemo;
using namespace std::chrono_literals;
using test::AtTestPoints;
using test::Blog;
using test::Events;
using test::Post;
using test::posts_up_to;
using test::Watchdog;

namespace {

/// Counts how many times each record was computed.
class Counted {
 public:
  void add(std::int64_t id) {
    const std::lock_guard lock(mutex_);
    ++times_[id];
  }
  [[nodiscard]] int max_times() const {
    int max_times = 0;
    for (const auto& [id, times] : times_) max_times = std::max(max_times, times);
    return max_times;
  }
  [[nodiscard]] std::size_t size() const { return times_.size(); }
  [[nodiscard]] int of(std::int64_t id) const { return times_.contains(id) ? times_.at(id) : 0; }

 private:
  std::mutex mutex_;
  std::map<std::int64_t, int> times_;
};

/// Two callers of one slow calculation. The second asks while the first computes, and joins it.
struct Pair : Blog {
  template <class First, class Second>
  void run(First first, Second second) {
    const AtTestPoints points([this](std::string_view point) {
      if (point == "load: waits") events.happened("waiting");
    });
    std::thread one(first);
    events.wait_for("computing");
    std::thread two(second);
    one.join();
    two.join();
  }
  /// The body of the slow calculation. Returns once another caller waits for it.
  void compute_until_joined() {
    events.happened("computing");
    events.wait_for("waiting");
  }

  Events events;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("two hundred threads with overlapping pages compute every record once") {
    constexpr int kThreads = 200;
    Blog blog;
    Counted counted;
    std::atomic<int> ready{0};
    auto slow = blog.posts.calculation("slow", [&](Records<Post> batch) {
      std::vector<int> out;
      for (const Post& post : batch) {
        counted.add(post.id);
        out.push_back(static_cast<int>(post.id) * 2);
      }
      return out;
    });
    blog.posts.cache_calculation("slow", {});
    const std::vector<Post> all = posts_up_to(300);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::vector<Post> page(all.begin() + t / 2, all.begin() + t / 2 + 100);
        if (t % 3 == 0) std::reverse(page.begin(), page.end());
        for (++ready; ready < kThreads;) std::this_thread::yield();
        const std::vector<int> got = slow(page);
        for (std::size_t i = 0; i < page.size(); ++i) wrong += got[i] != page[i].id * 2 ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(counted.size() == 199);
    CHECK(counted.max_times() == 1);
    const Stats stats = blog.cache.stats();
    CHECK(stats.computed == 199);
    CHECK(stats.hits + stats.misses == kThreads * 100);
    CHECK(stats.misses == stats.computed + stats.joined);
    blog.cache.flush();
    CHECK(blog.cache.stats().entries == 199);
  }

  TEST_CASE("a caller that joins gets the result even if the cache stores nothing") {
    Options options;
    options.limits.max_entries = 0;
    Blog blog(options);
    Events events;
    auto slow = blog.posts.calculation("slow", [&](const Post& post) {
      events.happened("computing");
      events.wait_for("waiting");
      return post.id;
    });
    blog.posts.cache_calculation("slow", {});
    const AtTestPoints points([&](std::string_view point) {
      if (point == "load: waits") events.happened("waiting");
    });
    std::thread one([&] { CHECK(slow(Post{7, {}, 0}) == 7); });
    events.wait_for("computing");
    CHECK(slow(Post{7, {}, 0}) == 7);
    one.join();
    CHECK(blog.cache.stats().computed == 1);
    CHECK(blog.cache.stats().joined == 1);
  }

  TEST_CASE("get_or_compute joins a calculation but computes a result of another type itself") {
    Pair pair;
    const auto first = [&] {
      CHECK(pair.cache.get_or_compute("k", [&] {
        pair.compute_until_joined();
        return std::string("text");
      }) == "text");
    };
    pair.run(first, [&] { CHECK(pair.cache.get_or_compute("k", [] { return 5; }) == 5); });
    // When two callers compute at once, the value that is stored first is kept.
    const std::string kept = pair.cache.get<int>("k") ? "again" : "text";
    CHECK(pair.cache.get_or_compute("k", [] { return std::string("again"); }) == kept);
  }

  TEST_CASE("callers that join a calculation for one key receive its exception of any type") {
    Pair pair;
    int calls = 0;
    const auto ask = [&] {
      CHECK_THROWS_AS(pair.cache.get_or_compute("k",
                                                [&]() -> int {
                                                  ++calls;
                                                  pair.compute_until_joined();
                                                  throw 42;
                                                }),
                      int);
    };
    pair.run(ask, ask);
    CHECK(calls == 1);
    CHECK(pair.cache.get_or_compute("k", [] { return 1; }) == 1);
  }

  TEST_CASE("a caller that joined a failed batch computes its own records once") {
    Pair pair;
    Counted counted;
    std::atomic<int> calls{0};
    auto wild = pair.posts.calculation("wild", [&](Records<Post> batch) {
      std::vector<int> out;
      for (const Post& post : batch) {
        counted.add(post.id);
        out.push_back(static_cast<int>(post.id));
      }
      if (++calls == 1) {
        pair.compute_until_joined();
        throw std::runtime_error("wild");
      }
      return out;
    });
    pair.posts.cache_calculation("wild", {});
    const std::vector<Post> all = posts_up_to(4);
    pair.run([&] { CHECK_THROWS_AS((void)wild(all), std::runtime_error); },
             [&] {
               CHECK(wild({all[1], all[2]}) == std::vector<int>{2, 3});
             });
    CHECK(calls == 2);
    CHECK(counted.of(1) == 1);
    CHECK(counted.of(2) == 2);
    CHECK(counted.of(3) == 2);
  }

  TEST_CASE("a caller that joined a batch receives the failures of its own records") {
    Pair pair;
    auto fragile = pair.posts.calculation("fragile", [&](Records<Post> batch) {
      pair.compute_until_joined();
      std::vector<Outcome<int>> out;
      for (const Post& post : batch) {
        if (post.id == 2) {
          out.emplace_back(Failed{"two"});
        } else {
          out.emplace_back(static_cast<int>(post.id));
        }
      }
      return out;
    });
    pair.posts.cache_calculation("fragile", {});
    const std::vector<Post> all = posts_up_to(3);
    pair.run([&] { CHECK_THROWS_AS((void)fragile(all), CalculationFailed); },
             [&] {
               try {
                 (void)fragile({all[2], all[1]});
                 FAIL_CHECK("nothing was thrown");
               } catch (const CalculationFailed& failed) {
                 REQUIRE(failed.records().size() == 1);
                 CHECK(failed.records()[0].index == 1);
                 CHECK(failed.records()[0].why == "two");
               }
             });
  }

  TEST_CASE("a caller whose wait ends computes the result itself") {
    Blog blog;
    Events events;
    std::atomic<int> calls{0};
    auto slow = blog.posts.calculation("slow", [&](const Post& post) {
      if (++calls == 1) {
        events.happened("computing");
        events.wait_for("done");
      }
      return post.id;
    });
    blog.posts.cache_calculation("slow", {});
    std::thread one([&] { CHECK(slow(Post{7, {}, 0}) == 7); });
    events.wait_for("computing");
    const std::vector<Post> page = {{7, {}, 0}};
    const auto [mine] = blog.posts.load(page, {.wait = 0s}, slow);
    CHECK(mine == std::vector<std::int64_t>{7});
    CHECK(calls == 2);
    events.happened("done");
    one.join();
  }

  TEST_CASE("two versions of a record are computed separately") {
    Pair pair;
    pair.posts.record_version(&Post::updated_at);
    std::atomic<int> calls{0};
    auto slow = pair.posts.calculation("slow", [&](const Post& post) {
      ++calls;
      if (post.updated_at == 1) {
        pair.events.happened("computing");
        pair.events.wait_for("stored");
      }
      return post.updated_at;
    });
    pair.posts.cache_calculation("slow", {});
    pair.run(
        [&] {
          CHECK(slow(Post{7, {}, 1}) == 1);
        },
        [&] {
          CHECK(slow(Post{7, {}, 2}) == 2);
          pair.events.happened("stored");
        });
    CHECK(calls == 2);
    // The version that was stored while the other was computed remains.
    CHECK(slow.cached(Post{7, {}, 2}) == 2);
    CHECK_FALSE(slow.cached(Post{7, {}, 1}).has_value());
    CHECK(pair.cache.stats().superseded == 1);
  }

  TEST_CASE("a load in a hook does not wait for a caller that waits for the worker") {
    const Watchdog watchdog("a hook that loads");
    Events events;
    std::function<void()> in_hook;
    Options options;
    options.durability = Durability::commit;
    options.hooks.on_removal = [&in_hook](const Removal&) { in_hook(); };
    Blog blog(options, WorkerMode::thread);
    std::atomic<int> calls{0};
    auto slow = blog.posts.calculation("slow", [&](const Post& post) {
      if (++calls == 1) {
        events.happened("computing");
        events.wait_for("hook");
        CHECK(blog.cache.put("from the calculation", 1));  // waits for the worker
      }
      return post.id;
    });
    blog.posts.cache_calculation("slow", {});
    in_hook = [&] {
      if (events.times("hook") > 0) return;
      events.happened("hook");
      CHECK(slow(Post{7, {}, 0}) == 7);
    };
    CHECK(blog.cache.put("other", 1));
    std::thread one([&] { CHECK(slow(Post{7, {}, 0}) == 7); });
    events.wait_for("computing");
    CHECK(blog.cache.erase("other") == 1);
    one.join();
    CHECK(calls == 2);
    blog.cache.close();
  }
}
