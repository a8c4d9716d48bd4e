#include <doctest/doctest.h>
#include <ashmemo/ashmemo.hpp>
#include <string>
#include <vector>

#include "blog_fixture.hpp"

using ashmemo::test::Blog;
using ashmemo::test::Calls;
using ashmemo::test::Post;
using ashmemo::test::posts_up_to;

namespace {

/// Three cached calculations, one of them with an argument, in a scope that the test can change.
struct Shop : Blog {
  Shop() {
    posts.scope([this] { return tenant; });
    posts.cache_calculation("length", {});
    posts.cache_calculation("length2", {});
    posts.cache_calculation("cut", {});
  }
  void fill() {
    for (const char* name : {"acme", "other"}) {
      tenant = name;
      const std::vector<Post> page = posts_up_to(12);
      (void)posts.load(page, length, length2, cut.with(1), cut.with(2));
    }
    tenant = "acme";
  }
  [[nodiscard]] bool has(const std::string& key) const { return cache.contains("Post:" + key); }

  std::string tenant = "acme";
  ashmemo::Calculation<Post, int> length = declare_length();
  ashmemo::Calculation<Post, std::int64_t> length2 = posts.calculation("length2", &Post::id);
  ashmemo::Calculation<Post, std::int64_t, int> cut =
      posts.calculation("cut", [](const Post& post, int n) { return post.id + n; });
};

const std::vector<std::string> kOfPost1{"1:length@acme",   "1:length@other", "1:length2@acme",
                                        "1:length2@other", "1:cut(1)@acme",  "1:cut(1)@other",
                                        "1:cut(2)@acme",   "1:cut(2)@other"};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("invalidating a record removes its results of all calculations and scopes") {
    Shop shop;
    shop.fill();
    shop.posts.invalidate(Post{1, "", 0});
    for (const std::string& key : kOfPost1) {
      CAPTURE(key);
      CHECK_FALSE(shop.has(key));
    }
    CHECK(shop.has("11:length@acme"));
    CHECK(shop.has("2:cut(1)@acme"));
    CHECK(shop.cache.stats().entries == 11 * 8);
  }

  TEST_CASE("invalidating a record of one calculation keeps its results of other calculations") {
    Shop shop;
    shop.fill();
    shop.length.invalidate(Post{1, "", 0});
    CHECK_FALSE(shop.has("1:length@acme"));
    CHECK_FALSE(shop.has("1:length@other"));
    CHECK(shop.has("1:length2@acme"));
    CHECK(shop.has("2:length@acme"));
    shop.cut.invalidate(Post{1, "", 0});
    CHECK_FALSE(shop.has("1:cut(1)@acme"));
    CHECK_FALSE(shop.has("1:cut(2)@other"));
    CHECK(shop.has("11:cut(1)@acme"));
  }

  TEST_CASE("invalidating a record without scope and arguments removes the plain key") {
    Blog blog;
    auto length = blog.cached_length();
    (void)length(posts_up_to(2));
    length.invalidate(Post{1, "", 0});
    CHECK_FALSE(blog.cache.contains("Post:1:length"));
    CHECK(blog.cache.contains("Post:2:length"));
    CHECK(length(posts_up_to(2)) == std::vector<int>{1, 2});
    CHECK(blog.calls == Calls{{1, 2}, {1}});
  }

  TEST_CASE("an invalidation is in the file when the call returns") {
    Blog blog;
    auto length = blog.cached_length();
    (void)length(posts_up_to(2));
    blog.cache.flush();
    length.invalidate(Post{1, "", 0});
    CHECK(blog.cache.stats().queue_bytes == 0);
    CHECK(blog.cache.stats().entries == 1);
    blog.posts.invalidate(Post{2, "", 0});
    CHECK(blog.cache.stats().queue_bytes == 0);
    CHECK(blog.cache.stats().entries == 0);
  }

  TEST_CASE("invalidating a calculation removes all its results and no others in one commit") {
    Shop shop;
    shop.fill();
    shop.cache.flush();
    const std::int64_t before = shop.cache.stats().commits;
    shop.length.invalidate_all();
    CHECK(shop.cache.stats().commits == before + 1);
    CHECK(shop.length.cached(Post{1, "", 0}) == std::nullopt);
    CHECK_FALSE(shop.has("1:length@other"));
    CHECK(shop.length2.cached(Post{1, "", 0}) == 1);
    shop.calls.clear();
    CHECK(shop.length(posts_up_to(2)) == std::vector<int>{1, 2});
    CHECK(shop.length(posts_up_to(2)) == std::vector<int>{1, 2});
    CHECK(shop.calls == Calls{{1, 2}});
  }

  TEST_CASE("invalidating a resource removes all its results and no others in one commit") {
    Shop shop;
    auto& drafts = shop.registry.resource<Post>("Draft", &Post::id);
    auto id = drafts.calculation("id", &Post::id);
    drafts.cache_calculation("id", {});
    (void)id(Post{1, "", 0});
    shop.fill();
    shop.cache.flush();
    const std::int64_t before = shop.cache.stats().commits;
    shop.posts.invalidate_all();
    CHECK(shop.cache.stats().commits == before + 1);
    for (const std::string& key : kOfPost1) {
      CAPTURE(key);
      CHECK_FALSE(shop.has(key));
    }
    CHECK(id.cached(Post{1, "", 0}) == 1);
  }

  TEST_CASE("a result that is computed during an invalidation does not come back") {
    Blog blog;
    bool invalidate = true;
    ashmemo::Calculation<Post, int> count;
    int calls = 0;
    count = blog.posts.calculation("count", [&](const Post&) {
      if (std::exchange(invalidate, false)) count.invalidate_all();
      return ++calls;
    });
    blog.posts.cache_calculation("count", {});
    CHECK(count(Post{}) == 1);
    CHECK(count(Post{}) == 2);
    CHECK(count(Post{}) == 2);
  }

  TEST_CASE("invalidating a calculation has effect even if the calculation is not cached") {
    ashmemo::test::TempDir dir;
    const auto run = [&](bool cached, bool invalidate) {
      ashmemo::Cache cache(dir.path("runs.db"), {.hooks = {.worker = ashmemo::WorkerMode::manual}});
      ashmemo::Registry registry(cache);
      auto& posts = registry.resource<Post>("Post", &Post::id);
      auto id = posts.calculation("id", &Post::id);
      if (cached) posts.cache_calculation("id", {});
      if (invalidate) id.invalidate_all();
      (void)id(Post{1, "", 0});
      return cache.stats().hits;
    };
    CHECK(run(true, false) == 0);
    CHECK(run(true, false) == 1);
    CHECK(run(false, true) == 0);
    CHECK(run(true, false) == 0);
  }

  TEST_CASE("an invalidation holds in the next run of the program") {
    ashmemo::test::TempDir dir;
    int calls = 0;
    for (int run = 0; run < 3; ++run) {
      ashmemo::Cache cache(dir.path("runs.db"), {.hooks = {.worker = ashmemo::WorkerMode::manual}});
      ashmemo::Registry registry(cache);
      auto& posts = registry.resource<Post>("Post", &Post::id);
      auto count = posts.calculation("count", [&](const Post&) { return ++calls; });
      posts.cache_calculation("count", {});
      (void)count(Post{});
      if (run == 0) count.invalidate_all();
    }
    CHECK(calls == 2);
  }
}
