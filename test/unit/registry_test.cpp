#include <doctest/doctest.h>
#include <ashmemo/ashmemo.hpp>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "blog_fixture.hpp"

using namespace std::chrono_literals;
using ashmemo::CachePolicy;
using ashmemo::Calculation;
using ashmemo::Records;
using ashmemo::Registry;
using ashmemo::Resource;
using ashmemo::test::Blog;
using ashmemo::test::contains;
using ashmemo::test::error_code_of;
using ashmemo::test::error_of;
using ashmemo::test::Post;

namespace {

constexpr int kMisuse = static_cast<int>(ashmemo::ErrorCode::misuse);
constexpr int kUnknown = static_cast<int>(ashmemo::ErrorCode::unknown_calculation);

struct NoCodec {
  int x = 0;
};
struct Shape {
  virtual ~Shape() = default;
  int id = 0;
};
struct Unique {
  std::unique_ptr<int> id = std::make_unique<int>(7);
};
struct OrderLine {
  int order = 0;
  std::string line;
};

static_assert(!std::is_copy_constructible_v<Resource<Post>>);
static_assert(std::is_nothrow_move_constructible_v<Calculation<Post, int>>);

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("registering an empty or duplicate name is misuse") {
    Blog blog;
    const auto again = [&] { (void)blog.registry.resource<OrderLine>("Post", &OrderLine::order); };
    CHECK(error_code_of(again) == kMisuse);
    CHECK(contains(error_of(again), "'Post' is registered already"));
    CHECK(error_code_of([&] { (void)blog.registry.resource<Post>("", &Post::id); }) == kMisuse);

    (void)blog.declare_length();
    CHECK(error_code_of([&] { (void)blog.declare_length(); }) == kMisuse);
    CHECK(contains(error_of([&] { (void)blog.declare_length(); }), "'length' of 'Post'"));
    const auto nameless = [&] { (void)blog.posts.calculation("", &Post::id); };
    CHECK(error_code_of(nameless) == kMisuse);
    CHECK(blog.registry.resources() == std::vector<std::string>{"Post"});
  }

  TEST_CASE("find_resource returns the registered object after more registrations") {
    Blog blog;
    for (int i = 0; i < 100; ++i) {
      (void)blog.registry.resource<OrderLine>("Line" + std::to_string(i), &OrderLine::order);
    }
    CHECK(&blog.registry.find_resource<Post>("Post") == &blog.posts);
    CHECK(blog.registry.resources().size() == 101);
    const auto unknown = [&] { (void)blog.registry.find_resource<Post>("Pst"); };
    CHECK(error_code_of(unknown) == kMisuse);
    CHECK(contains(error_of(unknown), "Post, Line0"));
    CHECK(error_code_of([&] { (void)blog.registry.find_resource<OrderLine>("Post"); }) == kMisuse);
  }

  TEST_CASE("find returns a calculation by name and types") {
    Blog blog;
    (void)blog.declare_length();
    (void)blog.posts.calculation("cut", [](const Post& post, int n) {
      return post.content.substr(0, static_cast<std::size_t>(n));
    });
    const Calculation<Post, int> length = blog.posts.find<int>("length");
    CHECK(length(Post{1, "four", 0}) == 4);
    const auto cut = blog.posts.find<std::string, int>("cut");
    CHECK(cut(Post{1, "four", 0}, 2) == "fo");

    const auto unknown = [&] { (void)blog.posts.find<int>("lenght"); };
    CHECK(error_code_of(unknown) == kUnknown);
    CHECK(contains(error_of(unknown), "length, cut"));
    const auto wrong_result = [&] { (void)blog.posts.find<double>("length"); };
    CHECK(error_code_of(wrong_result) == kMisuse);
    CHECK(contains(error_of(wrong_result), "'length' of 'Post'"));
    CHECK(error_code_of([&] { (void)blog.posts.find<std::string>("cut"); }) == kMisuse);
  }

  TEST_CASE("cache_calculation names the calculation or setting that it refuses") {
    Blog blog;
    (void)blog.declare_length();
    (void)blog.posts.calculation("opaque", [](const Post&) { return NoCodec{}; });
    const auto refusal = [&](const char* name, const CachePolicy& policy) {
      return error_of([&] { blog.posts.cache_calculation(name, policy); });
    };
    CHECK(contains(refusal("wrods", {}), "'Post' has no calculation 'wrods'"));
    CHECK(contains(refusal("wrods", {}), "length, opaque"));
    CHECK(error_code_of([&] { blog.posts.cache_calculation("wrods", {}); }) == kUnknown);
    CHECK(contains(refusal("opaque", {}), "'opaque'"));
    CHECK(contains(refusal("opaque", {}), "Codec"));
    CHECK(contains(refusal("length", {.ttl = 0s}), "ttl is 0s"));
    CHECK(contains(refusal("length", {.ttl = -1s}), "ttl is -1s"));
    CHECK(contains(refusal("length", {.stale_while_revalidate = -1s}), "stale_while_revalidate"));
    CHECK(contains(refusal("length", {.stale_if_error = -1s}), "stale_if_error"));
    CHECK(contains(refusal("length", {.negative_ttl = -1s}), "negative_ttl"));
    CHECK(refusal("length", {.ttl = 1h}).empty());
    CHECK(contains(refusal("length", {.ttl = 1h}), "cached already"));
    CHECK(error_code_of([&] { blog.posts.cache_calculation("length", {}); }) == kMisuse);
  }

  TEST_CASE("a window that would have no effect is refused by name") {
    Blog blog;
    (void)blog.declare_length();
    (void)blog.posts.calculation("find", [](const Post&) { return std::optional<int>(); });
    const auto refused = [&](const char* name, const CachePolicy& policy, const char* field) {
      std::string subject;
      try {
        blog.posts.cache_calculation(name, policy);
      } catch (const ashmemo::Error& error) {
        CHECK(static_cast<int>(error.code()) == kMisuse);
        CHECK(contains(error.what(), std::string("calculation '") + name + "' of 'Post'"));
        subject = error.subject();
      }
      CHECK(subject == field);
    };
    refused("length", {.stale_while_revalidate = 1h}, "stale_while_revalidate");
    refused("length", {.stale_if_error = 1h}, "stale_if_error");
    refused("length", {.ttl = 1h, .negative_ttl = 1h}, "negative_ttl");
    refused("length", {.ttl = 1h, .negative_ttl = 0s}, "negative_ttl");
    refused("find", {.stale_while_revalidate = 1h, .negative_ttl = 0s}, "stale_while_revalidate");
    SUBCASE("windows of no length, and windows with a ttl, are accepted") {
      blog.posts.cache_calculation("length", {.stale_while_revalidate = 0s, .stale_if_error = 0s});
      blog.posts.cache_calculation("find", {.ttl = 1h, .stale_if_error = 1h});
    }
    SUBCASE("stale windows of empty results begin with their negative_ttl") {
      blog.posts.cache_calculation("find", {.stale_if_error = 1h, .negative_ttl = 1min});
    }
  }

  TEST_CASE("a calculation without a policy that computes 1,000 results is reported once") {
    int heard = 0;
    Blog blog({.hooks = {.on_error = [&heard](const ashmemo::Notice& notice) {
                 CHECK(notice.kind == ashmemo::NoticeKind::not_cached);
                 CHECK(notice.subject == "length");
                 CHECK(contains(notice.what, "'length' of 'Post' has computed 1000 results"));
                 CHECK(contains(notice.what, "call cache_calculation"));
                 ++heard;
               }}});
    auto length = blog.declare_length();
    (void)blog.posts.calculation("stored", &Post::id);
    blog.posts.cache_calculation("stored", {});
    const auto stored = blog.posts.find<std::int64_t>("stored");
    const std::vector<Post> page = ashmemo::test::posts_up_to(999);
    const auto reports = [&] {
      blog.cache.flush();
      return heard;
    };
    (void)stored(ashmemo::test::posts_up_to(2'000));
    (void)length(page);
    CHECK(reports() == 0);
    (void)length(page[0]);
    CHECK(reports() == 1);
    (void)length(page);
    CHECK(reports() == 1);
  }

  TEST_CASE("stale_while_revalidate requires records that can be copied completely") {
    Blog blog;
    auto& shapes = blog.registry.resource<Shape>("Shape", &Shape::id);
    (void)shapes.calculation("id", &Shape::id);
    const auto stale_shapes = [&] {
      shapes.cache_calculation("id", {.ttl = 1s, .stale_while_revalidate = 1s});
    };
    CHECK(error_code_of(stale_shapes) == kMisuse);
    CHECK(contains(error_of(stale_shapes), "'id' of 'Shape'"));
    CHECK(contains(error_of(stale_shapes), "its records are polymorphic"));
    shapes.cache_calculation("id", {.ttl = 1s, .stale_if_error = 1s});

    auto& uniques = blog.registry.resource<Unique>("Unique", [](const Unique& u) { return *u.id; });
    auto number = uniques.calculation("number", [](const Unique& u) { return *u.id; });
    const auto stale = [&] {
      uniques.cache_calculation("number", {.ttl = 1s, .stale_while_revalidate = 1s});
    };
    CHECK(error_code_of(stale) == kMisuse);
    CHECK(contains(error_of(stale), "'number' of 'Unique'"));
    CHECK(contains(error_of(stale), "its records cannot be copied"));
    uniques.cache_calculation("number", {.ttl = 1h});
    CHECK(number(Unique{}) == 7);
    CHECK(number.cached(Unique{}) == 7);
  }

  TEST_CASE("a resource accepts no registrations after its first load") {
    Blog blog;
    auto length = blog.declare_length();
    (void)blog.posts.calculation("late", &Post::id);
    SUBCASE("the first load is a call") { (void)length(Post{}); }
    SUBCASE("the first load is cached()") { (void)length.cached(Post{}); }
    SUBCASE("the first load is warm()") { (void)length.warm({Post{}}); }
    SUBCASE("invalidate_all() comes instead of a load") { length.invalidate_all(); }
    SUBCASE("the first load is a call in a closed cache") {
      blog.cache.close();
      (void)length(Post{});
    }
    CHECK(error_code_of([&] { blog.posts.cache_calculation("late", {}); }) == kMisuse);
    CHECK(error_code_of([&] { blog.posts.record_version(&Post::updated_at); }) == kMisuse);
    CHECK(error_code_of([&] { blog.posts.scope([] { return 1; }); }) == kMisuse);
    const auto declare = [&] { (void)blog.posts.calculation("later", &Post::id); };
    CHECK(error_code_of(declare) == kMisuse);
    CHECK(contains(error_of(declare), "'later'"));
    auto& lines = blog.registry.resource<OrderLine>("Line", &OrderLine::order);
    CHECK(lines.calculation("order", &OrderLine::order)(OrderLine{3, ""}) == 3);
  }

  TEST_CASE("a resource accepts registrations after a load of an empty page") {
    Blog blog;
    auto length = blog.declare_length();
    CHECK(length(std::vector<Post>()).empty());
    blog.posts.cache_calculation("length", {});
    CHECK(blog.calls.empty());
  }

  TEST_CASE("record_version and scope can be set only once") {
    Blog blog;
    blog.posts.record_version(&Post::updated_at).scope([] { return 1; });
    CHECK(error_code_of([&] { blog.posts.record_version(&Post::id); }) == kMisuse);
    CHECK(error_code_of([&] { blog.posts.scope([] { return 2; }); }) == kMisuse);
  }

  TEST_CASE("a key contains record, arguments and scope in readable form") {
    Blog blog;
    std::string tenant = "acme";
    auto& lines =
        blog.registry.resource<OrderLine>("Order:Line", &OrderLine::order, &OrderLine::line);
    auto total =
        lines.calculation("total", [](const OrderLine&, bool vat, std::string_view currency) {
          return std::string(currency) + (vat ? "+" : "");
        });
    const OrderLine line{7, "a:b"};
    CHECK(lines.key(line) == "Order%3ALine:7:a%3Ab");
    CHECK(total.key(line, true, "EUR") == "Order%3ALine:7:a%3Ab:total(true,EUR)");
    lines.scope([&] { return tenant; });
    CHECK(total.key(line, false, "EUR") == "Order%3ALine:7:a%3Ab:total(false,EUR)@acme");
    CHECK(blog.declare_length().key(Post{42, "", 0}) == "Post:42:length");
    CHECK(blog.posts.key(Post{42, "", 0}) == "Post:42");
    CHECK(lines.name() == "Order:Line");
    CHECK(total.name() == "total");
  }

  TEST_CASE("one callable can return a composite key") {
    Blog blog;
    auto& lines = blog.registry.resource<OrderLine>(
        "Line", [](const OrderLine& line) { return std::tuple(line.order, line.line); });
    CHECK(lines.key(OrderLine{7, "x"}) == "Line:7:x");
    CHECK(lines.calculation("order", &OrderLine::order).key(OrderLine{7, "x"}) == "Line:7:x:order");
  }

  TEST_CASE("calculations() lists names, versions and policies in the order of registration") {
    Blog blog;
    (void)blog.declare_length(3);
    (void)blog.posts.calculation("id", &Post::id);
    blog.posts.cache_calculation("length", {.ttl = 30min, .stale_while_revalidate = 1h});
    const std::vector<ashmemo::CalculationInfo> known = blog.posts.calculations();
    REQUIRE(known.size() == 2);
    CHECK(known[0].name == "length");
    CHECK(known[0].version == 3);
    CHECK(known[0].takes_batches);
    REQUIRE(known[0].policy.has_value());
    CHECK(known[0].policy == CachePolicy{.ttl = 30min, .stale_while_revalidate = 1h});
    CHECK(to_string(*known[0].policy) == "ttl 30m, stale_while_revalidate 1h");
    CHECK(known[1].name == "id");
    CHECK_FALSE(known[1].takes_batches);
    CHECK_FALSE(known[1].policy.has_value());
    CHECK(to_string(CachePolicy{}) == "ttl forever");
  }

  TEST_CASE("every call of an empty handle is misuse") {
    const Calculation<Post, int> empty;
    CHECK_FALSE(static_cast<bool>(empty));
    CHECK(error_code_of([&] { (void)empty(Post{}); }) == kMisuse);
    CHECK(error_code_of([&] { (void)empty.cached(Post{}); }) == kMisuse);
    CHECK(error_code_of([&] { (void)empty.warm({Post{}}); }) == kMisuse);
    CHECK(error_code_of([&] { empty.invalidate(Post{}); }) == kMisuse);
    CHECK(error_code_of([&] { empty.invalidate_all(); }) == kMisuse);
    CHECK(error_code_of([&] { (void)empty.name(); }) == kMisuse);
    CHECK(error_code_of([&] { (void)empty.key(Post{}); }) == kMisuse);
    CHECK(error_code_of([&] { (void)empty.stats(); }) == kMisuse);
    Blog blog;
    CHECK(error_code_of([&] { (void)blog.posts.load({Post{}}, empty); }) == kMisuse);
  }

  TEST_CASE("a load refuses the calculation of another resource") {
    Blog blog;
    auto& drafts = blog.registry.resource<Post>("Draft", &Post::id);
    auto id = drafts.calculation("id", &Post::id);
    CHECK(error_code_of([&] { (void)blog.posts.load({Post{}}, id); }) == kMisuse);
  }

  TEST_CASE("a registry refuses a cache that was moved from") {
    Blog blog;
    ashmemo::Cache moved = std::move(blog.cache);
    CHECK(error_code_of([&] { Registry registry(blog.cache); }) == kMisuse);
    blog.cache = std::move(moved);
  }
}
