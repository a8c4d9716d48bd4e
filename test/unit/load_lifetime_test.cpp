#include <doctest/doctest.h>
#include <ashmemo/ashmemo.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "blog_fixture.hpp"
#include "support/child.hpp"

// How long results answer loads, and how long handles work.

using namespace std::chrono_literals;
using ashmemo::CachePolicy;
using ashmemo::Records;
using ashmemo::test::Blog;
using ashmemo::test::Calls;
using ashmemo::test::Post;
using ashmemo::test::posts_up_to;

namespace {

/// A result that its codec refuses to write.
struct Unwritable {};

/// Opens the same file like the next run of the program, with this version and policy.
struct Run {
  Run(const std::string& path, const std::shared_ptr<ashmemo::Clock>& clock, std::uint32_t version,
      std::optional<CachePolicy> policy)
      : cache(path, {.hooks = {.clock = clock, .worker = ashmemo::WorkerMode::manual}}) {
    length = posts.calculation("length",
                               [this](const Post& post) { return ++computed, post.content.size(); },
                               {.version = version});
    if (policy) posts.cache_calculation("length", *policy);
  }

  int computed = 0;
  ashmemo::Cache cache;
  ashmemo::Registry registry{cache};
  ashmemo::Resource<Post>& posts = registry.resource<Post>("Post", &Post::id);
  ashmemo::Calculation<Post, std::size_t> length;
};

struct Runs {
  std::unique_ptr<Run> next(std::uint32_t version, std::optional<CachePolicy> policy = {{}}) {
    return std::make_unique<Run>(dir.path("runs.db"), clock, version, policy);
  }
  ashmemo::test::TempDir dir;
  std::shared_ptr<ashmemo::ManualClock> clock = std::make_shared<ashmemo::ManualClock>();
};

}  // namespace

template <>
struct ashmemo::Codec<Unwritable> {
  static Value encode(const Unwritable&) { throw std::runtime_error("no"); }
  static std::optional<Unwritable> decode(ValueView) { return std::nullopt; }
};

TEST_SUITE("unit") {
  TEST_CASE("a result is computed again at exactly its ttl") {
    Blog blog;
    auto length = blog.cached_length({.ttl = 10s});
    const std::vector<Post> page = posts_up_to(2);
    (void)length(page);
    blog.clock->advance(10s - 1us);
    (void)length(page);
    CHECK(blog.calls.size() == 1);
    blog.clock->advance(1us);
    CHECK(length.cached(page[0]) == std::nullopt);
    (void)length(page);
    CHECK(blog.calls.size() == 2);
    CHECK(blog.cache.stats().expired_misses == 2);
  }

  TEST_CASE("a very long ttl and very long windows last forever") {
    Blog blog;
    auto length = blog.cached_length({.ttl = std::chrono::hours::max(),
                                      .stale_while_revalidate = std::chrono::hours::max(),
                                      .stale_if_error = std::chrono::hours::max()});
    (void)length(Post{1, "a", 0});
    blog.clock->advance(std::chrono::hours(24 * 365 * 1000));
    CHECK(length(Post{1, "a", 0}) == 1);
    CHECK(blog.calls.size() == 1);
    CHECK(blog.cache.entry("Post:1:length")->expires_at == std::nullopt);
  }

  TEST_CASE("a ttl begins when the calculation ends") {
    Blog blog;
    int calls = 0;
    auto slow = blog.posts.calculation("slow", [&](const Post&) {
      blog.clock->advance(1h);
      return ++calls;
    });
    blog.posts.cache_calculation("slow", {.ttl = 10s});
    CHECK(slow(Post{}) == 1);
    blog.clock->advance(9s);
    CHECK(slow(Post{}) == 1);
  }

  TEST_CASE("an entry gets the three deadlines of its policy") {
    Blog blog;
    (void)blog.cached_length({.ttl = 10s, .stale_while_revalidate = 20s, .stale_if_error = 50s})(
        Post{1, "a", 0});
    const std::int64_t now = blog.clock->wall_now();
    blog.cache.flush();
    const ashmemo::EntryInfo entry = blog.cache.entry("Post:1:length").value();
    CHECK(entry.fresh_until == now + 10'000'000);
    CHECK(entry.expires_at == now + 30'000'000);
    CHECK(entry.keep_until == now + 60'000'000);
  }

  TEST_CASE("an empty optional result is stored for negative_ttl") {
    Blog blog;
    int calls = 0;
    auto find = blog.posts.calculation("find", [&](const Post& post) -> std::optional<int> {
      ++calls;
      return post.id == 1 ? std::optional<int>(7) : std::nullopt;
    });
    const std::vector<Post> page = posts_up_to(2);
    const std::vector<std::optional<int>> expected{7, std::nullopt};
    const auto ask_after = [&](std::chrono::seconds pause) {
      blog.clock->advance(pause);
      CHECK(find(page) == expected);
      return calls;
    };
    SUBCASE("it lasts as long as other results by default") {
      blog.posts.cache_calculation("find", {.ttl = 60s});
      CHECK(ask_after(0s) == 2);
      CHECK(ask_after(59s) == 2);
      const auto known = find.cached(page);
      CHECK(known[1].has_value());
      CHECK_FALSE(known[1]->has_value());
      CHECK(ask_after(1s) == 4);
    }
    SUBCASE("it lasts shorter than other results") {
      blog.posts.cache_calculation("find", {.ttl = 60s, .negative_ttl = 5s});
      CHECK(ask_after(0s) == 2);
      CHECK(ask_after(4s) == 2);
      CHECK(ask_after(1s) == 3);
    }
    SUBCASE("it lasts longer than other results") {
      blog.posts.cache_calculation("find", {.ttl = 5s, .negative_ttl = 60s});
      CHECK(ask_after(0s) == 2);
      CHECK(ask_after(5s) == 3);
    }
    SUBCASE("it is not stored") {
      blog.posts.cache_calculation("find", {.ttl = 60s, .negative_ttl = 0s});
      CHECK(ask_after(0s) == 2);
      CHECK(ask_after(0s) == 3);
      CHECK_FALSE(blog.cache.contains("Post:2:find"));
    }
  }

  TEST_CASE("results answer in the next run of the program under the same version") {
    Runs runs;
    const std::vector<Post> page = posts_up_to(3);
    (void)runs.next(1)->length(page);
    auto same = runs.next(1);
    CHECK(same->length(page) == std::vector<std::size_t>{1, 2, 3});
    CHECK(same->computed == 0);
    same.reset();
    auto raised = runs.next(2);
    CHECK(raised->length.cached(page[0]) == std::nullopt);
    (void)raised->length(page);
    CHECK(raised->computed == 3);
    raised.reset();
    auto lowered = runs.next(1);
    (void)lowered->length(page);
    CHECK(lowered->computed == 3);
  }

  TEST_CASE("direct reads find results of the old version until the first load with a new one") {
    Runs runs;
    (void)runs.next(1)->length(Post{1, "a", 0});
    const auto second = runs.next(2);
    CHECK(second->length.stats().computed == 1);  // since the file was created
    CHECK(second->cache.get<std::size_t>("Post:1:length") == 1);
    (void)second->length(Post{2, "bb", 0});
    CHECK_FALSE(second->cache.contains("Post:1:length"));
  }

  TEST_CASE("a load with a second version of a calculation in one open cache is misuse") {
    Blog blog;
    auto length = blog.posts.calculation("length", [](const Post&) { return 1; });
    blog.posts.cache_calculation("length", {});
    CHECK(length(Post{1, "a", 0}) == 1);
    ashmemo::Registry newer(blog.cache);
    auto& posts = newer.resource<Post>("Post", &Post::id);
    auto second = posts.calculation("length", [](const Post&) { return 2; }, {.version = 2});
    posts.cache_calculation("length", {});
    CHECK(ashmemo::test::error_code_of([&] {
            (void)second(Post{1, "a", 0});
          }) == static_cast<int>(ashmemo::ErrorCode::misuse));
    CHECK(length(Post{1, "a", 0}) == 1);
    CHECK(blog.cache.get<int>("Post:1:length") == 1);
  }

  TEST_CASE("a shortened ttl applies to older results and a lengthened ttl does not") {
    Runs runs;
    const Post post{1, "a", 0};
    (void)runs.next(1, CachePolicy{.ttl = 1h})->length(post);
    runs.clock->advance(10min);
    auto longer = runs.next(1, CachePolicy{.ttl = 9h});
    (void)longer->length(post);
    CHECK(longer->computed == 0);
    longer.reset();
    auto shorter = runs.next(1, CachePolicy{.ttl = 10min});
    (void)shorter->length(post);
    CHECK(shorter->computed == 1);
  }

  TEST_CASE("a shortened negative_ttl applies to older empty results and ttl to other results") {
    Runs runs;
    const auto computed = [&runs](const CachePolicy& policy) {
      ashmemo::Cache cache(runs.dir.path("runs.db"),
                           {.hooks = {.clock = runs.clock, .worker = ashmemo::WorkerMode::manual}});
      ashmemo::Registry registry(cache);
      auto& posts = registry.resource<Post>("Post", &Post::id);
      std::vector<std::int64_t> ids;
      auto find = posts.calculation("find", [&ids](const Post& post) -> std::optional<int> {
        ids.push_back(post.id);
        return post.id == 1 ? std::nullopt : std::optional<int>(7);
      });
      posts.cache_calculation("find", policy);
      const std::vector<std::optional<int>> expected{std::nullopt, 7};
      CHECK(find(posts_up_to(2)) == expected);
      return ids;
    };
    using Ids = std::vector<std::int64_t>;
    CHECK(computed({.ttl = 24h}) == Ids{1, 2});
    runs.clock->advance(1h);
    SUBCASE("negative_ttl is shorter") {
      CHECK(computed({.ttl = 24h, .negative_ttl = 5s}) == Ids{1});
    }
    SUBCASE("negative_ttl is 0") { CHECK(computed({.ttl = 24h, .negative_ttl = 0s}) == Ids{1}); }
    SUBCASE("ttl is shorter") { CHECK(computed({.ttl = 1min, .negative_ttl = 24h}) == Ids{2}); }
    SUBCASE("both are shorter") {
      CHECK(computed({.ttl = 1min, .negative_ttl = 1min}) == Ids{1, 2});
    }
    SUBCASE("neither is shorter") { CHECK(computed({.ttl = 2h, .negative_ttl = 2h}).empty()); }
  }

  TEST_CASE("a handle computes after its cache was closed or destroyed") {
    ashmemo::Calculation<Post, int> length;
    Calls calls;
    {
      Blog blog;
      length = blog.posts.calculation("length", [&calls](Records<Post> batch) {
        calls.emplace_back();
        for (const Post& post : batch) calls.back().push_back(post.id);
        return std::vector<int>(batch.size(), 5);
      });
      blog.posts.cache_calculation("length", {});
      CHECK(length(Post{1, "", 0}) == 5);
      blog.cache.close();
      CHECK(length(posts_up_to(2)) == std::vector<int>{5, 5});
      CHECK(length.cached(Post{1, "", 0}) == std::nullopt);
      CHECK(blog.cache.stats().misses == 3);
      length.invalidate(Post{1, "", 0});
      length.invalidate_all();
      blog.posts.invalidate(Post{1, "", 0});
      blog.posts.invalidate_all();
    }
    CHECK(length(Post{3, "", 0}) == 5);
    CHECK(length.name() == "length");
    CHECK(length.key(Post{3, "", 0}) == "Post:3:length");
    CHECK(calls == Calls{{1}, {1, 2}, {3}});
  }

  TEST_CASE("a forked child computes although the parent has results") {
    Blog blog;
    auto length = blog.cached_length();
    const std::vector<Post> page = posts_up_to(3);
    bool loaded_before = true;
    SUBCASE("the parent has loaded before") { (void)length(page); }
    SUBCASE("the parent has not loaded before") { loaded_before = false; }
    const ashmemo::test::ChildEnd end = ashmemo::test::in_child([&] {
      const bool right = length(page) == std::vector<int>{1, 2, 3};
      const bool computed = blog.calls.size() == (loaded_before ? 2 : 1);
      length.invalidate_all();
      return std::string(right && computed ? "computed" : "wrong");
    });
    CHECK(end.exit_code == 0);
    CHECK(end.said == "computed");
    CHECK(length(page) == std::vector<int>{1, 2, 3});
    CHECK(blog.calls.size() == 1);
  }

  TEST_CASE("a forked child counts no result whose codec fails") {
    Blog blog;
    auto unwritable =
        blog.posts.calculation("unwritable", [](const Post&) { return Unwritable(); });
    blog.posts.cache_calculation("unwritable", {});
    const ashmemo::test::ChildEnd end = ashmemo::test::in_child([&] {
      (void)unwritable(Post{1, "a", 0});
      return std::to_string(blog.cache.stats().unencodable);
    });
    CHECK(end.said == "0");
    (void)unwritable(Post{1, "a", 0});
    CHECK(blog.cache.stats().unencodable == 1);
  }

  TEST_CASE("a handle of a read-only cache answers and computes but stores nothing") {
    Runs runs;
    auto writer = runs.next(1);
    (void)writer->length({Post{1, "a", 0}, Post{2, "bb", 0}});
    writer->cache.flush();
    ashmemo::Cache cache(runs.dir.path("runs.db"),
                         {.hooks = {.clock = runs.clock}, .access = ashmemo::Access::read_only});
    ashmemo::Registry registry(cache);
    auto& posts = registry.resource<Post>("Post", &Post::id);
    int computed = 0;
    auto length = posts.calculation(
        "length", [&](const Post& post) { return ++computed, post.content.size(); });
    posts.cache_calculation("length", {});
    CHECK(length({Post{2, "bb", 0}, Post{3, "ccc", 0}}) == std::vector<std::size_t>{2, 3});
    CHECK(length(Post{3, "ccc", 0}) == 3);
    CHECK(computed == 2);
    const auto misuse = static_cast<int>(ashmemo::ErrorCode::misuse);
    CHECK(ashmemo::test::error_code_of([&] { length.invalidate(Post{2, "", 0}); }) == misuse);
    CHECK(ashmemo::test::error_code_of([&] { posts.invalidate_all(); }) == misuse);
    CHECK(length(Post{2, "bb", 0}) == 2);
    CHECK(computed == 2);
  }

  TEST_CASE("several threads may run the first load at the same time") {
    Blog blog;
    auto id = blog.posts.calculation("id", &Post::id);
    blog.posts.cache_calculation("id", {});
    const std::vector<Post> page = posts_up_to(50);
    std::vector<std::vector<std::int64_t>> results(8);
    std::vector<std::thread> threads;
    for (auto& result : results) threads.emplace_back([&] { result = id(page); });
    for (std::thread& thread : threads) thread.join();
    for (const auto& result : results) {
      REQUIRE(result.size() == 50);
      CHECK(result[49] == 50);
    }
    blog.cache.flush();
    CHECK(blog.cache.stats().entries == 50);
  }
}
