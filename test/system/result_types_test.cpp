// A calculation whose results or arguments have another type than before: the stored results are
// misses, without a new version of the calculation.

#include <doctest/doctest.h>

#include <ashmemo/ashmemo.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Post {
  std::int64_t id = 0;
};

enum class Mood : std::uint8_t { bad, good };
enum class Language : std::uint8_t { english, french };

struct Colour {
  std::int64_t rgb = 0;
  friend bool operator==(const Colour&, const Colour&) = default;
};
struct Length {
  std::int64_t metres = 0;
  friend bool operator==(const Length&, const Length&) = default;
};
/// Length under another name. The codecs have the same `type_name`.
struct Distance {
  std::int64_t metres = 0;
  friend bool operator==(const Distance&, const Distance&) = default;
};

/// An argument that cannot be stored.
struct Page {
  int number = 0;
};

}  // namespace

template <>
struct ashmemo::KeyPart<Page> {
  static std::string text(const Page& page) { return std::to_string(page.number); }
};
template <>
struct ashmemo::Codec<Colour> {
  static Value encode(const Colour& colour) { return Value::integer(colour.rgb); }
  static std::optional<Colour> decode(ValueView stored) { return Colour{stored.as_integer()}; }
};
template <>
struct ashmemo::Codec<Length> {
  static constexpr std::string_view type_name = "metres";
  static Value encode(const Length& length) { return Value::integer(length.metres); }
  static std::optional<Length> decode(ValueView stored) { return Length{stored.as_integer()}; }
};
template <>
struct ashmemo::Codec<Distance> {
  static constexpr std::string_view type_name = "metres";
  static Value encode(const Distance& length) { return Value::integer(length.metres); }
  static std::optional<Distance> decode(ValueView stored) { return Distance{stored.as_integer()}; }
};

namespace {

/// Opens the cache anew, as a program whose calculation has this result. True: it was computed.
template <class R>
bool computes(CacheFixture& f, const R& result) {
  f.reopen();
  int computed = 0;
  {
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    auto calculation = posts.calculation("result", [&](const Post&) {
      ++computed;
      return result;
    });
    posts.cache_calculation("result", {});
    CHECK(calculation(Post{1}) == result);
  }
  f->flush();
  return computed == 1;
}

/// The same for a calculation with this argument. All arguments of the tests have the key "80".
template <class Argument>
bool computes_with(CacheFixture& f, const Argument& argument) {
  f.reopen();
  int computed = 0;
  {
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    auto calculation =
        posts.calculation("result", [&](const Post&, const Argument&) { return ++computed; });
    posts.cache_calculation("result", {});
    CHECK(calculation.key(Post{1}, argument) == "Post:1:result(80)");
    (void)calculation(Post{1}, argument);
  }
  f->flush();
  return computed == 1;
}

/// Uses the result types one after the other in one file. The first load of each type computes,
/// because the stored result has another type. The second load finds the result.
template <class... R>
void check_each_is_computed(const R&... results) {
  CacheFixture f;
  (
      [&] {
        CAPTURE(detail::type_name<R>());
        CHECK(computes(f, results));
        CHECK_FALSE(computes(f, results));
      }(),
      ...);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("results of another type are misses and are computed again") {
    check_each_is_computed(
        std::vector<float>{1, 2}, std::vector<std::int8_t>{1, 2}, std::vector<double>{1, 2},
        std::vector<std::uint8_t>{1, 2}, std::vector<bool>{true, false}, 90s, 90ms, 90min,
        std::chrono::duration<double>(90), Mood::good, Language::french, std::int64_t{1}, true,
        1.0F, 1.0, std::string("text"), std::optional<int>(), std::optional<bool>(), Colour{7},
        Length{7}, std::chrono::sys_seconds(90s),
        std::chrono::sys_time<std::chrono::minutes>(90min));
  }

  TEST_CASE("results whose type keeps its name answer, whatever the type is called") {
    CacheFixture f;
    CHECK(computes(f, std::int32_t{5}));
    CHECK_FALSE(computes(f, std::int64_t{5}));
    CHECK_FALSE(computes(f, std::uint8_t{5}));
    CHECK(computes(f, Length{5}));
    CHECK_FALSE(computes(f, Distance{5}));
  }

  TEST_CASE("results for arguments of another type are misses and are computed again") {
    CacheFixture f;
    const auto check = [&](const auto&... arguments) {
      (
          [&] {
            CHECK(computes_with(f, arguments));
            CHECK_FALSE(computes_with(f, arguments));
          }(),
          ...);
    };
    check(80s, 80ms, 80, 80.0F, 80.0, Mood{80}, Language{80}, std::string("80"), Page{80});
    CHECK(f.raw().rows("SELECT result_type FROM cache_calculations WHERE retired = 0") ==
          "integer of ((anonymous)::Page;)");
    CHECK(computes_with(f, std::int32_t{80}));
    CHECK_FALSE(computes_with(f, std::uint64_t{80}));
  }

  TEST_CASE("results of the type before are removed by the worker") {
    CacheFixture f;
    CHECK(computes(f, 90s));
    CHECK(computes(f, 90ms));
    f.run_to_the_end();
    CHECK(f.rows_in_file() == 1);
    CHECK(f.raw().rows("SELECT name, result_type, retired FROM cache_calculations") ==
          "result|duration of integer in 1/1000 s|0");
    REQUIRE(f->calculations().size() == 1);
    CHECK(f->calculations()[0].result_type == "duration of integer in 1/1000 s");
  }

  TEST_CASE("one calculation with two types of results in one process is misuse") {
    CacheFixture f;
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    auto seconds = posts.calculation("result", [](const Post&) { return 90s; });
    posts.cache_calculation("result", {});
    CHECK(seconds(Post{1}) == 90s);
    Registry other(f.cache());
    auto& same = other.resource<Post>("Post", &Post::id);
    auto milliseconds = same.calculation("result", [](const Post&) { return 90ms; });
    same.cache_calculation("result", {});
    CHECK(code_thrown_by([&] { (void)milliseconds(Post{1}); }) == "misuse");
    CHECK(seconds(Post{1}) == 90s);
  }

  TEST_CASE("another reader with another type of results computes for itself") {
    CacheFixture f;
    CHECK(computes(f, 90s));
    Options options = f.options;
    options.access = Access::read_only;
    Cache reader(f.path, options);
    Registry registry(reader);
    auto& posts = registry.resource<Post>("Post", &Post::id);
    auto milliseconds = posts.calculation("result", [](const Post&) { return 5ms; });
    posts.cache_calculation("result", {});
    CHECK(milliseconds(Post{1}) == 5ms);
    CHECK_FALSE(computes(f, 90s));
  }
}
