// Single keys and values: put, get, overwrite, contains and entry.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

enum class Colour : std::uint8_t { red = 1, green = 2 };

/// Calls `check` three times: while the values are pending, when they are in the file, and after
/// reopening.
template <class F>
void at_every_place(CacheFixture& f, F check) {
  for (const std::string place : {"pending", "in the file", "reopened"}) {
    INFO(place);
    check();
    if (place == "pending") f->flush();
    if (place == "in the file") f.reopen();
  }
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("an empty value is stored and found") {
    CacheFixture f;
    CHECK(f->put("text", ""));
    CHECK(f->put("bytes", std::vector<std::byte>()));
    at_every_place(f, [&] {
      CHECK(f->get<std::string>("text") == "");
      CHECK(f->get<std::vector<std::byte>>("bytes") == std::vector<std::byte>());
      CHECK(f->contains("text"));
    });
  }

  TEST_CASE("all bytes, including NUL, are returned unchanged") {
    CacheFixture f;
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    const std::string text("before\0after", 12);
    std::vector<std::uint8_t> bytes(all.begin(), all.end());
    CHECK(f->put("bytes", bytes));
    CHECK(f->put("text", text));
    CHECK(f->put("all", all));
    at_every_place(f, [&] {
      CHECK(f->get<std::vector<std::uint8_t>>("bytes") == bytes);
      CHECK(f->get<std::string>("text") == text);
      CHECK(f->get<std::string>("all") == all);
    });
  }

  TEST_CASE("values from 0 bytes to 20 MB are returned unchanged") {
    CacheFixture f;
    const std::vector<std::size_t> sizes = {0,     1,     99,     1'000,     4'000,     4'061,
                                            4'062, 4'096, 65'536, 1'000'000, 20'000'000};
    for (const std::size_t size : sizes) {
      CHECK(f->put("of " + std::to_string(size), std::string(size, 'v')));
    }
    at_every_place(f, [&] {
      for (const std::size_t size : sizes) {
        const auto found = f->get<std::string>("of " + std::to_string(size));
        REQUIRE(found.has_value());
        CHECK(found->size() == size);
        CHECK(found->find_first_not_of('v') == std::string::npos);
      }
    });
  }

  TEST_CASE("overwriting a large value with a small one frees its pages") {
    CacheFixture f;
    CHECK(f->put("k", "small"));
    f->flush();
    const std::int64_t small = f->stats().bytes;
    for (int i = 0; i < 3; ++i) {
      CHECK(f->put("k", std::string(5'000'000, 'x')));
      f->flush();
      CHECK(f->stats().bytes > 5'000'000);
      CHECK(f->put("k", "small"));
      f->flush();
      CHECK(f->stats().bytes == small);
    }
    f->compact();
    CHECK(f->stats().file_bytes < 200'000);
    CHECK(f.raw().integer("PRAGMA freelist_count") == 0);
  }

  TEST_CASE("an empty optional that was stored is a hit") {
    CacheFixture f;
    CHECK(f->put("nothing", std::optional<int>()));
    CHECK(f->put("something", std::optional<int>(7)));
    at_every_place(f, [&] {
      const auto nothing = f->get<std::optional<int>>("nothing");
      REQUIRE(nothing.has_value());
      CHECK_FALSE(nothing->has_value());
      CHECK(f->get<std::optional<int>>("something") == std::optional<int>(7));
      CHECK_FALSE(f->get<std::optional<int>>("never put").has_value());
    });
    CHECK(f->stats().misses == 1);  // counted since the last opening
    CHECK(f->stats().hits == 2);
  }

  TEST_CASE("values of every built-in type are read back from the file") {
    CacheFixture f;
    const auto moment = std::chrono::system_clock::time_point(1'700'000'000s);
    CHECK(f->put("int", -42));
    CHECK(f->put("most", std::numeric_limits<std::uint64_t>::max()));
    CHECK(f->put("least", std::numeric_limits<std::int64_t>::min()));
    CHECK(f->put("double", 0.87));
    CHECK(f->put("nan", std::numeric_limits<double>::quiet_NaN()));
    CHECK(f->put("bool", true));
    CHECK(f->put("enum", Colour::green));
    CHECK(f->put("floats", std::vector<float>{1.5F, -2.5F}));
    CHECK(f->put("duration", 90min));
    CHECK(f->put("moment", moment));
    at_every_place(f, [&] {
      CHECK(f->get<int>("int") == -42);
      CHECK(f->get<std::uint64_t>("most") == std::numeric_limits<std::uint64_t>::max());
      CHECK(f->get<std::int64_t>("least") == std::numeric_limits<std::int64_t>::min());
      CHECK(f->get<double>("double") == 0.87);
      const auto nan = f->get<double>("nan");
      CHECK((nan && std::isnan(*nan)));
      CHECK(f->get<bool>("bool") == true);
      CHECK(f->get<Colour>("enum") == Colour::green);
      CHECK(f->get<std::vector<float>>("floats") == std::vector<float>{1.5F, -2.5F});
      CHECK(f->get<std::chrono::minutes>("duration") == 90min);
      CHECK(f->get<std::chrono::system_clock::time_point>("moment") == moment);
    });
  }

  TEST_CASE("a value of another type is a miss, counted and reported once") {
    CacheFixture f;
    CHECK(f->put("text", "forty-two"));
    CHECK(f->put("blob", std::vector<float>{1, 2, 3}));
    CHECK(f->put("huge", 300));
    at_every_place(f, [&] {
      CHECK_FALSE(f->get<int>("text").has_value());
      CHECK_FALSE(f->get<std::vector<double>>("blob").has_value());
      CHECK_FALSE(f->get<std::int8_t>("huge").has_value());
      CHECK(f->stats().hits == 0);
      CHECK(f->stats().misses % 3 == 0);
      CHECK(f->stats().undecodable == f->stats().misses);
    });
    f->flush();
    CHECK(f.heard.count(NoticeKind::undecodable) == 2);  // one for each opening
    CHECK(has(f.heard.last(NoticeKind::undecodable).what, "text"));
    CHECK(f->get<std::string>("text") == "forty-two");
  }

  TEST_CASE("putting the same value twice changes neither entries nor bytes") {
    CacheFixture f;
    CHECK(f->put("k", "value"));
    CHECK(f->get<std::string>("k") == "value");
    f->flush();
    const Stats once = f->stats();
    CHECK(once.entries == 1);
    CHECK(once.bytes > 0);
    CHECK(f->put("k", "value"));
    f->flush();
    CHECK(f->stats().entries == 1);
    CHECK(f->stats().bytes == once.bytes);
    CHECK(f->stats().replaced == 1);
    CHECK(f->stats().evicted == 0);
  }

  TEST_CASE("an overwrite changes the bytes by the difference and keeps the number of entries") {
    CacheFixture f;
    CHECK(f->put("other", "stays"));
    for (const std::size_t size : {10U, 2'000U, 100'000U, 0U, 50U}) {
      CHECK(f->put("k", std::string(size, 'x')));
      f->flush();
      CHECK(f->stats().entries == 2);
      const std::int64_t of_one = f->entry("k")->byte_size;
      CHECK(f->stats().bytes == of_one + f->entry("other")->byte_size);
      CHECK(of_one >= static_cast<std::int64_t>(size));
    }
  }

  TEST_CASE("the last of several writes of a key wins") {
    CacheFixture f;
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 10; ++i) CHECK(f->put("k", round * 10 + i));
      CHECK(f->get<int>("k") == round * 10 + 9);
      f->flush();
      CHECK(f->get<int>("k") == round * 10 + 9);
      CHECK(f->stats().entries == 1);
    }
  }

  TEST_CASE("contains, entry and for_each count no read and keep the eviction order") {
    CacheFixture f({.limits = {.max_entries = 3}});
    for (const char* key : {"a", "b", "c"}) CHECK(f->put(key, 1));
    f->flush();
    const Stats before = f->stats();
    for (int i = 0; i < 10; ++i) {
      CHECK(f->contains("a"));
      CHECK_FALSE(f->contains("z"));
      CHECK(f->entry("a").has_value());
      CHECK_FALSE(f->entry("z").has_value());
      CHECK(f.keys() == "a b c");
    }
    f->flush();
    const Stats after = f->stats();
    CHECK(after.hits == before.hits);
    CHECK(after.misses == before.misses);
    CHECK(after.touches_marked == 0);
    CHECK(after.commits == before.commits);
    CHECK(f->entry("a")->access_count == 0);
    CHECK(f->put("d", 1));
    f->flush();
    CHECK(f.keys() == "b c d");  // "a" is still the oldest entry
  }

  TEST_CASE("entry describes pending and stored entries alike") {
    CacheFixture f;
    const std::int64_t now = f.clock->wall_now();
    CHECK(f->put("for ever", 1));
    CHECK(f->put("an hour", 2, {.ttl = 1h}));
    at_every_place(f, [&] {
      const auto ever = f->entry("for ever");
      const auto hour = f->entry("an hour");
      REQUIRE(ever);
      REQUIRE(hour);
      CHECK(ever->key == "for ever");
      CHECK(ever->computed_at == now);
      CHECK(ever->expires_at == std::nullopt);
      CHECK(ever->fresh_until == std::nullopt);
      CHECK(ever->keep_until == std::nullopt);
      CHECK(ever->freshness == Freshness::fresh);
      CHECK(ever->calculation_id == std::nullopt);
      CHECK(ever->cost == std::nullopt);
      CHECK(ever->access_count == 0);
      CHECK(hour->expires_at == now + Duration(1h).count());
      CHECK(hour->fresh_until == std::nullopt);
      CHECK(hour->byte_size > ever->byte_size);  // it has an entry in the index on expires_at
      CHECK(ever->inserted_at >= now);
      CHECK(hour->inserted_at >= now);
    });
  }

  TEST_CASE("move assignment closes the cache that it replaces") {
    CacheFixture f;
    f.expect_no_order();  // f opens no cache
    Options options = f.options;
    Cache first(f.dir.path("first.db"), options);
    CHECK(first.put("k", 1));
    Cache moved(std::move(first));
    CHECK(moved.get<int>("k") == 1);
    Cache second(f.dir.path("second.db"), options);
    CHECK(second.put("k", 2));
    second = std::move(moved);
    CHECK(second.get<int>("k") == 1);
    // The assignment closed `second`, which stored its accepted writes.
    CHECK(Cache(f.dir.path("second.db"), options).get<int>("k") == 2);
  }
}
