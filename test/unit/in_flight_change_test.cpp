#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "blog_fixture.hpp"
#include "support/rendezvous.hpp"

// Puts, removals and invalidations while a result is being computed.

using namespace ashmemo;
using test::AtTestPoints;
using test::Blog;
using test::Events;
using test::Post;

namespace {

/// A calculation whose first run continues until another thread has called `meanwhile`.
struct Change : Blog {
  void compute_while(const std::function<void()>& meanwhile) {
    std::thread one([this] { first = slow(Post{7, {}, 0}); });
    events.wait_for("computing");
    meanwhile();
    events.happened("changed");
    one.join();
    cache.flush();
  }

  Events events;
  std::atomic<int> calls{0};
  std::int64_t first = 0;
  Calculation<Post, int> slow = posts.calculation("slow", [this](const Post&) {
    const int call = ++calls;
    if (call == 1) {
      events.happened("computing");
      events.wait_for("changed");
    }
    return call;
  });
  const bool cached = (posts.cache_calculation("slow", {}), true);
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a put during a calculation wins over the late result") {
    Change change;
    change.compute_while([&] { CHECK(change.cache.put("Post:7:slow", 99)); });
    CHECK(change.first == 1);
    CHECK(change.cache.get<int>("Post:7:slow") == 99);
    CHECK(change.cache.stats().superseded == 1);
  }

  TEST_CASE("a removal during a calculation also removes the late result") {
    using Removal = std::function<void(Change&)>;
    const std::vector<Removal> removals = {
        [](Change& change) { (void)change.cache.erase("Post:7:slow"); },
        [](Change& change) { (void)change.cache.erase_prefix("Post:7:"); },
        [](Change& change) { (void)change.cache.clear(); },
        [](Change& change) {
          change.slow.invalidate(Post{7, {}, 0});
        },
        [](Change& change) {
          change.posts.invalidate(Post{7, {}, 0});
        },
        [](Change& change) { change.slow.invalidate_all(); },
        [](Change& change) { change.posts.invalidate_all(); },
    };
    for (std::size_t i = 0; i < removals.size(); ++i) {
      INFO(i);
      Change change;
      change.compute_while([&] { removals[i](change); });
      CHECK(change.first == 1);
      CHECK_FALSE(change.slow.cached(Post{7, {}, 0}).has_value());
    }
  }

  TEST_CASE("a load after an invalidation does not join a calculation that began before") {
    for (const bool all : {false, true}) {
      INFO(all);
      Change change;
      change.compute_while([&] {
        all ? change.slow.invalidate_all() : change.slow.invalidate(Post{7, {}, 0});
        CHECK(change.slow(Post{7, {}, 0}) == 2);
      });
      CHECK(change.first == 1);
      CHECK(change.slow.cached(Post{7, {}, 0}) == 2);
    }
  }

  TEST_CASE("the late result of an invalidated calculation does not replace a newer result") {
    Blog blog;
    Events events;
    std::atomic<int> calls{0};
    auto slow = blog.posts.calculation("slow", [&](const Post&) {
      const int call = ++calls;
      events.happened("computing");
      events.wait_for("go " + std::to_string(call));
      return call;
    });
    blog.posts.cache_calculation("slow", {});
    std::thread one([&] { CHECK(slow(Post{7, {}, 0}) == 1); });
    events.wait_for("computing");
    slow.invalidate_all();
    std::thread two([&] { CHECK(slow(Post{7, {}, 0}) == 2); });
    events.wait_for("computing", 2);
    events.happened("go 1");
    one.join();
    events.happened("go 2");
    two.join();
    CHECK(slow.cached(Post{7, {}, 0}) == 2);
    CHECK(blog.cache.stats().superseded == 1);
  }

  TEST_CASE("a removal between look-up and claim counts as a removal during the calculation") {
    const std::vector<std::function<void(Blog&)>> removals = {
        [](Blog& blog) { (void)blog.cache.erase("Post:7:length"); },
        [](Blog& blog) { (void)blog.cache.erase_prefix("Post:7:"); },
        [](Blog& blog) { (void)blog.cache.clear(); },
    };
    for (std::size_t i = 0; i < removals.size(); ++i) {
      INFO(i);
      Blog blog;
      auto length = blog.cached_length();
      std::atomic<bool> removed{false};
      const AtTestPoints points([&](std::string_view point) {
        if (point == "load: looked up" && !removed.exchange(true)) removals[i](blog);
      });
      CHECK(length(Post{7, "seven", 0}) == 5);
      CHECK_FALSE(length.cached(Post{7, "seven", 0}).has_value());
      CHECK(length(Post{7, "seven", 0}) == 5);
      CHECK(length.cached(Post{7, "seven", 0}) == 5);
    }
  }

  TEST_CASE("a removal of other keys between look-up and claim changes nothing") {
    Blog blog;
    Events events;
    auto slow = blog.posts.calculation("slow", [&](const Post& post) {
      events.happened("computing");
      events.wait_for("waiting");
      return post.id;
    });
    blog.posts.cache_calculation("slow", {});
    std::atomic<bool> removed{false};
    const AtTestPoints points([&](std::string_view point) {
      if (point == "load: waits") events.happened("waiting");
      if (point != "load: looked up" || removed.exchange(true)) return;
      (void)blog.cache.erase("other");
      (void)blog.cache.erase_prefix("Post:70:");
      slow.invalidate(Post{6, {}, 0});
    });
    std::thread one([&] { CHECK(slow(Post{7, {}, 0}) == 7); });
    events.wait_for("computing");
    CHECK(slow(Post{7, {}, 0}) == 7);
    one.join();
    CHECK(slow.cached(Post{7, {}, 0}) == 7);
    CHECK(blog.cache.stats().computed == 1);
    CHECK(blog.cache.stats().superseded == 0);
  }

  TEST_CASE("a removal of other keys while a load waits for another load changes nothing") {
    Blog blog;
    Events events;
    std::atomic<int> calls{0};
    auto wild = blog.posts.calculation("wild", [&](Records<Post> batch) {
      if (++calls == 1) {
        events.happened("computing");
        events.wait_for("waiting");
        (void)blog.cache.erase("other");
        throw std::runtime_error("wild");
      }
      return std::vector<int>(batch.size(), 5);
    });
    blog.posts.cache_calculation("wild", {});
    const AtTestPoints points([&](std::string_view point) {
      if (point == "load: waits") events.happened("waiting");
    });
    const std::vector<Post> page = {{7, {}, 0}, {8, {}, 0}};
    std::thread one([&] { CHECK_THROWS_AS((void)wild(page), std::runtime_error); });
    events.wait_for("computing");
    CHECK(wild(page) == std::vector<int>{5, 5});
    one.join();
    CHECK(wild.cached(page[0]) == 5);
    CHECK(blog.cache.stats().superseded == 0);
  }

  TEST_CASE("a result that another caller stored between look-up and claim is not computed again") {
    Blog blog;
    auto length = blog.cached_length();
    std::atomic<int> looks{0};
    const AtTestPoints points([&](std::string_view point) {
      if (point == "load: looked up" && ++looks == 1) (void)length(Post{7, "seven", 0});
    });
    CHECK(length(Post{7, "seven", 0}) == 5);
    CHECK(blog.calls == test::Calls{{7}});
    CHECK(blog.cache.stats().joined == 1);
  }

  TEST_CASE("a change wins over a calculation that began in the middle of the change") {
    for (const bool put : {false, true}) {
      INFO(put);
      Change change;
      std::thread one;
      std::atomic<bool> begun{false};
      {
        const AtTestPoints points([&](std::string_view point) {
          if (point != "change: begun" || begun.exchange(true)) return;
          one = std::thread([&change] { change.first = change.slow(Post{7, {}, 0}); });
          change.events.wait_for("computing");
        });
        if (put) {
          CHECK(change.cache.put("Post:7:slow", 99));
        } else {
          change.slow.invalidate(Post{7, {}, 0});
        }
      }
      change.events.happened("changed");
      one.join();
      CHECK(change.first == 1);
      CHECK(change.cache.get<int>("Post:7:slow") == (put ? std::optional(99) : std::nullopt));
    }
  }

  TEST_CASE("a change wins over the result of a caller that computes instead of waiting") {
    for (const bool put : {false, true}) {
      INFO(put);
      Blog blog;
      Events events;
      std::atomic<int> calls{0};
      auto slow = blog.posts.calculation("slow", [&](const Post&) {
        const int call = ++calls;
        if (call == 1) {
          events.happened("computing");
          events.wait_for("done");
        } else if (put) {
          CHECK(blog.cache.put("Post:7:slow", 99));
        } else {
          CHECK(blog.cache.erase("Post:7:slow") == 0);
        }
        return call;
      });
      blog.posts.cache_calculation("slow", {});
      std::thread one([&] { CHECK(slow(Post{7, {}, 0}) == 1); });
      events.wait_for("computing");
      const std::vector<Post> page = {{7, {}, 0}};
      const auto [mine] = blog.posts.load(page, {.wait = std::chrono::seconds(0)}, slow);
      CHECK(mine == std::vector<int>{2});
      const std::optional<int> expected = put ? std::optional(99) : std::nullopt;
      CHECK(blog.cache.get<int>("Post:7:slow") == expected);
      events.happened("done");
      one.join();
      CHECK(blog.cache.get<int>("Post:7:slow") == expected);
    }
  }
}
