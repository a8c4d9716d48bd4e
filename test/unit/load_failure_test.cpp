#include <doctest/doctest.h>
#include <ashmemo/ashmemo.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "blog_fixture.hpp"
#include "support/manual_executor.hpp"

// Calculations that throw, fail for single records, or return a wrong number of results.

using ashmemo::CalculationFailed;
using ashmemo::Failed;
using ashmemo::Outcome;
using ashmemo::Records;
using ashmemo::test::Blog;
using ashmemo::test::contains;
using ashmemo::test::error_code_of;
using ashmemo::test::error_of;
using ashmemo::test::Post;
using ashmemo::test::posts_up_to;
using namespace std::chrono_literals;

namespace {

struct Fragile {
  int x = 0;
};

/// A calculation that fails for even ids while `failing` is true.
struct FragileBlog : Blog {
  std::vector<Outcome<int>> compute(Records<Post> batch) {
    std::vector<Outcome<int>> out;
    for (const Post& post : batch) {
      calls.push_back({post.id});
      if (failing && post.id % 2 == 0) {
        out.emplace_back(Failed{"even: " + std::to_string(post.id)});
      } else {
        out.emplace_back(static_cast<int>(post.id));
      }
    }
    return out;
  }

  bool failing = true;
  ashmemo::Calculation<Post, int> fragile =
      posts.calculation("fragile", [this](Records<Post> batch) { return compute(batch); });
};

/// The copy constructor throws for number 2 while `*throws` is true.
struct Moody {
  Moody(int number, const bool* refuses) : x(number), throws(refuses) {}
  Moody(const Moody& other) : x(other.x), throws(other.throws) {
    if (x == 2 && *throws) throw std::runtime_error("moody");
  }
  int x;
  const bool* throws;
};

template <class F>
std::vector<CalculationFailed::Record> failed_records_of(F&& work) {
  try {
    work();
  } catch (const CalculationFailed& failed) {
    return failed.records();
  }
  return {};
}

}  // namespace

/// Only numbers below 10 can be stored.
template <>
struct ashmemo::Codec<Fragile> {
  static Value encode(const Fragile& value) {
    if (value.x >= 10) throw std::runtime_error("too large");
    return Value::integer(value.x);
  }
  static std::optional<Fragile> decode(ValueView stored) {
    return Fragile{static_cast<int>(stored.as_integer())};
  }
};

template <>
struct ashmemo::Codec<Moody> {
  static Value encode(const Moody& value) { return Value::integer(value.x); }
  static std::optional<Moody> decode(ValueView) { return std::nullopt; }
};

TEST_SUITE("unit") {
  TEST_CASE("a wrong number of results is an error with both numbers and nothing is stored") {
    Blog blog;
    std::size_t returned = 0;
    auto wrong = blog.posts.calculation(
        "wrong", [&](Records<Post>) { return std::vector<int>(returned, 1); });
    SUBCASE("the calculation is cached") { blog.posts.cache_calculation("wrong", {}); }
    SUBCASE("the calculation is not cached") {}
    for (const std::size_t number : {std::size_t{0}, std::size_t{2}, std::size_t{4}}) {
      returned = number;
      const auto load = [&] { (void)wrong(posts_up_to(3)); };
      CHECK(error_code_of(load) == static_cast<int>(ashmemo::ErrorCode::wrong_number_of_results));
      const std::string what = error_of(load);
      CHECK(contains(what, "'wrong' of 'Post'"));
      CHECK(contains(what, std::to_string(number) + " results"));
      CHECK(contains(what, "3 were asked"));
    }
    CHECK(blog.cache.stats().computed == 0);
    CHECK(blog.cache.stats().puts == 0);
    returned = 3;
    CHECK(wrong(posts_up_to(3)) == std::vector<int>{1, 1, 1});
  }

  TEST_CASE("records that fail are listed and the other results are stored") {
    FragileBlog blog;
    const auto& fragile = blog.fragile;
    blog.posts.cache_calculation("fragile", {});
    const std::vector<Post> all = posts_up_to(4);
    const std::vector<Post> page{all[3], all[0], all[3], all[2], all[1]};
    const auto records = failed_records_of([&] { (void)fragile(page); });
    REQUIRE(records.size() == 3);
    CHECK(records[0].index == 0);
    CHECK(records[0].key == "Post:4:fragile");
    CHECK(records[0].why == "even: 4");
    CHECK(records[1].index == 2);
    CHECK(records[1].key == "Post:4:fragile");
    CHECK(records[1].why == "even: 4");
    CHECK(records[2].index == 4);
    CHECK(records[2].key == "Post:2:fragile");
    CHECK(records[2].why == "even: 2");
    CHECK(fragile.stats().computed == 2);
    CHECK(fragile.stats().failed == 2);

    blog.failing = false;
    blog.calls.clear();
    CHECK(fragile(page) == std::vector<int>{4, 1, 4, 3, 2});
    CHECK(blog.calls == ashmemo::test::Calls{{4}, {2}});
  }

  TEST_CASE("a record that fails is listed once although the load names its calculation twice") {
    FragileBlog blog;
    blog.posts.cache_calculation("fragile", {});
    const std::vector<Post> page = posts_up_to(2);
    const auto records =
        failed_records_of([&] { (void)blog.posts.load(page, blog.fragile, blog.fragile); });
    REQUIRE(records.size() == 1);
    CHECK(records[0].index == 1);
  }

  TEST_CASE("a record that fails has a key although its calculation is not cached") {
    FragileBlog blog;
    const auto& fragile = blog.fragile;
    const std::vector<Post> all = posts_up_to(2);
    const auto load = [&] { (void)fragile({all[1], all[0], all[1]}); };
    const auto records = failed_records_of(load);
    REQUIRE(records.size() == 2);
    CHECK(records[0].key == "Post:2:fragile");
    CHECK(records[1].index == 2);
    CHECK(contains(error_of(load), "2 of 3 records"));
  }

  TEST_CASE("an exception from a batch reaches the caller and no result of the batch is stored") {
    Blog blog;
    int mode = 0;
    auto wild = blog.posts.calculation("wild", [&](Records<Post> batch) {
      if (mode == 1) throw std::out_of_range("standard");
      if (mode == 2) throw 42;  // NOLINT: not an exception class, on purpose
      return std::vector<int>(batch.size(), 1);
    });
    blog.posts.cache_calculation("wild", {});
    const std::vector<Post> page = posts_up_to(3);
    mode = 1;
    CHECK_THROWS_WITH_AS((void)wild(page), "standard", std::out_of_range);
    mode = 2;
    CHECK_THROWS_AS((void)wild(page), int);
    CHECK(wild.cached(page[0]) == std::nullopt);
    CHECK(wild.stats().failed == 6);
    CHECK(wild.stats().computed == 0);
    CHECK(blog.cache.stats().puts == 0);
    mode = 0;
    CHECK(wild(page) == std::vector<int>{1, 1, 1});
    CHECK(wild.cached(page[0]) == 1);
  }

  TEST_CASE("no result of a batch is stored if copying one of them throws") {
    Blog blog;
    bool throws = false;
    auto moody = blog.posts.calculation("moody", [&](Records<Post> batch) {
      std::vector<Moody> out;
      for (const Post& post : batch) out.push_back({static_cast<int>(post.id), &throws});
      throws = true;
      return out;
    });
    blog.posts.cache_calculation("moody", {});
    CHECK_THROWS_AS((void)moody(posts_up_to(3)), std::runtime_error);
    throws = false;
    CHECK(blog.cache.stats().puts == 0);
    CHECK(moody.stats().computed == 0);
    CHECK(moody.stats().failed == 3);
  }

  TEST_CASE("the results of single records before an exception are stored") {
    Blog blog;
    auto wild = blog.posts.calculation("wild", [&](const Post& post) {
      if (post.id == 3) throw 42;  // NOLINT
      return post.id;
    });
    blog.posts.cache_calculation("wild", {});
    const std::vector<Post> page = posts_up_to(4);
    CHECK_THROWS_AS((void)wild(page), int);
    CHECK(wild.cached(page) ==
          std::vector<std::optional<std::int64_t>>{1, 2, std::nullopt, std::nullopt});
    CHECK(wild.stats().computed == 2);
    CHECK(wild.stats().failed == 1);
    CHECK(wild({page[0], page[3]}) == std::vector<std::int64_t>{1, 4});
  }

  TEST_CASE("the results of earlier calculations of a load are stored when a later one throws") {
    Blog blog;
    auto length = blog.cached_length();
    auto wild = blog.posts.calculation("wild", [](Records<Post>) -> std::vector<int> { throw 1; });
    int later_calls = 0;
    auto later = blog.posts.calculation("later", [&](const Post&) { return ++later_calls; });
    blog.posts.cache_calculation("wild", {});
    blog.posts.cache_calculation("later", {});
    const std::vector<Post> page = posts_up_to(2);
    CHECK_THROWS_AS((void)blog.posts.load(page, length, wild, later), int);
    CHECK(length.cached(page) == std::vector<std::optional<int>>{1, 2});
    CHECK(later_calls == 0);
    CHECK(blog.cache.stats().misses == 6);
  }

  TEST_CASE("an exception from a key function reaches the caller before anything is computed") {
    Blog blog;
    int calls = 0;
    auto& odd = blog.registry.resource<Post>("Odd", [](const Post& post) {
      if (post.id == 2) throw 1;  // NOLINT
      return post.id;
    });
    auto count = odd.calculation("count", [&](const Post&) { return ++calls; });
    odd.cache_calculation("count", {});
    CHECK_THROWS_AS((void)count(posts_up_to(3)), int);
    CHECK(calls == 0);
    CHECK(count(Post{1, "", 0}) == 1);
  }

  TEST_CASE("a result that its codec cannot encode is returned and counted but not stored") {
    Blog blog;
    auto fragile = blog.posts.calculation(
        "fragile", [](const Post& post) { return Fragile{static_cast<int>(post.id)}; });
    blog.posts.cache_calculation("fragile", {});
    CHECK(fragile(Post{12, "", 0}).x == 12);
    CHECK(fragile(Post{7, "", 0}).x == 7);
    CHECK(blog.cache.stats().unencodable == 1);
    CHECK_FALSE(blog.cache.contains("Post:12:fragile"));
    CHECK(blog.cache.contains("Post:7:fragile"));
  }

  TEST_CASE("a refresh whose result cannot be stored removes the older value") {
    ashmemo::Options options;
    auto executor = std::make_shared<ashmemo::test::ManualExecutor>();
    options.hooks.executor = executor;
    options.limits.max_entry_bytes = 1'000;
    Blog blog(options);
    int x = 1;
    std::size_t size = 1;
    auto fragile = blog.posts.calculation("fragile", [&](const Post&) { return Fragile{x}; });
    auto text = blog.posts.calculation("text", [&](const Post&) { return std::string(size, 'x'); });
    for (const char* name : {"fragile", "text"}) {
      blog.posts.cache_calculation(name, {.ttl = 10min, .stale_while_revalidate = 1h});
    }
    const Post post{1, "", 0};
    CHECK(fragile(post).x == 1);
    CHECK(text(post).size() == 1);
    x = 12;
    size = 2'000;
    blog.clock->advance(10min);
    CHECK(fragile(post).x == 1);
    CHECK(text(post).size() == 1);
    CHECK(executor->run() == 2);
    CHECK_FALSE(blog.cache.contains("Post:1:fragile"));
    CHECK_FALSE(blog.cache.contains("Post:1:text"));
    CHECK(fragile(post).x == 12);
    CHECK(text(post).size() == 2'000);
    CHECK(blog.cache.stats().unencodable == 2);
    CHECK(blog.cache.stats().refused == 2);
  }

  TEST_CASE("a value that was put under a calculation's key is not its result") {
    Blog blog;
    auto length = blog.cached_length();
    CHECK(blog.cache.put("Post:1:length", 99));
    CHECK(length(Post{1, "a", 0}) == 1);
    CHECK(blog.cache.get<int>("Post:1:length") == 1);
  }

  TEST_CASE("a stored result of another type is a miss that is counted and replaced") {
    ashmemo::test::TempDir dir;
    const auto open = [&](auto calculation) {
      ashmemo::Cache cache(dir.path("types.db"),
                           {.hooks = {.worker = ashmemo::WorkerMode::manual}});
      ashmemo::Registry registry(cache);
      auto& posts = registry.resource<Post>("Post", &Post::id);
      auto handle = posts.calculation("x", calculation);
      posts.cache_calculation("x", {});
      (void)handle(Post{1, "", 0});
      (void)handle(Post{1, "", 0});
      return cache.stats();
    };
    (void)open([](const Post&) { return 300; });
    const ashmemo::Stats stats = open([](const Post&) { return std::int8_t{7}; });
    CHECK(stats.undecodable == 1);
    CHECK(stats.computed == 1);
    CHECK(stats.hits == 1);
  }

  TEST_CASE("a result that cannot be stored removes the older value that answers for failures") {
    Blog blog;
    int x = 1;
    auto fragile = blog.posts.calculation("fragile", [&](const Post&) {
      if (x == 0) throw std::runtime_error("down");
      return Fragile{x};
    });
    blog.posts.cache_calculation("fragile", {.ttl = 10min, .stale_if_error = 1h});
    const Post post{1, "", 0};
    CHECK(fragile(post).x == 1);
    x = 12;
    blog.clock->advance(10min);
    CHECK(fragile(post).x == 12);
    x = 0;
    CHECK_THROWS_AS((void)fragile(post), std::runtime_error);
  }
}
