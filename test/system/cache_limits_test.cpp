// Limits: entries, bytes, the size of one entry, and changes while the cache is open.

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/policies.hpp"
#include "support/rendezvous.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// The byte_size of an entry with this key and a value of this size.
std::int64_t cost_of(CacheFixture& f, const std::string& key, std::size_t bytes) {
  REQUIRE(f->put(key, std::string(bytes, 'x')));
  const std::int64_t cost = f->entry(key)->byte_size;
  (void)f->erase(key);
  return cost;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("both limits hold after every flush and the totals equal the rows") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      const Limits limits{.max_entries = 60, .max_bytes = 200'000};
      CacheFixture f({.limits = limits, .eviction = eviction});
      std::mt19937 random(36);
      std::int64_t most_entries = 0;
      std::int64_t most_bytes = 0;
      for (int round = 0; round < 60; ++round) {
        for (unsigned i = 0; i < 1 + random() % 30; ++i) {
          const std::size_t size = random() % 4 == 0 ? random() % 20'000 : random() % 50;
          CHECK(f->put("k" + std::to_string(random() % 150), std::string(size, 'x')));
          (void)f->get<std::string>("k" + std::to_string(random() % 150));
        }
        f.check_file();
        const Stats stats = f->stats();
        most_entries = std::max(most_entries, stats.entries);
        most_bytes = std::max(most_bytes, stats.bytes);
      }
      CHECK(most_entries == 60);  // the entries reached the limit
      CHECK(most_bytes > 150'000);
      CHECK(f->stats().evicted > 100);
    }
  }

  TEST_CASE("fifo keeps the last entries of a batch that is larger than the limit") {
    CacheFixture f({.limits = {.max_entries = 100}, .eviction = Eviction::fifo});
    f.fill("k", 5'000);
    f->flush();
    CHECK(f->stats().entries == 100);
    CHECK(f->stats().evicted == 4'900);
    CHECK_FALSE(f->contains("k0"));
  }

  TEST_CASE("a large value evicts as many small entries at once as it needs") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f({.limits = {.max_bytes = 4 * MiB}, .eviction = eviction});
      f.fill("small", 25'000);
      f->flush();
      CHECK(f->stats().bytes > 3 * MiB);
      for (int i = 0; i < 20; ++i) {
        CHECK(f->put("large" + std::to_string(i), std::string(500'000, 'x')));
        (void)f->run_maintenance(0s);
        CHECK(f->stats().bytes <= 4 * MiB);
      }
    }
  }

  TEST_CASE("writing touches of large values keeps the log short") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f({.limits = {.max_bytes = 24 * MiB}, .eviction = eviction});
      for (int i = 0; i < 20; ++i) {
        REQUIRE(f->put("k" + std::to_string(i), std::string(1'000'000, 'x')));
      }
      f->flush();
      for (int round = 0; round < 3; ++round) {
        CHECK(f->touch_many(numbered("k", 20)) == 20);
        f->flush();
        CHECK(f->stats().wal_bytes <= 12 * MiB);
      }
      for (int i = 0; i < 6; ++i) {  // all entries were read, so eviction first skips some of them
        (void)f->touch_many(numbered("k", 20));
        REQUIRE(f->put("n" + std::to_string(i), std::string(1'000'000, 'x')));
        (void)f->run_maintenance(0s);
        CHECK(f->stats().wal_bytes <= 12 * MiB);
      }
    }
  }

  TEST_CASE("erase_securely keeps the log short") {
    CacheFixture f({.erase_securely = true});
    const auto fill = [&f] {
      for (int i = 0; i < 24; ++i) {
        REQUIRE(f->put("k" + std::to_string(i), std::string(1'000'000, 'x')));
      }
      f->flush();
    };
    fill();
    for (int i = 0; i < 24; ++i) REQUIRE(f->put("k" + std::to_string(i), 1));
    f->flush();
    CHECK(f->stats().wal_bytes <= 12 * MiB);
    fill();
    CHECK(f->erase_many(numbered("k", 24)) == 24);
    CHECK(f->stats().wal_bytes <= 12 * MiB);
    fill();
    CHECK(f->clear() == 24);
    CHECK(f->stats().wal_bytes <= 12 * MiB);
  }

  TEST_CASE("the limits hold after every flush with a worker thread") {
    CacheFixture f({.limits = {.max_entries = 50, .max_bytes = 100'000}});
    f.use_thread();
    f.options.timing.max_wait = 10min;
    std::mt19937 random(5);
    for (int round = 0; round < 40; ++round) {
      for (int i = 0; i < 40; ++i) {
        CHECK(f->put("k" + std::to_string(random() % 500), std::string(random() % 3'000, 'x')));
      }
      f->flush();
      CHECK(f->stats().entries <= 50);
      CHECK(f->stats().bytes <= 100'000);
    }
  }

  TEST_CASE("an entry one byte above max_entry_bytes is refused and evicts nothing") {
    CacheFixture f;
    const std::int64_t cost = cost_of(f, "k", 50'000);
    f.fill("other ", 5);
    f->flush();
    f->set_limits({.max_entries = 6, .max_entry_bytes = cost});
    CHECK(f->put("k", std::string(50'000, 'x')));
    CHECK(f->entry("k")->byte_size == cost);
    f->set_limits({.max_entries = 6, .max_entry_bytes = cost - 1});
    CHECK_FALSE(f->put("l", std::string(50'000, 'x')));
    CHECK_FALSE(f->contains("l"));
    f->flush();
    CHECK(f->stats().refused == 1);
    CHECK(f->stats().evicted == 0);
    CHECK(f->stats().dropped == 0);
    CHECK(f->stats().entries == 6);
    CHECK(f.heard.count(NoticeKind::refused) == 1);
    CHECK(has(f.heard.last(NoticeKind::refused).what, std::to_string(cost)));
    CHECK(f.heard.last(NoticeKind::refused).subject == "l");
  }

  TEST_CASE("an entry above max_bytes is refused and evicts nothing if max_entry_bytes is larger") {
    CacheFixture f({.limits = {.max_bytes = MiB, .max_entry_bytes = 8 * MiB}});
    f.fill("other ", 5);
    f->flush();
    CHECK_FALSE(f->put("large", std::string(2 * MiB, 'l')));
    f->flush();
    CHECK(f->stats().entries == 5);
    CHECK(f->stats().evicted == 0);
    CHECK(f->stats().refused == 1);
    f->set_limits({.max_bytes = 4 * MiB, .max_entry_bytes = 8 * MiB});
    CHECK(f->put("large", std::string(2 * MiB, 'l')));
    f->flush();
    CHECK(f->contains("large"));
  }

  TEST_CASE("max_entry_bytes is an eighth of max_bytes by default") {
    CacheFixture f({.limits = {.max_bytes = 800'000}});
    CHECK_FALSE(f->put("large", std::string(110'000, 'x')));
    CHECK(f->put("fits", std::string(90'000, 'x')));
    // A result that is too large is computed and returned, but not stored.
    const auto large = f->get_or_compute("computed", [] { return std::string(110'000, 'x'); });
    CHECK(large.size() == 110'000);
    CHECK_FALSE(f->contains("computed"));
    CHECK(f->stats().refused == 2);
  }

  TEST_CASE("put_many stores the entries that fit and counts the refused ones") {
    CacheFixture f({.limits = {.max_entry_bytes = 5'000}});
    const std::vector<std::pair<std::string, std::string>> pairs = {
        {"a", "fits"}, {"b", std::string(9'000, 'x')}, {"c", "fits"}};
    CHECK(f->put_many(pairs) == 2);
    CHECK(f.keys() == "a c");
    CHECK(f->stats().puts == 3);
    CHECK(f->stats().refused == 1);
  }

  TEST_CASE("the later value of a duplicate key wins even if it is refused") {
    CacheFixture f({.limits = {.max_entry_bytes = 5'000}});
    const std::pair<std::string, std::string> fits{"a", "fits"};
    const std::pair<std::string, std::string> large{"a", std::string(9'000, 'x')};
    CHECK(f->put_many(std::vector{large, fits}) == 1);
    CHECK(f->get<std::string>("a") == "fits");
    (void)f->put_many(std::vector{fits, large});
    CHECK_FALSE(f->contains("a"));
    f->flush();
    CHECK(f.rows_in_file() == 0);
  }

  // An overwritten entry keeps its place, so eviction spares the rows that the group wrote.
  TEST_CASE("an entry that grows evicts others and never itself") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f(
          {.limits = {.max_bytes = 100'000, .max_entry_bytes = 80'000}, .eviction = eviction});
      CHECK(f->put("growing", "x"));
      f.fill("other ", 15, 4'000);
      f->flush();
      for (const std::size_t size : {5'000U, 20'000U, 40'000U, 70'000U}) {
        CHECK(f->put("growing", std::string(size, 'x')));
        f.check_file();
        CHECK(f->get<std::string>("growing").value_or("").size() == size);
      }
      CHECK(f->stats().evicted > 5);
    }
  }

  TEST_CASE("expired entries are removed before live ones are evicted") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f({.limits = {.max_entries = 20}, .eviction = eviction});
      f.fill("live ", 12);
      for (const std::string& key : numbered("due ", 8)) CHECK(f->put(key, 1, {.ttl = 1s}));
      f->flush();
      f.clock->advance(1s);
      CHECK(f->stats().entries == 20);
      f.fill("new ", 5);
      f->flush();
      CHECK(f->stats().evicted == 0);
      CHECK(f->stats().expired == 8);
      CHECK(f->stats().entries == 17);
      f.fill("newer ", 5);
      f->flush();
      CHECK(f->stats().evicted == 2);
      CHECK(f->stats().entries == 20);
    }
  }

  TEST_CASE("a limit of 0 entries or 0 bytes stores nothing") {
    for (const Limits& limits : {Limits{.max_entries = 0}, Limits{.max_bytes = 0}}) {
      CacheFixture f({.limits = limits});
      CHECK_FALSE(f->put("k", 1));
      CHECK_FALSE(f->get<int>("k").has_value());
      CHECK(f->get_or_compute("k", [] { return 7; }) == 7);
      f->flush();
      CHECK(f->stats().entries == 0);
      CHECK(f->stats().refused == 2);
    }
  }

  TEST_CASE("limits can be lowered, raised and removed while the cache is open") {
    CacheFixture f({.limits = {.max_entries = 1'000}, .eviction = Eviction::fifo});
    f.fill("k", 800);
    f->flush();
    CHECK(f->stats().evicted == 0);
    f->set_limits({.max_entries = 100});
    f->flush();
    CHECK(f->stats().entries == 100);
    f->set_limits({.max_entries = 0});
    f->flush();
    CHECK(f->stats().entries == 0);
    CHECK(f->stats().bytes == 0);
    CHECK_FALSE(f->put("k", 1));
    f->set_limits({.max_entries = 200});
    f.fill("l", 300);
    f->flush();
    CHECK(f->stats().entries <= 200);
    CHECK(f->stats().entries >= 198);  // eviction removes a few more than needed
    f->set_limits({.max_entries = unlimited, .max_bytes = unlimited});
    f.fill("m", 1'500);
    f->flush();
    CHECK(f->stats().entries >= 1'698);
    CHECK(f->limits().max_entries.is_unlimited());
  }

  TEST_CASE("a raised max_entry_bytes holds for writer and readers of an open cache") {
    for (const std::int64_t memory : {std::int64_t{0}, 16 * MiB}) {
      CacheFixture f({.limits = {.max_entry_bytes = 64 * KiB}, .memory_bytes = memory});
      CHECK(f->put("small", 1));
      f->flush();
      CHECK(f->get<int>("small") == 1);  // opens a reader with the old limit
      const std::string large(3 * MiB, 'x');
      CHECK_FALSE(f->put("large", large));
      f->set_limits({.max_entry_bytes = 4 * MiB});
      CHECK(f->put("large", large));
      f->flush();
      CHECK(f.in_file("large"));
      CHECK(f->get<std::string>("large") == large);
    }
  }

  TEST_CASE("an entry accepted after max_entry_bytes is raised during a commit is stored") {
    CacheFixture f({.limits = {.max_entry_bytes = 64 * KiB}});
    const std::string large(3 * MiB, 'x');
    CHECK(f->put("large", 1));
    f->flush();
    CHECK(f->put("small", 1));
    bool is_taken = false;
    {
      const AtTestPoints points([&](std::string_view point) {
        if (point != "commit: begins" || is_taken) return;
        f->set_limits({.max_entry_bytes = 4 * MiB});
        is_taken = f->put("large", large);
      });
      (void)f->run_maintenance(1h);
    }
    CHECK(is_taken);
    f->flush();
    CHECK(f.in_file("large"));
    CHECK(f->get<std::string>("large") == large);
    CHECK(f->stats().dropped == 0);
  }

  TEST_CASE("a lowered max_bytes holds after the next flush") {
    CacheFixture f({.limits = {.max_bytes = 1'000'000}});
    f.fill("k", 100, 5'000);
    f->flush();
    for (const std::int64_t most : {400'000, 50'000, 2'000, 0}) {
      INFO(most);
      f->set_limits({.max_bytes = most});
      f.check_file();
      CHECK(f->stats().bytes <= most);
    }
  }

  TEST_CASE("invalid limits throw an error with the field's name and change nothing") {
    CacheFixture f({.limits = {.max_entries = 10}});
    const auto refused = [&](const Limits& limits, const std::string& field) {
      const auto error = thrown_by([&] { f->set_limits(limits); });
      REQUIRE(error);
      CHECK(error->code() == ErrorCode::invalid_options);
      CHECK(has(error->what(), field));
    };
    refused({.max_entries = -1}, "max_entries");
    refused({.max_bytes = -1}, "max_bytes");
    refused({.max_entry_bytes = -1}, "max_entry_bytes");
    refused({.max_entry_bytes = unlimited}, "max_entry_bytes");
    CHECK(f->limits().max_entries == Limit(10));
  }

  TEST_CASE("a file above the limits is reduced to them after opening") {
    CacheFixture f;
    f.fill("k", 3'000);
    f.options.limits.max_entries = 50;
    f.reopen();
    f->flush();
    CHECK(f->stats().entries == 50);
    CHECK(f->stats().evicted == 2'950);
  }

  TEST_CASE("the first eviction under the default limit is reported once") {
    CacheFixture f;
    f.fill("k", 10);
    f->flush();
    // Another program inserts a row that is larger than the limit.
    f.raw().run(
        "INSERT INTO cache_entries (cache_key, byte_size, inserted_at, computed_at, accessed_at,"
        " value) VALUES ('huge', 300 << 20, 1, 1, 1, 'x')");
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f->stats().evicted >= 1);
    CHECK_FALSE(f->contains("huge"));
    CHECK(f.heard.count(NoticeKind::default_limit) == 1);
    CHECK(has(f.heard.last(NoticeKind::default_limit).what, "256 MiB"));
    CHECK(f->contains("k"));
  }
}
