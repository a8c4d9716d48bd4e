// The memory tier: its hits, their cost, and that it never returns removed entries.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/cache_fixture.hpp"
#include "support/transaction_counter.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// A value whose codec calls the cache.
struct Curious {
  int value = 0;
  static inline std::function<void()> asks;
};

/// Stores the value and reads it until it is in the memory tier.
void warm(CacheFixture& f, const std::string& key, int value) {
  CHECK(f->put(key, value));
  f->flush();
  CHECK(f->get<int>(key) == value);
  const std::int64_t before = f->stats().memory_hits;
  CHECK(f->get<int>(key) == value);
  CHECK(f->stats().memory_hits == before + 1);
}

}  // namespace

template <>
struct ashmemo::Codec<Curious> {
  static Value encode(const Curious& curious) { return Value::integer(curious.value); }
  static std::optional<Curious> decode(ValueView stored) {
    if (Curious::asks) Curious::asks();
    return Curious{static_cast<int>(stored.as_integer())};
  }
};

TEST_SUITE("system") {
  TEST_CASE("hits of the memory tier count as hits and as memory hits") {
    CacheFixture f;
    CHECK(f->put("a", 1));
    CHECK(f->get<int>("a") == 1);  // pending
    f->flush();
    CHECK(f->stats().memory_entries == 0);
    CHECK(f->get<int>("a") == 1);  // in the file
    CHECK(f->stats().memory_hits == 0);
    CHECK(f->stats().memory_entries == 1);
    CHECK(f->stats().memory_bytes > 0);
    CHECK(f->stats().memory_bytes <= f.options.memory_bytes);
    for (int i = 0; i < 10; ++i) CHECK(f->get<int>("a") == 1);
    CHECK_FALSE(f->get<std::string>("a"));  // the value is an integer
    CHECK_FALSE(f->get<int>("b"));
    const Stats stats = f->stats();
    CHECK(stats.memory_hits == 10);
    CHECK(stats.hits == 12);
    CHECK(stats.misses == 2);
    CHECK(stats.undecodable == 1);
  }

  TEST_CASE("hits of the memory tier are written as touches") {
    CacheFixture f;
    CHECK(f->put("a", 1));
    f->flush();
    for (int i = 0; i < 5; ++i) CHECK(f->get<int>("a") == 1);
    CHECK(f->stats().memory_hits == 4);
    f->flush();
    CHECK(f->entry("a")->access_count == 5);
  }

  TEST_CASE("a cache with memory_bytes 0 has no memory tier") {
    CacheFixture f({.memory_bytes = 0});
    CHECK(f->put("a", 1));
    f->flush();
    for (int i = 0; i < 10; ++i) CHECK(f->get<int>("a") == 1);
    CHECK(f->stats().hits == 10);
    CHECK(f->stats().memory_hits == 0);
    CHECK(f->stats().memory_entries == 0);
    CHECK(f->stats().memory_bytes == 0);
  }

  TEST_CASE("memory_bytes below 64 KiB is refused by name") {
    for (const std::int64_t bytes : {std::int64_t{-1}, std::int64_t{1}, 64 * KiB - 1, INT64_MIN}) {
      CAPTURE(bytes);
      const TempDir dir;
      const auto error =
          thrown_by([&] { const Cache cache(dir.path("x.db"), {.memory_bytes = bytes}); });
      REQUIRE(error);
      CHECK(error->code() == ErrorCode::invalid_options);
      CHECK(has(error->what(), "memory_bytes"));
      CHECK(has(error->what(), std::to_string(bytes)));
      CHECK_FALSE(fs::exists(dir.path("x.db")));
    }
    CacheFixture smallest({.memory_bytes = 64 * KiB});
    warm(smallest, "a", 1);
  }

  TEST_CASE("a hit of the memory tier does not call SQLite") {
    for (const bool memory : {true, false}) {
      INFO(memory);
      const TransactionCounter counter;
      CacheFixture f({.memory_bytes = memory ? MiB : 0});
      CHECK(f->put("a", 1));
      f->flush();
      CHECK(f->get<int>("a") == 1);
      std::int64_t reads = 0;
      for (int i = 0; i < 10; ++i) {
        // After a commit a reader needs a new snapshot.
        CHECK(f->put("other", i));
        f->flush();
        const std::int64_t before = counter.reads();
        for (int n = 0; n < 100; ++n) CHECK(f->get<int>("a") == 1);
        reads += counter.reads() - before;
      }
      CHECK(reads == (memory ? 0 : 10));
      CHECK(f->stats().memory_hits == (memory ? 1'000 : 0));
    }
  }

  TEST_CASE("a hit of the memory tier allocates at most the copy of the value") {
    CacheFixture f;
    CHECK(f->put("number", 42));
    CHECK(f->put("text", std::string(500, 'x')));
    f->flush();
    Cache& cache = *f.operator->();
    const auto cost_of = [](const auto& work) {
      work();
      const std::int64_t before = allocations_here();
      work();
      return allocations_here() - before;
    };
    std::optional<int> number;
    CHECK(cost_of([&] { number = cache.get<int>("number"); }) == 0);
    CHECK(number == 42);
    std::optional<std::string> text;
    CHECK(cost_of([&] {
            text.reset();
            text = cache.get<std::string>("text");
          }) == 1);
    CHECK(text == std::string(500, 'x'));
    CHECK(f->stats().memory_hits == 2);
  }

  TEST_CASE("a codec may use the cache while it decodes a value of the memory tier") {
    CacheFixture f;
    CHECK(f->put("curious", Curious{7}));
    warm(f, "a", 1);
    CHECK(f->get<Curious>("curious")->value == 7);
    int asked = 0;
    Curious::asks = [&] {
      ++asked;
      CHECK(f->get<int>("a") == 1);
      CHECK(f->put("a", 1));
      CHECK(f->put("curious", 8));
      f->flush();
      (void)f->run_maintenance(1s);
      CHECK(f->clear() == 2);
    };
    CHECK(f->get<Curious>("curious")->value == 7);
    Curious::asks = nullptr;
    CHECK(asked == 1);
    CHECK(f->stats().memory_hits >= 2);
    CHECK_FALSE(f->get<Curious>("curious"));
  }

  TEST_CASE("the memory tier does not return removed or overwritten values") {
    struct Case {
      std::string name;
      std::function<void(CacheFixture&)> change;
      std::optional<int> afterwards = std::nullopt;
    };
    const std::vector<Case> cases = {
        {"put", [](CacheFixture& f) { CHECK(f->put("a b", 2)); }, 2},
        {"put, in the file",
         [](CacheFixture& f) {
           CHECK(f->put("a b", 2));
           f->flush();
         },
         2},
        {"erase", [](CacheFixture& f) { CHECK(f->erase("a b")); }},
        {"erase_prefix", [](CacheFixture& f) { CHECK(f->erase_prefix("a ") == 1); }},
        {"clear", [](CacheFixture& f) { CHECK(f->clear() == 1); }},
        {"eviction",
         [](CacheFixture& f) {
           f->set_limits({.max_entries = 0});
           (void)f.run_to_the_end();
           f->set_limits({});
           CHECK(f->stats().evicted == 1);
         }},
        {"a shell",
         [](CacheFixture& f) {
           CHECK(f.shell("DELETE FROM cache_entries") == "");
           (void)f->run_maintenance(1s);
         }},
        {"another file",
         [](CacheFixture& f) {
           f.close_raw();
           for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(f.path + suffix);
           f.clock->advance(1min);
           (void)f->run_maintenance(1s);
           f.clock->advance(1min);
           (void)f->run_maintenance(1s);
         }},
    };
    for (const Case& each : cases) {
      CAPTURE(each.name);
      CacheFixture f;
      warm(f, "a b", 1);
      each.change(f);
      CHECK(f->get<int>("a b") == each.afterwards);
      CHECK(f->get<int>("a b") == each.afterwards);
      f->flush();
      CHECK(f->get<int>("a b") == each.afterwards);
    }
  }

  TEST_CASE("the memory tier returns an entry until it expires and not after its deletion") {
    CacheFixture f;
    const std::int64_t start = f.clock->wall_now();
    CHECK(f->put("a", 1, {.ttl = 10s}));
    f->flush();
    CHECK(f->get<int>("a") == 1);
    f.clock->advance(10s - 1us);
    CHECK(f->get<int>("a") == 1);
    CHECK(f->stats().memory_hits == 1);
    f.clock->advance(1us);
    CHECK_FALSE(f->get<int>("a"));
    CHECK(f->stats().expired_misses == 1);
    f.run_to_the_end();
    f.clock->set_wall(start);
    CHECK_FALSE(f->get<int>("a"));
    CHECK(f->stats().memory_entries == 0);
  }

  TEST_CASE("the memory tier stays within memory_bytes during mixed work") {
    CacheFixture f({.limits = {.max_entries = 400}, .memory_bytes = 128 * KiB});
    for (int round = 0; round < 5; ++round) {
      for (int i = 0; i < 500; ++i) {
        const std::string key = "k" + std::to_string((i * 37 + round) % 90);
        const auto text = f->get<std::string>(key);
        if (!text) CHECK(f->put(key, key + std::string(static_cast<std::size_t>(i), 'x')));
        if (text) CHECK(text->starts_with(key));
        if (i % 50 == 0) f->flush();
        if (i % 97 == 0) (void)f->erase_prefix("k1");
      }
      CHECK(f->stats().memory_bytes <= 128 * KiB);
    }
    CHECK(f->stats().memory_hits > 0);
  }
}
