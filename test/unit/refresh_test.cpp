#include <doctest/doctest.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "stale_fixture.hpp"
#include "support/cache_fixture.hpp"
#include "support/manual_executor.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

// Background refreshes: the scope that they inherit, and how they and their executors end.

using namespace ashmemo;
using namespace std::chrono_literals;
using test::Blog;
using test::kSwr;
using test::options_with;
using test::Post;
using test::posts_up_to;
using test::WithExecutor;

namespace {

/// Runs each task on a separate thread. The destructor waits for the threads.
class Threads final : public Executor {
 public:
  explicit Threads(test::Events& events) : events_(events) {}
  ~Threads() override {
    events_.happened("executor ends");
    for (std::thread& thread : threads_) thread.join();
  }
  void post(std::function<void()> task) override { threads_.emplace_back(std::move(task)); }

 private:
  test::Events& events_;
  std::vector<std::thread> threads_;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a refresh and its nested loads use the scope of the load that requested it") {
    WithExecutor with;
    Blog& blog = with.blog;
    std::string tenant = "acme";
    int asked = 0;
    blog.posts.scope([&] { return ++asked, tenant; });
    int round = 1;
    auto inner = blog.posts.calculation("inner", [&](const Post&) { return round; });
    auto outer = blog.posts.calculation("outer", [&](const Post& post) {
      return inner(post) * 10 + inner.cached(post).value_or(0);
    });
    blog.posts.cache_calculation("inner", {.ttl = 5min});
    blog.posts.cache_calculation("outer", kSwr);
    const Post one{1, {}, 0};
    CHECK(outer(one) == 11);
    CHECK(asked == 3);
    blog.clock->advance(10min);
    round = 2;
    CHECK(outer(one) == 11);
    tenant = "other";
    asked = 0;
    std::thread([&] { (void)with.executor->run(); }).join();
    CHECK(asked == 0);
    CHECK(blog.cache.get<int>("Post:1:outer@acme") == 22);
    CHECK(blog.cache.get<int>("Post:1:inner@acme") == 2);
    CHECK_FALSE(blog.cache.contains("Post:1:inner@other"));
    CHECK(outer.key(one) == "Post:1:outer@other");  // the refresh alone uses the scope of its load
    CHECK(asked == 1);
  }

  TEST_CASE("a stale load nested in a refresh is refreshed in the same scope") {
    WithExecutor with;
    Blog& blog = with.blog;
    std::string tenant = "acme";
    blog.posts.scope([&] { return tenant; });
    int round = 1;
    auto inner = blog.posts.calculation("inner", [&](const Post&) { return round; });
    auto outer = blog.posts.calculation("outer", [&](const Post& post) { return inner(post); });
    blog.posts.cache_calculation("inner", kSwr);
    blog.posts.cache_calculation("outer", kSwr);
    CHECK(outer(Post{1, {}, 0}) == 1);
    blog.clock->advance(10min);
    round = 2;
    CHECK(outer(Post{1, {}, 0}) == 1);
    tenant = "other";
    CHECK(with.executor->run() == 1);
    CHECK(with.executor->run() == 1);
    CHECK(blog.cache.get<int>("Post:1:inner@acme") == 2);
    CHECK_FALSE(blog.cache.contains("Post:1:inner@other"));
  }

  TEST_CASE("a refresh does not store a result that was invalidated after its request") {
    WithExecutor with;
    Blog& blog = with.blog;
    auto length = blog.cached_length(kSwr);
    Post one{1, "x", 0};
    CHECK(length(one) == 1);
    blog.clock->advance(10min);
    CHECK(length(one) == 1);  // requests the refresh, which copies this record
    one.content = "xxx";
    blog.posts.invalidate(one);
    CHECK(length(one) == 3);
    blog.clock->advance(10min);
    CHECK(with.executor->run() == 1);
    CHECK(blog.calls.size() == 2);
    CHECK(length(one) == 3);
  }

  TEST_CASE("a queued refresh stays queued after thousands of removals of other keys") {
    WithExecutor with;
    Blog& blog = with.blog;
    auto length = blog.cached_length(kSwr);
    CHECK(length(Post{1, "x", 0}) == 1);
    blog.clock->advance(10min);
    CHECK(length(Post{1, "x", 0}) == 1);
    for (int i = 0; i < 1'100; ++i) {
      blog.posts.invalidate(Post{100 + i, {}, 0});
      (void)blog.cache.erase("other " + std::to_string(i));
    }
    CHECK(with.executor->run() == 1);
    CHECK(blog.calls.size() == 2);
    CHECK(length(Post{1, "x", 0}) == 1);
    CHECK(with.executor->waiting() == 0);
  }

  TEST_CASE("a finished result of a run that has not ended does not answer after its ttl") {
    const test::Watchdog watchdog("a load during a refresh that has not ended");
    WithExecutor with;
    Blog& blog = with.blog;
    int round = 1;
    int calls = 0;
    int loaded = 0;
    Calculation<Post, int> count;
    count = blog.posts.calculation("count", [&](const Post& post) {
      const int result = round;
      ++calls;
      if (round == 2 && post.id == 2) {
        round = 3;
        blog.clock->advance(2h);
        std::thread([&] { loaded = count(Post{1, {}, 0}); }).join();
      }
      return result;
    });
    blog.posts.cache_calculation("count", kSwr);
    (void)count(posts_up_to(2));
    blog.clock->advance(10min);
    (void)count(posts_up_to(2));
    round = 2;
    CHECK(with.executor->run() == 1);
    CHECK(loaded == 3);
    CHECK(calls == 5);
    CHECK(count(Post{1, {}, 0}) == 3);  // the older result of the refresh was not stored
    CHECK(calls == 5);
  }

  TEST_CASE(
      "a refresh of single records stores its results once a second and releases their keys") {
    WithExecutor with;
    Blog& blog = with.blog;
    int round = 1;
    Calculation<Post, int> count;
    count = blog.posts.calculation("count", [&](const Post& post) {
      if (round == 2 && post.id == 2) blog.clock->advance(2s);
      if (round == 2 && post.id == 3) {
        CHECK(blog.cache.get<int>("Post:1:count") == 2);
        CHECK(blog.cache.get<int>("Post:2:count") == 2);
        CHECK(blog.cache.get<int>("Post:3:count") == 1);
        blog.clock->advance(10min);
        (void)count(posts_up_to(3));
        CHECK(with.executor->waiting() == 1);
      }
      return round;
    });
    blog.posts.cache_calculation("count", kSwr);
    (void)count(posts_up_to(3));
    blog.clock->advance(10min);
    (void)count(posts_up_to(3));
    round = 2;
    CHECK(with.executor->run() == 1);
    CHECK(blog.cache.get<int>("Post:3:count") == 2);
    round = 3;
    CHECK(with.executor->run() == 1);
    CHECK(count(posts_up_to(3)) == std::vector<int>{3, 3, 2});
  }

  TEST_CASE("a stale load requests a new refresh after the executor dropped the last one") {
    WithExecutor with;
    Blog& blog = with.blog;
    auto length = blog.cached_length(kSwr);
    const std::vector<Post> page = posts_up_to(3);
    (void)length(page);
    blog.clock->advance(10min);
    for (int i = 0; i < 3; ++i) {
      CHECK(length(page) == std::vector<int>{1, 2, 3});
      CHECK(with.executor->drop() == 1);
    }
    CHECK(blog.calls.size() == 1);
    (void)length(page);
    CHECK(with.executor->run() == 1);
    CHECK(blog.calls.size() == 2);
    (void)length(page);
    CHECK(with.executor->waiting() == 0);
  }

  TEST_CASE("a refresh whose thread cannot start is reported and can be requested again") {
    test::Events events;
    int notices = 0;
    Options options;
    options.hooks.on_error = [&](const Notice& notice) {
      notices += notice.kind == NoticeKind::calculation_failed ? 1 : 0;
    };
    Blog blog(options);
    std::atomic<int> calls{0};
    auto count = blog.posts.calculation("count", [&](const Post&) {
      if (calls == 1) events.happened("refreshed");
      return ++calls;
    });
    blog.posts.cache_calculation("count", kSwr);
    const Post one{1, {}, 0};
    CHECK(count(one) == 1);
    blog.clock->advance(10min);
    {
      const test::AtTestPoints points([](std::string_view point) {
        if (point != "background: starts a thread") return;
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      });
      for (int i = 0; i < 2; ++i) CHECK(count(one) == 1);
    }
    (void)blog.cache.run_maintenance();
    CHECK(notices == 1);
    CHECK(calls == 1);
    CHECK(count(one) == 1);
    events.wait_for("refreshed");
    blog.cache.close();  // waits for the task
    CHECK(calls == 2);
  }

  TEST_CASE("a refresh that hangs delays no refresh of other records or other calculations") {
    const test::Watchdog watchdog("a refresh that hangs");
    test::Events events;
    Blog blog;
    std::atomic<bool> refreshes{false};
    const auto number = [&](const std::string& name) {
      return blog.posts.calculation(name, [&, name](const Post& post) {
        if (refreshes) events.happened(name + std::to_string(post.id) + " begins");
        if (refreshes && name == "hangs" && post.id == 1) events.wait_for("released");
        return post.id;
      });
    };
    auto hangs = number("hangs");
    auto other = number("other");
    blog.posts.cache_calculation("hangs", kSwr);
    blog.posts.cache_calculation("other", kSwr);
    (void)blog.posts.load(posts_up_to(2), hangs, other);
    blog.clock->advance(10min);
    refreshes = true;
    CHECK(hangs(Post{1, {}, 0}) == 1);
    events.wait_for("hangs1 begins");
    CHECK(hangs(Post{2, {}, 0}) == 2);
    events.wait_for("hangs2 begins");
    CHECK(other(Post{1, {}, 0}) == 1);
    events.wait_for("other1 begins");
    events.happened("released");
  }

  TEST_CASE("threads that end inside refreshes end alone and later refreshes run") {
    const test::Watchdog watchdog("refreshes that end their threads");
    constexpr int kEnded = 20;  // more than the pool has threads
    std::atomic<int> calls{0};
    Blog blog;
    auto count = blog.posts.calculation("count", [&](const Post&) {
      const int call = ++calls;
      if (call > 1 && call <= kEnded + 1) ::pthread_exit(nullptr);
      return call;
    });
    blog.posts.cache_calculation("count", kSwr);
    const Post one{1, {}, 0};
    CHECK(count(one) == 1);
    blog.clock->advance(10min);
    CHECK(test::becomes_true([&] { return count(one) == kEnded + 2; }));
  }

  TEST_CASE("close leaves a refresh that hangs alone after close_wait and reports it") {
    const test::Watchdog watchdog("closing while a refresh hangs");
    const auto events = std::make_shared<test::Events>();
    std::vector<std::string> notices;
    {
      Options options;
      options.timing.close_wait = 1ms;
      options.hooks.on_error = [&](const Notice& notice) { notices.push_back(notice.what); };
      Blog blog(options);
      const auto calls = std::make_shared<std::atomic<int>>(0);
      auto hangs = blog.posts.calculation("hangs", [events, calls](const Post&) {
        if (++*calls == 2) {
          events->happened("begins");
          events->wait_for("released");
          events->happened("ends");
        }
        return calls->load();
      });
      blog.posts.cache_calculation("hangs", kSwr);
      CHECK(hangs(Post{1, {}, 0}) == 1);
      blog.clock->advance(10min);
      CHECK(hangs(Post{1, {}, 0}) == 1);
      events->wait_for("begins");
      blog.cache.close();
      CHECK(blog.cache.health().state == HealthState::closed);
    }
    REQUIRE(notices.size() == 1);
    CHECK(test::contains(notices[0], "refresh still runs"));
    events->happened("released");
    events->wait_for("ends");
    CHECK(test::becomes_true([&] { return events.use_count() == 1; }));
  }

  TEST_CASE("a load waits a minute for a refresh that hangs and then computes the result") {
    const test::Watchdog watchdog("a load that waits for a refresh that hangs");
    test::Events events;
    Blog blog;
    int waits = 0;
    const test::AtTestPoints points([&](std::string_view point) {
      if (point != "load: waits") return;
      ++waits;
      blog.clock->advance(1min);
    });
    std::atomic<int> calls{0};
    auto hangs = blog.posts.calculation("hangs", [&](const Post&) {
      const int call = ++calls;
      if (call == 2) {
        events.happened("begins");
        events.wait_for("released");
      }
      return call;
    });
    blog.posts.cache_calculation("hangs", kSwr);
    CHECK(hangs(Post{1, {}, 0}) == 1);
    blog.clock->advance(10min);
    CHECK(hangs(Post{1, {}, 0}) == 1);
    events.wait_for("begins");
    blog.clock->advance(2h);
    CHECK(hangs(Post{1, {}, 0}) == 3);
    CHECK(waits == 1);
    events.happened("released");
  }

  TEST_CASE("the stats count refreshes that newer requests pushed out of the queue") {
    WithExecutor with;
    Blog& blog = with.blog;
    auto length = blog.cached_length(kSwr);
    const std::vector<Post> page = posts_up_to(1'200);
    (void)length(page);
    blog.clock->advance(10min);
    for (const Post& post : page) (void)length(post);
    CHECK(blog.cache.stats().refreshes_dropped == 200);
    blog.calls.clear();
    while (with.executor->run() != 0) {
    }
    REQUIRE(blog.calls.size() == 1'000);
    CHECK(blog.calls.front() == std::vector<std::int64_t>{1'200});
    CHECK(blog.calls.back() == std::vector<std::int64_t>{201});
  }

  TEST_CASE("close inside a calculation does not deadlock with a refresh that waits for it") {
    const test::Watchdog watchdog("closing inside a calculation");
    test::Events events;
    const test::AtTestPoints points([&](std::string_view point) {
      if (point == "load: waits") events.happened("refresh waits");
    });
    Blog blog;
    std::atomic<int> inner_runs{0};
    std::atomic<int> outer_runs{0};
    auto inner = blog.posts.calculation("inner", [&](const Post&) {
      const int run = ++inner_runs;
      if (run > 1) return run;
      events.happened("inner runs");
      events.wait_for("refresh waits");
      blog.cache.close();
      return run;
    });
    auto outer = blog.posts.calculation("outer", [&](const Post&) {
      if (++outer_runs == 1) return 0;
      events.wait_for("inner runs");
      return inner(Post{2, {}, 0});
    });
    blog.posts.cache_calculation("inner", {});
    blog.posts.cache_calculation("outer", kSwr);
    CHECK(outer(Post{1, {}, 0}) == 0);
    blog.clock->advance(10min);
    CHECK(outer(Post{1, {}, 0}) == 0);
    CHECK(inner(Post{2, {}, 0}) == 1);
    CHECK(inner_runs == 2);
    CHECK(outer_runs == 2);
  }

  TEST_CASE(
      "a second close inside a refresh does not wait, because the first waits for the refresh") {
    const test::Watchdog watchdog("closing inside a refresh");
    test::Events events;
    Options options;
    options.timing.close_wait = 1h;
    Blog blog(options);
    int calls = 0;
    auto closes = blog.posts.calculation("closes", [&](const Post&) {
      if (++calls == 2) {
        events.happened("begins");
        CHECK(test::becomes_true([&] { return !blog.cache.put("k", 1); }));
        blog.cache.close();
        events.happened("returned");
      }
      return calls;
    });
    blog.posts.cache_calculation("closes", kSwr);
    CHECK(closes(Post{1, {}, 0}) == 1);
    blog.clock->advance(10min);
    CHECK(closes(Post{1, {}, 0}) == 1);
    events.wait_for("begins");
    blog.cache.close();
    CHECK(events.times("returned") == 1);
  }

  TEST_CASE(
      "close inside a loader of another cache does not deadlock with a refresh that waits for it") {
    const test::Watchdog watchdog("closing inside a loader of another cache");
    test::Events events;
    const test::AtTestPoints points([&](std::string_view point) {
      if (point == "load: waits") events.happened("refresh waits");
    });
    Blog other;
    Blog blog;
    std::atomic<int> inner_runs{0};
    std::atomic<int> outer_runs{0};
    const auto inner = [&] {
      return other.cache.get_or_compute("inner", [&] {
        const int run = ++inner_runs;
        if (run > 1) return run;
        events.happened("inner runs");
        events.wait_for("refresh waits");
        blog.cache.close();
        return run;
      });
    };
    auto outer = blog.posts.calculation("outer", [&](const Post&) {
      if (++outer_runs == 1) return 0;
      events.wait_for("inner runs");
      return inner();
    });
    blog.posts.cache_calculation("outer", kSwr);
    CHECK(outer(Post{1, {}, 0}) == 0);
    blog.clock->advance(10min);
    CHECK(outer(Post{1, {}, 0}) == 0);
    CHECK(inner() == 1);
    CHECK(inner_runs == 2);
    CHECK(outer_runs == 2);
  }

  TEST_CASE("an executor that only the cache holds is destroyed with the cache") {
    const test::Watchdog watchdog("an executor that only the cache holds");
    test::Events events;
    std::atomic<int> calls{0};
    std::weak_ptr<Threads> executor;
    {
      auto own = std::make_shared<Threads>(events);
      executor = own;
      Blog blog(options_with(std::move(own)));
      auto count = blog.posts.calculation("count", [&](const Post&) {
        if (++calls == 2) {
          events.happened("refreshes");
          events.wait_for("executor ends");
        }
        return 1;
      });
      blog.posts.cache_calculation("count", kSwr);
      CHECK(count(Post{1, {}, 0}) == 1);
      blog.clock->advance(10min);
      CHECK(count(Post{1, {}, 0}) == 1);
      events.wait_for("refreshes");
    }
    CHECK(executor.expired());
    CHECK(events.times("executor ends") == 1);
  }

  TEST_CASE("refreshes that never run do not keep the executor or the cache alive") {
    std::weak_ptr<test::ManualExecutor> executor;
    {
      auto own = std::make_shared<test::ManualExecutor>();
      executor = own;
      Blog blog(options_with(std::move(own)));
      auto length = blog.cached_length(kSwr);
      (void)length(posts_up_to(2));
      blog.clock->advance(10min);
      (void)length(posts_up_to(2));
      CHECK(executor.lock()->waiting() == 1);
    }
    CHECK(executor.expired());
  }
}
