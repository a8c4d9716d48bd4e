#include <doctest/doctest.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "stale_fixture.hpp"
#include "support/rendezvous.hpp"

// `stale_while_revalidate`: stale results and their refresh in the background.

using namespace ashmemo;
using namespace std::chrono_literals;
using test::Blog;
using test::Calls;
using test::Fragile;
using test::kSie;
using test::kSwr;
using test::Post;
using test::posts_up_to;
using test::rounds;
using test::Source;
using test::WithExecutor;

TEST_SUITE("unit") {
  TEST_CASE("a stale page is returned at once and refreshed by one call in the background") {
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

  TEST_CASE("a load computes missing records and refreshes only stale ones") {
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

  TEST_CASE("a refresh owns its records and arguments and runs on another thread") {
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

  TEST_CASE("a load computes a result after the stale_while_revalidate period") {
    Source source(kSwr);
    (void)source.round(Post{1, {}, 0});
    source.next_round(70min);
    CHECK(source.round(Post{1, {}, 0}) == 2);
    CHECK(source.executor->waiting() == 0);
  }

  TEST_CASE(
      "a failed refresh keeps the old value, is reported once and is repeated after a pause") {
    Source source(kSwr);
    const Post one{1, {}, 0};
    (void)source.round(one);
    source.next_round(10min);
    source.failing = true;
    int calls = 1;
    // The pauses in seconds.
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
    REQUIRE(source.notices.size() == 1);
    CHECK(test::contains(source.notices[0], "round"));
    CHECK(test::contains(source.notices[0], "the source is down"));
    source.failing = false;
    CHECK(source.round(one) == 1);
    (void)source.executor->run();
    CHECK(source.round(one) == 2);
  }

  TEST_CASE("a source that fails for an hour is called at most 66 times") {
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

  TEST_CASE("refreshes of different records fail and pause each for themselves") {
    Source source(kSwr);
    const std::vector<Post> page = posts_up_to(16);
    (void)source.round(page);
    source.next_round(10min);
    source.failing = true;
    for (const Post& post : page) (void)source.round(post);
    CHECK(source.executor->run() == 16);
    CHECK(source.blog.calls.size() == 17);
    source.blog.clock->advance(1s - 1us);
    (void)source.round(page);
    CHECK(source.executor->waiting() == 0);
    source.blog.clock->advance(1us);
    (void)source.round(page);
    CHECK(source.executor->waiting() == 1);
  }

  TEST_CASE("a record that throws delays no refresh of the other records of its page") {
    for (const std::int64_t broken : {1, 25, 50}) {
      INFO(broken);
      WithExecutor with;
      Blog& blog = with.blog;
      std::int64_t fails = 0;
      std::map<std::int64_t, int> runs;
      auto count = blog.posts.calculation("count", [&](const Post& post) {
        ++runs[post.id];
        if (post.id == fails) throw std::runtime_error("broken");
        return runs[post.id];
      });
      blog.posts.cache_calculation("count", {.ttl = 1min, .stale_while_revalidate = 24h});
      const std::vector<Post> page = posts_up_to(50);
      (void)count(page);
      fails = broken;
      runs.clear();
      for (int second = 0; second < 600; ++second) {
        blog.clock->advance(1s);
        (void)count(page);
        (void)with.executor->run();
      }
      for (const Post& post : page) {
        if (post.id != broken) CHECK(runs[post.id] >= 9);
      }
      CHECK(runs[broken] <= 15);
    }
  }

  TEST_CASE("a record for which a batch returns Failed delays no refresh of the other records") {
    WithExecutor with;
    Blog& blog = with.blog;
    int round = 1;
    auto fragile = blog.posts.calculation("fragile", [&](Records<Post> batch) {
      std::vector<Outcome<int>> results;
      for (const Post& post : batch) {
        if (round > 1 && post.id == 2) {
          results.emplace_back(Failed{"broken"});
        } else {
          results.emplace_back(round);
        }
      }
      return results;
    });
    blog.posts.cache_calculation("fragile", kSwr);
    const std::vector<Post> page = posts_up_to(3);
    (void)fragile(page);
    for (round = 2; round < 6; ++round) {
      blog.clock->advance(10min);
      (void)fragile(page);
      (void)with.executor->run();
      CHECK(fragile(page) == std::vector<int>{round, 1, round});
    }
  }

  TEST_CASE("a few refreshes separate a broken record from the batch that throws because of it") {
    Fragile source({.ttl = 10min, .stale_while_revalidate = 24h});
    const std::vector<Post> page = source.page_with_broken();
    for (const int pause : {1, 2, 4, 8}) {
      (void)source.count(page);
      (void)source.executor->run();
      source.blog.clock->advance(std::chrono::seconds(pause));
    }
    CHECK(source.sizes == std::vector<std::size_t>{8, 4, 4, 2, 2, 1, 1});
    CHECK(source.count(page) == std::vector<int>{2, 2, 2, 2, 2, 1, 2, 2});
  }

  TEST_CASE("a page with a record that is computed refreshes its stale records despite removals") {
    WithExecutor with;
    Blog& blog = with.blog;
    std::vector<std::int64_t> computed;
    auto count = blog.posts.calculation("count", [&](const Post& post) {
      computed.push_back(post.id);
      if (post.id == 11) {
        for (int i = 0; i < 1'100; ++i) (void)blog.cache.erase("other " + std::to_string(i));
        blog.posts.invalidate(Post{10, {}, 0});
      }
      return 1;
    });
    blog.posts.cache_calculation("count", kSwr);
    (void)count(posts_up_to(10));
    blog.clock->advance(10min);
    (void)count(posts_up_to(11));
    computed.clear();
    CHECK(with.executor->run() == 1);
    CHECK(computed == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});
    CHECK_FALSE(blog.cache.contains("Post:10:count"));  // it was removed after the look-up
  }

  TEST_CASE("a failing record is reported once although other records succeed in between") {
    Source source(kSwr);
    const std::vector<Post> page = posts_up_to(2);
    (void)source.round(page);
    source.blog.clock->advance(10min);
    const auto refresh = [&](const Post& post, bool fails) {
      source.failing = fails;
      (void)source.round(post);
      (void)source.executor->run();
      (void)source.blog.cache.run_maintenance();
    };
    for (int second = 0; second < 8; ++second) {
      refresh(page[0], true);
      refresh(page[1], false);
      source.blog.clock->advance(1s);
    }
    CHECK(source.notices.size() == 1);
    source.blog.clock->advance(1min);
    refresh(page[0], false);
    source.blog.clock->advance(10min);
    refresh(page[0], true);
    CHECK(source.notices.size() == 2);
  }

  TEST_CASE("a refresh reports an exception whose text is null") {
    struct Silent : std::exception {
      [[nodiscard]] const char* what() const noexcept override { return nullptr; }
    };
    auto executor = std::make_shared<test::ManualExecutor>();
    std::vector<std::string> notices;
    Options options;
    options.hooks.executor = executor;
    options.hooks.on_error = [&](const Notice& notice) { notices.push_back(notice.what); };
    Blog blog(options);
    bool failing = false;
    auto silent = blog.posts.calculation("silent", [&](const Post&) {
      if (failing) throw Silent();
      return 1;
    });
    blog.posts.cache_calculation("silent", kSwr);
    (void)silent(Post{1, {}, 0});
    failing = true;
    blog.clock->advance(10min);
    CHECK(silent(Post{1, {}, 0}) == 1);
    (void)executor->run();
    (void)blog.cache.run_maintenance();
    REQUIRE(notices.size() == 1);
    CHECK(test::contains(notices[0], "an exception without a text"));
  }

  TEST_CASE("failures of several callers at the same time pause each record once") {
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
    CHECK(calls == 2 * kCallers);  // no call during the pause
    failing = false;
    blog.clock->advance(1us);
    (void)wild(page[0]);
    CHECK(calls == 2 * kCallers + 1);
  }

  TEST_CASE("put, erase, clear and invalidation before or during a refresh discard its result") {
    for (const bool during : {false, true}) {
      for (int operation = 0; operation < 4; ++operation) {
        INFO(during << ' ' << operation);
        Source source(kSwr);
        const Post one{1, {}, 0};
        Cache& cache = source.blog.cache;
        const auto change = [&] {
          if (operation == 0) CHECK(cache.put("Post:1:round", 99));
          if (operation == 1) (void)cache.erase("Post:1:round");
          if (operation == 2) (void)cache.clear();
          if (operation == 3) source.round.invalidate_all();
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
        CHECK(cache.get<int>("Post:1:round") ==
              (operation == 0 ? std::optional(99) : std::nullopt));
      }
    }
  }

  TEST_CASE("a refresh that has not started does not block a load") {
    Source source(kSwr);
    const Post one{1, {}, 0};
    (void)source.round(one);
    source.next_round(10min);
    CHECK(source.round(one) == 1);
    (void)source.blog.cache.clear();
    CHECK(source.round(one) == 2);
    CHECK(source.executor->run() == 1);
    CHECK(source.blog.calls.size() == 2);  // fresh results are not refreshed
  }

  TEST_CASE("a refresh that runs after close does nothing") {
    Source source(kSwr);
    (void)source.round(Post{1, {}, 0});
    source.next_round(10min);
    (void)source.round(Post{1, {}, 0});
    source.blog.cache.close();
    CHECK(source.executor->run() == 1);
    CHECK(source.blog.calls.size() == 1);
  }

  TEST_CASE("a load returns a stale result even if its record cannot be copied") {
    struct Stubborn {
      explicit Stubborn(int number) : id(number) {}
      Stubborn(const Stubborn& other) : id(other.id) { throw std::runtime_error("stubborn"); }
      int id;
    };
    WithExecutor with;
    Blog& blog = with.blog;
    auto& stubborn = blog.registry.resource<Stubborn>("Stubborn", &Stubborn::id);
    auto id = stubborn.calculation("id", [](const Stubborn& one) { return one.id; });
    stubborn.cache_calculation("id", kSwr);
    const Stubborn one(7);
    CHECK(id(one) == 7);
    blog.clock->advance(10min);
    for (int i = 0; i < 2; ++i) CHECK(id(one) == 7);
    CHECK(with.executor->waiting() == 0);
  }

  TEST_CASE("a record whose copy throws pauses and delays no refresh of the other records") {
    struct Wild {
      Wild(int number, int& throws) : id(number), thrown(throws) {}
      Wild(const Wild& other) : id(other.id), thrown(other.thrown) {
        if (id != 2) return;
        ++thrown;
        throw std::runtime_error("wild");
      }
      Wild(Wild&&) = default;
      int id;
      int& thrown;
    };
    WithExecutor with;
    Blog& blog = with.blog;
    int round = 1;
    auto& wild = blog.registry.resource<Wild>("Wild", &Wild::id);
    auto rounds_of = wild.calculation(
        "round", [&](Records<Wild> batch) { return std::vector<int>(batch.size(), round); });
    wild.cache_calculation("round", kSwr);
    int thrown = 0;
    std::vector<Wild> page;
    page.reserve(3);
    for (int id = 1; id <= 3; ++id) page.emplace_back(id, thrown);
    (void)rounds_of(page);
    blog.clock->advance(10min);
    round = 2;
    CHECK(rounds_of(page) == std::vector<int>{1, 1, 1});
    CHECK(with.executor->run() == 1);
    CHECK(rounds_of(page) == std::vector<int>{2, 1, 2});
    const int thrown_once = thrown;
    CHECK(rounds_of(page) == std::vector<int>{2, 1, 2});
    CHECK(thrown == thrown_once);
    blog.clock->advance(1s);
    CHECK(rounds_of(page) == std::vector<int>{2, 1, 2});
    CHECK(thrown > thrown_once);
  }

  TEST_CASE("a thread that ends while a stale load copies its record ends alone") {
    struct Ends {
      explicit Ends(int number) : id(number) {}
      Ends(const Ends& other) : id(other.id) { ::pthread_exit(nullptr); }
      int id;
    };
    Blog blog;
    auto& resource = blog.registry.resource<Ends>("Ends", &Ends::id);
    auto id = resource.calculation("id", [](const Ends& one) { return one.id; });
    resource.cache_calculation("id", kSwr);
    const Ends one(7);
    CHECK(id(one) == 7);
    blog.clock->advance(10min);
    std::atomic<bool> goes_on{false};
    std::thread([&] {
      (void)id(one);
      goes_on = true;
    }).join();
    CHECK_FALSE(goes_on);
  }

  TEST_CASE("a read-only cache returns stale values and refreshes nothing") {
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

  TEST_CASE(
      "a refresh with an empty result stores it or, if negative_ttl is 0, removes the entry") {
    for (const bool kept : {true, false}) {
      WithExecutor with;
      Blog& blog = with.blog;
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
      (void)with.executor->run();
      CHECK_FALSE(found(Post{1, {}, 0}).has_value());
      CHECK(blog.cache.contains("Post:1:found") == kept);
    }
  }
}
