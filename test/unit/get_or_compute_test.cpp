#include <doctest/doctest.h>
#include <ashmemo/ashmemo.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "blog_fixture.hpp"

// Computed values under the caller's own keys.

using namespace std::chrono_literals;
using ashmemo::test::contains;
using ashmemo::test::error_code_of;
using ashmemo::test::error_of;
using Keys = std::vector<std::string>;

namespace {

/// A cache with a loader that returns the length of each key and records the keys of each call.
struct Memo : ashmemo::test::Blog {
  std::vector<int> sizes(const Keys& keys, ashmemo::PutOptions options = {}) {
    return cache.get_or_compute_many<int>(
        keys,
        [this](std::span<const std::string_view> missing) {
          loaded.emplace_back(missing.begin(), missing.end());
          std::vector<int> out;
          for (const std::string_view key : missing) out.push_back(static_cast<int>(key.size()));
          return out;
        },
        options);
  }
  std::vector<Keys> loaded;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("get_or_compute_many without keys calls no loader and runs no SQL") {
    Memo memo;
    CHECK(memo.sizes({}).empty());
    memo.cache.flush();
    CHECK(memo.loaded.empty());
    CHECK(memo.cache.stats().commits == 0);
  }

  TEST_CASE("a loader receives each missing key once and results keep the order of the keys") {
    Memo memo;
    CHECK(memo.sizes({"bb", "a"}) == std::vector<int>{2, 1});
    CHECK(memo.sizes({"ccc", "a", "dddd", "ccc", "bb"}) == std::vector<int>{3, 1, 4, 3, 2});
    CHECK(memo.sizes({"a", "bb", "ccc"}) == std::vector<int>{1, 2, 3});
    CHECK(memo.loaded == std::vector<Keys>{{"bb", "a"}, {"ccc", "dddd"}});
    const ashmemo::Stats stats = memo.cache.stats();
    CHECK(stats.misses == 5);
    CHECK(stats.hits == 5);
    CHECK(stats.computed == 4);
  }

  TEST_CASE("a loader with a wrong number of results is an error and nothing is stored") {
    Memo memo;
    for (const std::size_t number : {std::size_t{1}, std::size_t{3}}) {
      const auto load = [&] {
        (void)memo.cache.get_or_compute_many<int>({"a", "b"},
                                                  [&](auto) { return std::vector<int>(number); });
      };
      CHECK(error_code_of(load) == static_cast<int>(ashmemo::ErrorCode::wrong_number_of_results));
      CHECK(contains(error_of(load), std::to_string(number) + " results"));
      CHECK(contains(error_of(load), "2 were asked"));
    }
    CHECK_FALSE(memo.cache.contains("a"));
  }

  TEST_CASE("an exception from a loader reaches the caller and nothing is stored") {
    Memo memo;
    const auto fail = [&] { return memo.cache.get_or_compute("a", []() -> int { throw 42; }); };
    CHECK_THROWS_AS((void)fail(), int);
    CHECK_FALSE(memo.cache.contains("a"));
    CHECK(memo.cache.get_or_compute("a", [] { return 7; }) == 7);
    CHECK(memo.cache.get_or_compute("a", [] { return 8; }) == 7);
  }

  TEST_CASE("the ttl of a loaded value begins when the loader returns") {
    Memo memo;
    (void)memo.cache.get_or_compute("a", [&] { return memo.clock->advance(1h), 1; }, {.ttl = 10s});
    memo.clock->advance(9s);
    CHECK(memo.cache.get<int>("a") == 1);
    memo.clock->advance(1s);
    CHECK(memo.cache.get_or_compute("a", [] { return 2; }) == 2);
    CHECK(memo.cache.entry("a")->expires_at == std::nullopt);
  }

  TEST_CASE("a text from a loader is stored as text whatever its type is") {
    Memo memo;
    const std::string first = memo.cache.get_or_compute("a", [] { return "literal"; });
    CHECK(first == "literal");
    CHECK(memo.cache.get<std::string>("a") == "literal");
  }

  TEST_CASE("a null pointer from a loader is stored as an empty text") {
    Memo memo;
    const char* const none = nullptr;
    CHECK(memo.cache.get_or_compute("k", [&] { return none; }).empty());
    CHECK(memo.cache.get<std::string>("k") == "");
  }

  TEST_CASE("an empty optional from a loader is stored and is not a miss") {
    Memo memo;
    int calls = 0;
    const auto none = [&] { return ++calls, std::optional<int>(); };
    CHECK(memo.cache.get_or_compute("a", none) == std::nullopt);
    CHECK(memo.cache.get_or_compute("a", none) == std::nullopt);
    CHECK(calls == 1);
  }

  TEST_CASE("get_or_compute refuses impossible keys and ttls before the loader runs") {
    Memo memo;
    const auto code = [&](const Keys& keys, ashmemo::PutOptions options) {
      return error_code_of([&] { (void)memo.sizes(keys, options); });
    };
    const auto invalid_key = static_cast<int>(ashmemo::ErrorCode::invalid_key);
    CHECK(code({"a", ""}, {}) == invalid_key);
    CHECK(code({std::string("a\0b", 3)}, {}) == invalid_key);
    CHECK(code({std::string(4097, 'x')}, {}) == invalid_key);
    CHECK(code({"a"}, {.ttl = 0s}) == static_cast<int>(ashmemo::ErrorCode::misuse));
    CHECK(contains(error_of([&] { (void)memo.sizes({"a"}, {.ttl = -1s}); }), "ttl is -1s"));
    CHECK(memo.loaded.empty());
    CHECK(memo.sizes({std::string(4096, 'x')}) == std::vector<int>{4096});
  }

  TEST_CASE("get_or_compute calls the loader every time after close") {
    Memo memo;
    (void)memo.sizes({"a"});
    memo.cache.close();
    CHECK(memo.sizes({"a", "a"}) == std::vector<int>{1, 1});
    CHECK(memo.loaded == std::vector<Keys>{{"a"}, {"a"}});
  }
}
