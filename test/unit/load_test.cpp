#include <doctest/doctest.h>
#include <ashmemo/ashmemo.hpp>
#include <random>
#include <string>
#include <vector>

#include "blog_fixture.hpp"

// The results that a load returns, computes and stores.

using namespace std::chrono_literals;
using ashmemo::Records;
using ashmemo::Stats;
using ashmemo::test::Blog;
using ashmemo::test::Calls;
using ashmemo::test::Post;
using ashmemo::test::posts_up_to;

namespace {

/// An argument whose text grows each time that it is asked for.
struct Growing {
  std::string* text;
};

}  // namespace

template <>
struct ashmemo::KeyPart<Growing> {
  static std::string text(const Growing& growing) {
    std::string text = *growing.text;
    *growing.text += 'x';
    return text;
  }
};

namespace {

std::vector<int> lengths_of(const std::vector<Post>& page) {
  std::vector<int> out;
  for (const Post& post : page) out.push_back(static_cast<int>(post.content.size()));
  return out;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("an empty page calls nothing, counts nothing and writes nothing") {
    Blog blog;
    auto length = blog.cached_length();
    const std::vector<Post> none;
    CHECK(length(none).empty());
    CHECK(length.cached(none).empty());
    CHECK(length.warm(none) == 0);
    auto [a, b] = blog.posts.load(none, length, length);
    CHECK(a.empty());
    CHECK(b.empty());
    blog.cache.flush();
    CHECK(blog.calls.empty());
    CHECK(blog.cache.stats().misses == 0);
    CHECK(blog.cache.stats().commits == 0);
  }

  TEST_CASE("a batch receives exactly the records that are missing") {
    Blog blog;
    auto length = blog.cached_length();
    const std::vector<Post> page = posts_up_to(4);
    CHECK(length({page[1], page[3]}) == std::vector<int>{2, 4});
    CHECK(length(page) == std::vector<int>{1, 2, 3, 4});
    CHECK(length(page) == std::vector<int>{1, 2, 3, 4});
    CHECK(blog.calls == Calls{{2, 4}, {1, 3}});
    const Stats stats = blog.cache.stats();
    CHECK(stats.hits == 6);
    CHECK(stats.misses == 4);
    CHECK(stats.computed == 4);
  }

  TEST_CASE("a result in the file answers like a result that is still pending") {
    Blog blog;
    auto length = blog.cached_length();
    const std::vector<Post> page = posts_up_to(4);
    (void)length({page[0], page[2]});
    blog.cache.flush();
    (void)length({page[1]});
    CHECK(length(page) == std::vector<int>{1, 2, 3, 4});
    CHECK(blog.calls == Calls{{1, 3}, {2}, {4}});
  }

  TEST_CASE("a record that occurs twice in a page is computed once") {
    Blog blog;
    auto length = blog.cached_length();
    const std::vector<Post> page = posts_up_to(3);
    CHECK(length({page[2], page[0], page[2], page[2], page[0]}) == std::vector<int>{3, 1, 3, 3, 1});
    CHECK(blog.calls == Calls{{3, 1}});
    CHECK(blog.cache.stats().misses == 5);
    CHECK(blog.cache.stats().computed == 2);
    CHECK(blog.cache.stats().puts == 2);
  }

  TEST_CASE("a calculation that a load names twice is computed once") {
    Blog blog;
    auto length = blog.cached_length();
    const std::vector<Post> page = posts_up_to(3);
    auto [first, second] = blog.posts.load(page, length, length);
    CHECK(first == std::vector<int>{1, 2, 3});
    CHECK(second == first);
    CHECK(blog.calls == Calls{{1, 2, 3}});
  }

  TEST_CASE("a record in two versions counts as two records") {
    Blog blog;
    blog.posts.record_version(&Post::updated_at);
    auto length = blog.cached_length();
    CHECK(length({Post{1, "a", 7}, Post{1, "bb", 8}, Post{1, "a", 7}}) ==
          std::vector<int>{1, 2, 1});
    CHECK(blog.calls == Calls{{1, 1}});
    CHECK(blog.cache.stats().computed == 2);
  }

  TEST_CASE("results have the order of the page with any hits, misses and repeats") {
    Blog blog;
    auto length = blog.cached_length();
    const std::vector<Post> all = posts_up_to(60);
    std::mt19937 random(19);  // NOLINT: the same pages every time
    for (int round = 0; round < 40; ++round) {
      std::vector<Post> page;
      const std::size_t size = random() % 30;
      for (std::size_t i = 0; i < size; ++i) page.push_back(all[random() % all.size()]);
      CAPTURE(round);
      CHECK(length(page) == lengths_of(page));
      if (round % 3 == 0) length.invalidate(all[random() % all.size()]);
      if (round % 5 == 0) blog.cache.flush();
    }
  }

  TEST_CASE("a hit calls nothing and equals the value that is computed directly") {
    Blog blog;
    auto length = blog.cached_length();
    const std::vector<Post> page = posts_up_to(1000);
    const std::vector<int> direct = lengths_of(page);
    CHECK(length(page) == direct);
    blog.cache.flush();
    CHECK(length(page) == direct);
    for (std::size_t i = 0; i < page.size(); i += 97) CHECK(length(page[i]) == direct[i]);
    CHECK(blog.calls.size() == 1);
  }

  TEST_CASE("a calculation of single records runs once for each record that is missing") {
    Blog blog;
    int calls = 0;
    auto id = blog.posts.calculation("id", [&](const Post& post) { return ++calls, post.id; });
    blog.posts.cache_calculation("id", {});
    CHECK(id(posts_up_to(3)) == std::vector<std::int64_t>{1, 2, 3});
    CHECK(id(Post{2, "", 0}) == 2);
    CHECK(id(Post{9, "", 0}) == 9);
    CHECK(calls == 4);
    CHECK(blog.cache.stats().hits == 1);
    CHECK(blog.cache.stats().misses == 4);
  }

  TEST_CASE("a calculation that is not cached receives every record and stores nothing") {
    Blog blog;
    auto length = blog.declare_length();
    const std::vector<Post> page = posts_up_to(2);
    for (int pass = 0; pass < 2; ++pass) {
      CHECK(length({page[0], page[1], page[0]}) == std::vector<int>{1, 2, 1});
    }
    CHECK(blog.calls == Calls{{1, 2, 1}, {1, 2, 1}});
    CHECK(blog.cache.stats().puts == 0);
    CHECK(blog.cache.stats().misses == 0);
    CHECK(blog.cache.stats().computed == 6);
    CHECK(length.stats().computed == 6);
    CHECK(length.cached(page[0]) == std::nullopt);
    CHECK(length.warm(page) == 0);
    CHECK(blog.calls.size() == 2);
  }

  TEST_CASE("a load calls each cached and uncached calculation once") {
    Blog blog;
    auto length = blog.cached_length();
    int calls = 0;
    auto twice = blog.posts.calculation("twice", [&](Records<Post> batch) {
      ++calls;
      std::vector<std::int64_t> out;
      for (const Post& post : batch) out.push_back(2 * post.id);
      return out;
    });
    auto times = blog.posts.calculation(
        "times", [](const Post& post, int factor) { return factor * static_cast<int>(post.id); });
    blog.posts.cache_calculation("times", {});
    const std::vector<Post> page = posts_up_to(2500);
    auto [lengths, doubles, triples] = blog.posts.load(page, length, twice, times.with(3));
    CHECK(lengths == lengths_of(page));
    CHECK(doubles[2499] == 5000);
    CHECK(triples[2499] == 7500);
    CHECK(calls == 1);
    CHECK(blog.calls.size() == 1);
  }

  TEST_CASE("a load of several calculations is written in transactions of 1,000 rows") {
    Blog blog;
    auto length = blog.cached_length();
    auto id = blog.posts.calculation("id", &Post::id);
    blog.posts.cache_calculation("id", {});
    std::vector<Post> page(3000);
    for (std::size_t i = 0; i < page.size(); ++i) page[i].id = static_cast<std::int64_t>(i);
    // The first load also writes the calculations to the file.
    (void)blog.posts.load({page[0]}, length, id);
    blog.cache.flush();
    const std::int64_t before = blog.cache.stats().commits;
    (void)blog.posts.load(page, length, id);
    blog.cache.flush();
    CHECK(blog.cache.stats().entries == 6000);
    // Six commits for 5,998 rows, then one for touches and one for counters.
    CHECK(blog.cache.stats().commits - before <= 6 + 2);
  }

  TEST_CASE("results with different arguments are different entries") {
    Blog blog;
    int calls = 0;
    auto sum =
        blog.posts.calculation("sum", [&](const Post&, int a, int b) { return ++calls, a + b; });
    blog.posts.cache_calculation("sum", {});
    const Post post{1, "", 0};
    CHECK(sum(post, 1, 23) == 24);
    CHECK(sum(post, 12, 3) == 15);
    CHECK(sum(post, 1, 23) == 24);
    CHECK(calls == 2);
    auto [a, b] = blog.posts.load({post}, sum.with(1, 23), sum.with(12, 3));
    CHECK(a == std::vector<int>{24});
    CHECK(b == std::vector<int>{15});
    CHECK(calls == 2);
  }

  TEST_CASE("a load asks each argument once for its text, so the keys fit their records") {
    Blog blog;
    auto size = blog.posts.calculation(
        "size", [](const Post& post, Growing) { return static_cast<int>(post.content.size()); });
    blog.posts.cache_calculation("size", {});
    std::string text = "a";
    CHECK(size(posts_up_to(3), Growing{&text}) == std::vector<int>{1, 2, 3});
    CHECK(text == "ax");
    std::string keys;
    blog.cache.flush();
    blog.cache.for_each({}, [&](const ashmemo::EntryInfo& entry) { keys += entry.key + ' '; });
    CHECK(keys == "Post:1:size(a) Post:2:size(a) Post:3:size(a) ");
    text = "a";
    CHECK(size.cached(posts_up_to(2), Growing{&text}).size() == 2);
    CHECK(text == "ax");
  }

  TEST_CASE("a changed record is a miss, also if it changes back") {
    Blog blog;
    blog.posts.record_version(&Post::updated_at);
    auto length = blog.cached_length();
    CHECK(length(Post{1, "a", 1}) == 1);
    CHECK(length(Post{1, "bb", 2}) == 2);
    CHECK(length(Post{1, "bb", 2}) == 2);
    CHECK(length(Post{1, "a", 1}) == 1);
    CHECK(blog.calls.size() == 3);
    CHECK(length.cached(Post{1, "bb", 2}) == std::nullopt);
  }

  TEST_CASE("the scope is read once for each load and separates results") {
    Blog blog;
    int asked = 0;
    std::string tenant = "acme";
    blog.posts.scope([&] { return ++asked, tenant; });
    auto length = blog.cached_length();
    const std::vector<Post> page = posts_up_to(3);
    (void)blog.posts.load(page, length, length);
    CHECK(asked == 1);
    CHECK(blog.cache.contains("Post:2:length@acme"));
    tenant = "other";
    (void)length(page);
    CHECK(blog.calls.size() == 2);
    tenant = "acme";
    (void)length(page);
    CHECK(blog.calls.size() == 2);
    CHECK(asked == 3);
  }

  TEST_CASE("a load may run inside a calculation") {
    Blog blog;
    auto length = blog.cached_length();
    auto total = blog.posts.calculation("total", [&](const Post& post) {
      int sum = 0;
      for (const int one : length(posts_up_to(post.id))) sum += one;
      return sum;
    });
    blog.posts.cache_calculation("total", {});
    CHECK(total(posts_up_to(4)) == std::vector<int>{1, 3, 6, 10});
    CHECK(blog.calls == Calls{{1}, {2}, {3}, {4}});
  }

  TEST_CASE("a result with a key above 4 KiB is computed and counted but not stored") {
    Blog blog;
    int calls = 0;
    auto echo = blog.posts.calculation(
        "echo", [&](const Post&, const std::string& text) { return ++calls, text.size(); });
    blog.posts.cache_calculation("echo", {});
    const Post post{1, "", 0};
    const std::string fits(4096 - std::string("Post:1:echo()").size(), 'x');
    const std::string too_long = fits + "x";
    for (int pass = 0; pass < 2; ++pass) {
      CHECK(echo(post, fits) == fits.size());
      CHECK(echo({post, post}, too_long) == std::vector<std::size_t>(2, too_long.size()));
    }
    CHECK(calls == 3);
    const Stats stats = blog.cache.stats();
    CHECK(stats.uncached_keys == 2);
    CHECK(stats.hits == 1);
    CHECK(stats.misses == 5);
    CHECK(echo.cached(post, too_long) == std::nullopt);
  }

  TEST_CASE("warm computes and stores the missing results") {
    Blog blog;
    auto length = blog.cached_length();
    const std::vector<Post> page = posts_up_to(5);
    (void)length(page[1]);
    CHECK(length.warm(page) == 4);
    CHECK(length.warm(page) == 0);
    CHECK(length.warm({page[0], page[1]}) == 0);
    CHECK(length(page) == std::vector<int>{1, 2, 3, 4, 5});
    CHECK(blog.calls == Calls{{2}, {1, 3, 4, 5}});
  }

  TEST_CASE("cached computes and counts nothing but its hits are touches") {
    Blog blog({.timing = {.touch_interval = 0s}});
    auto length = blog.cached_length();
    const std::vector<Post> page = posts_up_to(3);
    (void)length({page[0], page[2]});
    blog.cache.flush();
    const Stats before = blog.cache.stats();
    CHECK(length.cached(page) == std::vector<std::optional<int>>{1, std::nullopt, 3});
    CHECK(length.cached(page[2]) == 3);
    CHECK(length.cached({page[1]}) == std::vector<std::optional<int>>{std::nullopt});
    const Stats after = blog.cache.stats();
    CHECK(blog.calls.size() == 1);
    CHECK(after.hits == before.hits);
    CHECK(after.misses == before.misses);
    CHECK(after.touches_marked == before.touches_marked + 3);
    blog.cache.flush();
    CHECK(blog.cache.entry("Post:3:length")->access_count == 2);
    CHECK(blog.cache.entry("Post:1:length")->access_count == 1);
  }

  TEST_CASE("each calculation has its own counts") {
    Blog blog;
    auto length = blog.cached_length();
    auto slow = blog.posts.calculation("slow", [&](const Post& post) {
      blog.clock->advance(std::chrono::seconds(post.id));
      return post.id;
    });
    blog.posts.cache_calculation("slow", {});
    const std::vector<Post> page = posts_up_to(3);
    (void)blog.posts.load(page, length, slow);
    (void)slow({page[0], page[2]});
    const ashmemo::CalculationStats stats = slow.stats();
    CHECK(stats.misses == 3);
    CHECK(stats.computed == 3);
    CHECK(stats.hits == 2);
    CHECK(stats.stale_hits == 0);
    CHECK(stats.failed == 0);
    CHECK(stats.saved == ashmemo::Duration(4s));  // records 1 and 3, each with its own cost
    CHECK(length.stats().hits == 0);
    CHECK(length.stats().computed == 3);
    CHECK(blog.cache.stats().saved == ashmemo::Duration(4s));
  }

  TEST_CASE("the cost of a batch is divided among its records") {
    Blog blog;
    auto slow = blog.posts.calculation("slow", [&](Records<Post> batch) {
      blog.clock->advance(8s);
      return std::vector<int>(batch.size());
    });
    blog.posts.cache_calculation("slow", {});
    (void)slow(posts_up_to(4));
    CHECK(blog.cache.entry("Post:3:slow")->cost == ashmemo::Duration(2s));
  }
}
