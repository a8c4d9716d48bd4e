#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "stale_fixture.hpp"
#include "support/rendezvous.hpp"

// Stale-while-revalidate.

using namespace ashmemo;
using namespace std::chrono_literals;
using test::Blog;
using test::Calls;
using test::kSie;
using test::kSwr;
using test::Post;
using test::posts_up_to;
using test::rounds;
using test::Source;

TEST_SUITE("unit") {
  TEST_CASE("46 a stale page is answered at once and refreshed by one call in the background") {
    Source source(kSwr);
    const std::vector<Post> page = posts_up_to(1'000);
    (void)source.round(page);
    source.next_round(10min);
    CHECK(source.round(page) == rounds(1'000, 1));
    CHECK(source.blog.calls.size() == 1);
    CHECK(source.executor->waiting() == 1);
    CHECK(source.round(page) == rounds(1'000, 1));  // starts no second refresh
    CHECK(source.executor->waiting() == 1);
    CHECK(source.blog.cache.stats().stale_hits == 2'000);
    CHECK(source.executor->run() == 1);
    CHECK(source.blog.calls.size() == 2);
    CHECK(source.blog.calls[1].size() == 1'000);
    CHECK(source.round(page) == rounds(1'000, 2));
    CHECK(source.executor->waiting() == 0);
  }

  TEST_CASE("46 fresh, stale and missing records of one page") {
    Source source(kSwr);
    const std::vector<Post> all = posts_up_to(3);
    (void)source.round(all[0]);
    source.next_round(6min);
    (void)source.round(all[1]);
    source.next_round(6min);
    CHECK(source.round(all) == std::vector<int>{1, 2, 3});
    CHECK(source.blog.calls == Calls{{1}, {2}, {3}});
    (void)source.executor->run();
    CHECK(source.blog.calls.back() == std::vector<std::int64_t>{1});
    CHECK(source.round(all) == std::vector<int>{3, 2, 3});
  }

  TEST_CASE("46 a refresh owns its records and arguments, and runs on its own thread") {
    Blog blog;
    test::Events events;
    std::atomic<int> calls{0};
    auto excerpt = blog.posts.calculation("excerpt", [&](const Post& post, const std::string& end) {
      if (++calls == 2) events.wait_for("gone");
      std::string text = post.content + end;
      if (calls == 2) events.happened("done");
      return text;
    });
    blog.posts.cache_calculation("excerpt", kSwr);
    {
      const std::vector<Post> page = {{1, "a rather long text, not in the string itself", 0}};
      const std::string end(100, '!');
      (void)excerpt(page, end);
      blog.clock->advance(11min);
      CHECK(excerpt(page, end).front().size() == 144);
    }
    events.happened("gone");
    events.wait_for("done");
    blog.cache.close();  // waits for the task
    CHECK(calls == 2);
  }

  TEST_CASE("46 past the window a load computes") {
    Source source(kSwr);
    (void)source.round(Post{1, {}, 0});
    source.next_round(70min);
    CHECK(source.round(Post{1, {}, 0}) == 2);
    CHECK(source.executor->waiting() == 0);
  }

  TEST_CASE(
      "47 a refresh that fails keeps the old value, is told, and is not tried again at once") {
    Source source(kSwr);
    const Post one{1, {}, 0};
    (void)source.round(one);
    source.next_round(10min);
    source.failing = true;
    int calls = 1;
    // The pauses: 1, 2, 4, 8, 16, 32, 60, 60, ... seconds.
    for (const int pause : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
      CHECK(source.round(one) == 1);
      (void)source.executor->run();
      CHECK(source.blog.calls.size() == static_cast<std::size_t>(++calls));
      source.blog.clock->advance(std::chrono::seconds(pause) - 1us);
      CHECK(source.round(one) == 1);
      CHECK(source.executor->waiting() == 0);
      source.blog.clock->advance(1us);
    }
    (void)source.blog.cache.run_maintenance();
    REQUIRE(source.told.size() == 1);
    CHECK(test::contains(source.told[0], "round"));
    CHECK(test::contains(source.told[0], "the source is down"));
    source.failing = false;
    CHECK(source.round(one) == 1);
    (void)source.executor->run();
    CHECK(source.round(one) == 2);
  }

  TEST_CASE("47 a source that is down for an hour: stale values all the hour, few calls") {
    Source source({.ttl = 10min, .stale_while_revalidate = 2h});
    const Post one{1, {}, 0};
    (void)source.round(one);
    source.next_round(10min);
    source.failing = true;
    for (int second = 0; second < 3'600; ++second) {
      REQUIRE(source.round(one) == 1);
      (void)source.executor->run();
      source.blog.clock->advance(1s);
    }
    CHECK(source.blog.calls.size() - 1 <= 66);
    CHECK(source.blog.calls.size() - 1 >= 60);
  }

  TEST_CASE("47 refreshes that were asked for together fail as one") {
    Source source(kSwr);
    const std::vector<Post> page = posts_up_to(16);
    (void)source.round(page);
    source.next_round(10min);
    source.failing = true;
    for (const Post& post : page) (void)source.round(post);
    CHECK(source.executor->run() == 16);
    CHECK(source.blog.calls.size() == 2);  // the others find that it pauses
    source.blog.clock->advance(1s - 1us);
    (void)source.round(page);
    CHECK(source.executor->waiting() == 0);
    source.blog.clock->advance(1us);
    (void)source.round(page);
    CHECK(source.executor->waiting() == 1);
  }

  TEST_CASE("47 callers whose calculation fails at the same time pause it as one does") {
    constexpr int kCallers = 16;
    Blog blog;
    test::Events events;
    std::atomic<bool> failing{false};
    std::atomic<int> calls{0};
    auto wild = blog.posts.calculation("wild", [&](const Post& post) {
      ++calls;
      if (!failing) return post.id;
      events.happened("computing");
      events.wait_for("computing", kCallers);
      throw std::runtime_error("the source is down");
    });
    blog.posts.cache_calculation("wild", kSie);
    const std::vector<Post> page = posts_up_to(kCallers);
    (void)wild(page);
    failing = true;
    blog.clock->advance(10min);
    std::vector<std::thread> callers;
    for (const Post& post : page) callers.emplace_back([&wild, &post] { (void)wild(post); });
    for (std::thread& caller : callers) caller.join();
    CHECK(calls == 2 * kCallers);

    blog.clock->advance(1s - 1us);
    (void)wild(page[0]);
    CHECK(calls == 2 * kCallers);  // it pauses
    failing = false;
    blog.clock->advance(1us);
    (void)wild(page[0]);
    CHECK(calls == 2 * kCallers + 1);
  }

  TEST_CASE("48 put, erase, clear and invalidation before or during a refresh win") {
    for (const bool during : {false, true}) {
      for (int what = 0; what < 4; ++what) {
        INFO(during << ' ' << what);
        Source source(kSwr);
        const Post one{1, {}, 0};
        Cache& cache = source.blog.cache;
        const auto change = [&] {
          if (what == 0) CHECK(cache.put("Post:1:round", 99));
          if (what == 1) (void)cache.erase("Post:1:round");
          if (what == 2) (void)cache.clear();
          if (what == 3) source.round.invalidate_all();
        };
        (void)source.round(one);
        source.next_round(10min);
        CHECK(source.round(one) == 1);
        if (during) {
          std::atomic<bool> done{false};
          const test::AtTestPoints points([&](std::string_view point) {
            if (point == "load: keeps" && !done.exchange(true)) change();
          });
          (void)source.executor->run();
        } else {
          change();
          (void)source.executor->run();
        }
        CHECK(cache.get<int>("Post:1:round") == (what == 0 ? std::optional(99) : std::nullopt));
      }
    }
  }

  TEST_CASE("a refresh that has not begun holds nobody up") {
    Source source(kSwr);
    const Post one{1, {}, 0};
    (void)source.round(one);
    source.next_round(10min);
    CHECK(source.round(one) == 1);
    (void)source.blog.cache.clear();
    CHECK(source.round(one) == 2);
    CHECK(source.executor->run() == 1);
    CHECK(source.blog.calls.size() == 2);  // what is fresh by now is left alone
  }

  TEST_CASE("a refresh that is left over when the cache has closed does nothing") {
    Source source(kSwr);
    (void)source.round(Post{1, {}, 0});
    source.next_round(10min);
    (void)source.round(Post{1, {}, 0});
    source.blog.cache.close();
    CHECK(source.executor->run() == 1);
    CHECK(source.blog.calls.size() == 1);
  }

  TEST_CASE("46 a record that cannot be copied takes nothing away from the page") {
    struct Stubborn {
      explicit Stubborn(int number) : id(number) {}
      Stubborn(const Stubborn& other) : id(other.id) { throw std::runtime_error("stubborn"); }
      int id;
    };
    auto executor = std::make_shared<test::ManualExecutor>();
    Options options;
    options.hooks.executor = executor;
    Blog blog(options);
    auto& stubborn = blog.registry.resource<Stubborn>("Stubborn", &Stubborn::id);
    auto id = stubborn.calculation("id", [](const Stubborn& one) { return one.id; });
    stubborn.cache_calculation("id", kSwr);
    const Stubborn one(7);
    CHECK(id(one) == 7);
    blog.clock->advance(10min);
    for (int i = 0; i < 2; ++i) CHECK(id(one) == 7);
    CHECK(executor->waiting() == 0);
  }

  TEST_CASE("46 a read-only cache answers with what is stale and refreshes nothing") {
    Blog blog;
    (void)blog.cached_length(kSwr)(Post{1, "a", 0});
    blog.cache.close();
    blog.clock->advance(10min);
    auto executor = std::make_shared<test::ManualExecutor>();
    Options options;
    options.hooks.clock = blog.clock;
    options.hooks.executor = executor;
    options.access = Access::read_only;
    Cache reading(blog.dir.path("blog.db"), options);
    Registry registry(reading);
    auto& posts = registry.resource<Post>("Post", &Post::id);
    auto length = posts.calculation(
        "length", [](Records<Post> batch) { return std::vector<int>(batch.size(), 99); });
    posts.cache_calculation("length", kSwr);
    CHECK(length(Post{1, "a", 0}) == 1);
    CHECK(executor->waiting() == 0);
  }

  TEST_CASE("49 a refresh to nothing is stored as such, or removes the entry if that is not kept") {
    for (const bool kept : {true, false}) {
      auto executor = std::make_shared<test::ManualExecutor>();
      Options options;
      options.hooks.executor = executor;
      Blog blog(options);
      bool gone = false;
      auto found = blog.posts.calculation(
          "found", [&](const Post& post) { return gone ? std::nullopt : std::optional(post.id); });
      CachePolicy policy = kSwr;
      if (!kept) policy.negative_ttl = Duration();
      blog.posts.cache_calculation("found", policy);
      CHECK(found(Post{1, {}, 0}) == 1);
      gone = true;
      blog.clock->advance(10min);
      CHECK(found(Post{1, {}, 0}) == 1);
      (void)executor->run();
      CHECK_FALSE(found(Post{1, {}, 0}).has_value());
      CHECK(blog.cache.contains("Post:1:found") == kept);
    }
  }
}
