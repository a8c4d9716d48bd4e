#include <doctest/doctest.h>
#include <ashmemo/ashmemo.hpp>
#include <chrono>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/temp_dir.hpp"

// Uses the API in the forms in which programs write it. Other tests check the details.

using namespace std::chrono_literals;

namespace {

struct Post {
  std::int64_t id = 0;
  std::string content;
  std::int64_t updated_at = 0;
  int words() const noexcept { return 1; }
};
struct OrderLine {
  int order = 0, line = 0;
  double price = 0;
};
struct FeaturedPost : Post {};

struct Application {  // keeps handles as members, so their types must have names
  ashmemo::Calculation<Post, int> word_count;
  ashmemo::Calculation<Post, std::string, int> excerpt;
};

struct Setup {
  ashmemo::test::TempDir dir;
  ashmemo::Cache cache{dir.path("usage.db")};
  ashmemo::Registry registry{cache};
};

std::vector<Post> three_posts() { return {{1, "one", 0}, {2, "fourteen words", 0}, {3, "", 0}}; }

ashmemo::Resource<Post>& declare_posts(ashmemo::Registry& registry) {
  auto& posts = registry.resource<Post>("Post", &Post::id);
  posts.record_version(&Post::updated_at);
  return posts;
}

int content_size(const Post& post) { return static_cast<int>(post.content.size()); }

Application declare_blog(ashmemo::Registry& registry) {
  auto& posts = declare_posts(registry);
  auto word_count = posts.calculation("word_count", content_size);
  auto excerpt = posts.calculation("excerpt", [](const Post& p, int max_chars) {
    return p.content.substr(0, static_cast<std::size_t>(max_chars));
  });
  posts.cache_calculation("word_count", {.ttl = 30min});
  return {word_count, excerpt};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("calculations accept records and pages of every kind") {
    Setup setup;
    const Application blog = declare_blog(setup.registry);
    std::vector<Post> page = three_posts();
    const std::vector<int> expected{3, 14, 0};

    std::vector<int> counts = blog.word_count(page);
    int one = blog.word_count(page[0]);
    FeaturedPost featured;
    featured.content = "12345";
    std::vector<int> listed = blog.word_count({page[0], page[1]});
    std::vector<std::shared_ptr<Post>> shared_posts{std::make_shared<Post>(page[1])};
    const Post* raw[2] = {&page[0], &page[1]};
    std::deque<std::optional<Post>> optionals(1, page[0]);

    CHECK(counts == expected);
    CHECK(one == 3);
    CHECK(blog.word_count(featured) == 5);
    CHECK(listed == std::vector<int>{3, 14});
    CHECK(blog.word_count(shared_posts) == std::vector<int>{14});
    CHECK(blog.word_count(raw) == std::vector<int>{3, 14});
    CHECK(blog.word_count(optionals) == std::vector<int>{3});
    CHECK(blog.excerpt(page, 5) == std::vector<std::string>{"one", "fourt", ""});
    CHECK(blog.excerpt(page[1], 5) == "fourt");
    std::vector<std::optional<int>> ready = blog.word_count.cached(page);
    CHECK(ready == std::vector<std::optional<int>>{3, 14, 0});
  }

  TEST_CASE("calculations can be declared in every supported form") {
    Setup setup;
    auto& posts = declare_posts(setup.registry);
    auto words = posts.calculation("words", &Post::words);
    auto number = posts.calculation("number", &Post::id);
    auto sentiment = posts.calculation("sentiment",
                                       [](ashmemo::Records<Post> batch) {
                                         std::vector<double> scores;
                                         for (const Post& p : batch)
                                           scores.push_back(static_cast<double>(p.id));
                                         return scores;
                                       },
                                       {.version = 2});
    auto tagged = posts.calculation(
        "tagged", [](const Post&, std::string_view tag) { return std::string(tag); });
    auto perhaps = posts.calculation("perhaps", [](ashmemo::Records<Post> batch) {
      return std::vector<std::optional<int>>(batch.size());
    });
    auto fragile = posts.calculation("fragile", [](ashmemo::Records<Post> batch) {
      return std::vector<ashmemo::Outcome<int>>(batch.size(), ashmemo::Outcome<int>(1));
    });
    auto flags = posts.calculation("flags", [](ashmemo::Records<Post> batch) {
      return std::vector<bool>(batch.size(), true);
    });
    auto view =
        posts.calculation("view", [](const Post& p) { return std::string_view(p.content); });
    auto echo = posts.calculation("echo", [](const Post&, const char* text) { return text; });
    posts.cache_calculation("sentiment",
                            {.ttl = std::chrono::hours::max(), .stale_while_revalidate = 1h});
    for (const char* name : {"tagged", "perhaps", "fragile", "flags", "view", "echo"}) {
      posts.cache_calculation(name, {});
    }

    const std::vector<Post> page = three_posts();
    for (int pass = 0; pass < 2; ++pass) {
      CAPTURE(pass);
      auto [ids, moods] = posts.load(page, number, sentiment);
      CHECK(ids == std::vector<std::int64_t>{1, 2, 3});
      CHECK(moods == std::vector<double>{1, 2, 3});
      auto [tags, ones] = posts.load(page, {.wait = 2s}, tagged.with("a"), words);
      CHECK(tags == std::vector<std::string>{"a", "a", "a"});
      CHECK(ones == std::vector<int>{1, 1, 1});
      CHECK(tagged(page, std::string("a") + "b") == std::vector<std::string>{"ab", "ab", "ab"});
      CHECK(perhaps(page) == std::vector<std::optional<int>>(3));
      CHECK(fragile(page) == std::vector<int>{1, 1, 1});
      CHECK(flags(page) == std::vector<bool>{true, true, true});
      CHECK(view(page[0]) == "one");
      CHECK(echo(page[0], "x") == "x");
    }
    ashmemo::Calculation<Post, std::string, std::string> again =
        posts.find<std::string, std::string>("tagged");
    CHECK(again.cached(page[0], "a") == "a");
  }

  TEST_CASE("a path is a record although it is a range") {
    Setup setup;
    using Path = std::filesystem::path;
    auto& files = setup.registry.resource<Path>("File", [](const Path& p) { return p.string(); });
    auto size = files.calculation(
        "size", [](const Path& p) { return static_cast<int>(p.string().size()); });
    files.cache_calculation("size", {});
    const std::vector<Path> paths{"a/b", "c"};
    CHECK(size(paths) == std::vector<int>{3, 1});
    CHECK(size(paths[0]) == 3);
    CHECK(size({Path("x"), Path("yy")}) == std::vector<int>{1, 2});
  }

  TEST_CASE("a cache stores values under keys and results under keys of records") {
    Setup setup;
    ashmemo::Cache& cache = setup.cache;
    CHECK(cache.put("theme", "dark", {.ttl = 1h}));
    CHECK(cache.get<std::string>("theme") == "dark");
    CHECK(cache.get_many<int>({"a", "b"}) == std::vector<std::optional<int>>(2));
    const std::vector<std::string> names{"a", "b"};
    CHECK(cache.get_many<int>(names) == std::vector<std::optional<int>>(2));
    auto vectors = cache.get_or_compute_many<std::vector<float>>(
        names, [](auto missing) { return std::vector<std::vector<float>>(missing.size()); },
        {.ttl = 24h});
    CHECK(vectors.size() == 2);

    auto& lines =
        setup.registry.resource<OrderLine>("OrderLine", &OrderLine::order, &OrderLine::line);
    std::string tenant = "acme";
    lines.scope([&] { return tenant; });
    auto price = lines.calculation("price", &OrderLine::price);
    lines.cache_calculation("price", {});
    CHECK(price(OrderLine{7, 3, 1.5}) == 1.5);
    CHECK(cache.contains("OrderLine:7:3:price@acme"));
  }

  TEST_CASE("a cache can be opened with and without limits") {
    ashmemo::test::TempDir dir;
    ashmemo::Cache plain{dir.path("plain.db")};
    ashmemo::Cache bounded{dir.path("blog.db"),
                           {.limits = {.max_entries = 50'000, .max_bytes = 64 * ashmemo::MiB}}};
    ashmemo::Cache open_ended{
        dir.path("big.db"),
        {.limits = {.max_entries = ashmemo::unlimited, .max_bytes = ashmemo::unlimited}}};
    CHECK(bounded.limits().max_entries.count() == 50'000);
    CHECK(open_ended.limits().max_bytes.is_unlimited());
  }
}
