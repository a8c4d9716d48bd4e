// Many keys in one call: get_many, put_many, get_or_compute_many.

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <chrono>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

namespace {

/// A loader that returns "<key>!" and records the keys of each call.
struct Loader {
  std::vector<Texts> calls;
  std::vector<std::string> operator()(std::span<const std::string_view> missing) {
    calls.emplace_back(missing.begin(), missing.end());
    std::vector<std::string> out;
    for (const std::string_view key : missing) out.push_back(std::string(key) + '!');
    return out;
  }
};

std::vector<std::string> expected_for(const Texts& keys) {
  std::vector<std::string> out;
  for (const std::string& key : keys) out.push_back(key + '!');
  return out;
}

}  // namespace

/// A range that creates its elements during iteration.
template <class E>
struct Made {
  struct Iterator {
    using value_type = std::remove_cvref_t<E>;
    using difference_type = std::ptrdiff_t;
    E operator*() const;
    Iterator& operator++();
    Iterator operator++(int);
    bool operator==(const Iterator&) const;
  };
  [[nodiscard]] Iterator begin() const;
  [[nodiscard]] Iterator end() const;
};
// A range that returns temporary strings is rejected: views of them would dangle.
static_assert(!KeyRange<Made<std::string>>);
static_assert(KeyRange<Made<const std::string&>>);
static_assert(KeyRange<Made<std::string_view>>);
static_assert(KeyRange<Made<const char*>>);

/// A range that creates its pairs during iteration.
template <class Key>
struct MadePairs {
  struct Iterator {
    std::pair<Key, int> operator*() const;
    const std::pair<Key, int>* operator->() const;
  };
  [[nodiscard]] Iterator begin() const;
  [[nodiscard]] Iterator end() const;
};
static_assert(!ashmemo::detail::PairRange<MadePairs<std::string>>);
static_assert(ashmemo::detail::PairRange<MadePairs<const std::string&>>);
static_assert(ashmemo::detail::PairRange<MadePairs<std::string_view>>);
static_assert(ashmemo::detail::PairRange<std::map<std::string, int>>);

TEST_SUITE("system") {
  TEST_CASE("an empty batch calls no loader and writes nothing") {
    CacheFixture f;
    Loader loader;
    CHECK(f->get_many<int>(Texts()).empty());
    CHECK(f->get_or_compute_many<std::string>(Texts(), loader).empty());
    CHECK(f->put_many(std::vector<std::pair<std::string, int>>()) == 0);
    CHECK(f->touch_many({}) == 0);
    CHECK(f->erase_many(Texts()) == 0);
    f->flush();
    CHECK(loader.calls.empty());
    const Stats stats = f->stats();
    CHECK(stats.hits + stats.misses + stats.puts + stats.commits == 0);
  }

  TEST_CASE("the loader gets exactly the missing keys") {
    CacheFixture f;
    Loader loader;
    const Texts keys = {"d", "a", "c", "b"};
    CHECK(f->get_or_compute_many<std::string>(Texts{"a", "b"}, loader) ==
          std::vector<std::string>{"a!", "b!"});
    for (const std::string place : {"pending", "in the file"}) {
      INFO(place);
      loader.calls.clear();
      CHECK(f->erase_many(Texts{"c", "d"}) == (place == "pending" ? 0 : 2));
      CHECK(f->get_or_compute_many<std::string>(keys, loader) == expected_for(keys));
      CHECK(loader.calls == std::vector<Texts>{{"d", "c"}});
      CHECK(f->get_or_compute_many<std::string>(keys, loader) == expected_for(keys));
      CHECK(loader.calls.size() == 1);
      f->flush();
    }
  }

  TEST_CASE("results have the order of the keys for any mix of hits, misses and duplicates") {
    CacheFixture f;
    std::mt19937 random(19);
    for (int round = 0; round < 60; ++round) {
      INFO(round);
      std::set<std::string> present;
      f->clear();
      for (const std::string& key : numbered("k", 12)) {
        if (random() % 2 == 0) continue;
        CHECK(f->put(key, key + '!'));
        present.insert(key);
      }
      if (random() % 2 == 0) f->flush();
      Texts asked;
      for (auto i = random() % 40; i > 0; --i) {
        asked.push_back("k" + std::to_string(random() % 15));
      }
      const auto found = f->get_many<std::string>(asked);
      REQUIRE(found.size() == asked.size());
      for (std::size_t i = 0; i < asked.size(); ++i) {
        CHECK(found[i].has_value() == present.contains(asked[i]));
        if (found[i]) CHECK(*found[i] == asked[i] + '!');
      }
      Loader loader;
      CHECK(f->get_or_compute_many<std::string>(asked, loader) == expected_for(asked));
      std::set<std::string> missing(asked.begin(), asked.end());
      for (const std::string& key : present) missing.erase(key);
      CHECK(loader.calls.size() == (missing.empty() ? 0 : 1));
      if (missing.empty()) continue;
      CHECK(std::set<std::string>(loader.calls[0].begin(), loader.calls[0].end()) == missing);
      CHECK(loader.calls[0].size() == missing.size());
    }
  }

  TEST_CASE("a duplicate key counts as another hit or miss") {
    CacheFixture f;
    CHECK(f->put("a", 1));
    f->flush();
    CHECK(f->get_many<int>({"a", "b", "a", "b", "a"}) ==
          std::vector<std::optional<int>>{1, std::nullopt, 1, std::nullopt, 1});
    CHECK(f->stats().hits == 3);
    CHECK(f->stats().misses == 2);
    CHECK(f->stats().touches_marked == 3);
    f->flush();
    CHECK(f->entry("a")->access_count == 3);
  }

  TEST_CASE("a loader with a wrong number of values throws both numbers and stores nothing") {
    CacheFixture f;
    CHECK(f->put("there", "there!"));
    for (const std::size_t count : {0U, 1U, 3U}) {
      INFO(count);
      const auto error = thrown_by([&] {
        (void)f->get_or_compute_many<std::string>(
            Texts{"a", "there", "b"}, [&](auto) { return std::vector<std::string>(count, "x"); });
      });
      REQUIRE(error);
      CHECK(error->code() == ErrorCode::wrong_number_of_results);
      CHECK(has(error->what(), std::to_string(count)));
      CHECK(has(error->what(), "2"));
      CHECK(f.keys() == "there");
    }
    CHECK(f->get<std::string>("there") == "there!");
  }

  TEST_CASE("an exception of a loader reaches the caller and nothing is stored") {
    CacheFixture f;
    const Texts keys = {"a", "b"};
    const auto load = [&](auto&& thrown) {
      (void)f->get_or_compute_many<int>(keys, [&](auto) -> std::vector<int> { throw thrown; });
    };
    CHECK_THROWS_WITH_AS(load(std::out_of_range("mine")), "mine", std::out_of_range);
    CHECK_THROWS_AS(load(42), int);
    CHECK_THROWS_AS(load(std::make_shared<int>(7)), std::shared_ptr<int>);
    CHECK_THROWS_AS((void)f->get_or_compute("a", []() -> int { throw std::bad_alloc(); }),
                    std::bad_alloc);
    f->flush();
    CHECK(f->stats().entries == 0);
    CHECK(f->stats().puts == 0);
    Loader loader;
    CHECK(f->get_or_compute_many<std::string>(keys, loader) == expected_for(keys));
  }

  TEST_CASE("batch calls accept keys in any range") {
    CacheFixture f;
    const auto echo = [](auto missing) {
      static_assert(std::is_same_v<decltype(missing), std::span<const std::string_view>>);
      return std::vector<std::string>(missing.begin(), missing.end());
    };
    const std::vector<std::string> both = {"b", "a"};
    CHECK(f->get_or_compute_many<std::string>(std::list<std::string>{"b", "a"}, echo) == both);
    CHECK(f->get_or_compute_many<std::string>(std::deque<const char*>{"b", "a"}, echo) == both);
    CHECK(f->get_or_compute_many<std::string>({"b", "a"}, echo) == both);
    CHECK(f->get_many<std::string>(std::set<std::string>{"b", "a"}) ==
          std::vector<std::optional<std::string>>{"a", "b"});
    CHECK(f->put_many(std::map<std::string, int>{{"c", 1}, {"d", 2}}) == 2);
    CHECK(f->put_many<int>({{"e", 3}, {"f", 4}}) == 2);
    CHECK(f->touch_many(std::vector<std::string>{"a", "x"}) == 1);
    CHECK(f->touch_many({"a", "b"}) == 2);
    CHECK(f->erase_many(std::list<std::string_view>{"a", "b", "c"}) == 3);
    CHECK(f->put("a", 1));
    CHECK(f->erase_many({"a", "b"}) == 1);
    CHECK(f.keys() == "d e f");
  }

  TEST_CASE("memoized results equal direct results and a hit computes nothing") {
    CacheFixture f;
    int calls = 0;
    const auto square = [](int n) { return std::to_string(n * n); };
    const auto memoized = [&](int n) {
      return f->get_or_compute("square " + std::to_string(n), [&] { return ++calls, square(n); });
    };
    for (int pass = 0; pass < 3; ++pass) {
      for (int n = 0; n < 1'000; ++n) {
        if (memoized(n) != square(n)) FAIL(n);
      }
      CHECK(calls == 1'000);
      if (pass == 0) f->flush();
      if (pass == 1) f.reopen();
    }
    CHECK(f->stats().hits == 1'000);
    CHECK(f->stats().computed == 0);
  }

  TEST_CASE("the reads inside get_or_compute_many count once") {
    CacheFixture f;
    Loader loader;
    (void)f->get_or_compute_many<std::string>(Texts{"a", "b", "a"}, loader);
    CHECK(f->stats().misses == 3);
    CHECK(f->stats().computed == 2);
    CHECK(f->stats().puts == 2);
    (void)f->get_or_compute_many<std::string>(Texts{"a", "c"}, loader);
    CHECK(f->stats().hits == 1);
    CHECK(f->stats().misses == 4);
    CHECK(f->stats().computed == 3);
  }

  TEST_CASE("put_many keeps the later of two pairs with the same key") {
    CacheFixture f;
    const std::vector<std::pair<std::string, int>> pairs = {{"a", 1}, {"b", 2}, {"a", 3}};
    CHECK(f->put_many(pairs) == 3);
    CHECK(f->get<int>("a") == 3);
    f->flush();
    CHECK(f->get<int>("a") == 3);
    CHECK(f->stats().entries == 2);
  }

  TEST_CASE("a batch of 100,000 keys loses nothing") {
    CacheFixture f;
    SUBCASE("manual") {}
    SUBCASE("thread") {
      f.use_thread();
      f.options.timing.max_wait = 10min;  // a busy machine is slow, but no write may be dropped
    }
    constexpr int kKeys = 100'000;
    const Texts keys = numbered("key ", kKeys);
    std::vector<std::pair<std::string, int>> pairs;
    for (int i = 0; i < kKeys; i += 2) pairs.emplace_back(keys[static_cast<std::size_t>(i)], i);
    CHECK(f->put_many(pairs) == pairs.size());

    const auto half = f->get_many<int>(keys);
    int wrong = 0;
    for (int i = 0; i < kKeys; ++i) {
      const auto& found = half[static_cast<std::size_t>(i)];
      if (found != (i % 2 == 0 ? std::optional(i) : std::nullopt)) ++wrong;
    }
    CHECK(wrong == 0);

    std::size_t asked = 0;
    const auto all = f->get_or_compute_many<int>(keys, [&](auto missing) {
      asked += missing.size();
      std::vector<int> out;
      for (const auto key : missing) out.push_back(std::stoi(std::string(key.substr(4))));
      return out;
    });
    CHECK(asked == kKeys / 2);
    for (int i = 0; i < kKeys; ++i) wrong += all[static_cast<std::size_t>(i)] != i ? 1 : 0;
    CHECK(wrong == 0);
    f->flush();
    CHECK(f->stats().entries == kKeys);
    CHECK(f->stats().dropped == 0);
    CHECK(f->stats().hits == kKeys);
    CHECK(f->stats().misses == kKeys);
    std::vector<std::string_view> views(keys.begin(), keys.end());
    CHECK(f->touch_many(views) == kKeys);
    CHECK(f->erase_many(keys) == kKeys);
    CHECK(f->stats().entries == 0);
  }
}
