// Lifetimes: when an entry expires, and when it is deleted from the file.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

TEST_SUITE("system") {
  TEST_CASE("a ttl that is not positive throws misuse") {
    CacheFixture f;
    const std::vector<std::pair<std::string, int>> pairs = {{"k", 1}};
    for (const Duration ttl : {Duration(0s), Duration(-1s), Duration(std::chrono::hours::min())}) {
      const PutOptions options{.ttl = ttl};
      for (const auto& call : std::vector<std::function<void()>>{
               [&] { (void)f->put("k", 1, options); }, [&] { (void)f->put_many(pairs, options); },
               [&] {
                 (void)f->get_or_compute(
                     "k", [] { return 1; }, options);
               }}) {
        const auto error = thrown_by(call);
        REQUIRE(error);
        CHECK(error->code() == ErrorCode::misuse);
        CHECK(has(error->what(), "ttl"));
        CHECK(has(error->what(), to_string(ttl)));
      }
    }
    CHECK_FALSE(f->contains("k"));
    CHECK(f->stats().puts == 0);
    CHECK(f->put("k", 1, {.ttl = 1us}));
    CHECK(f->get<int>("k") == 1);
  }

  TEST_CASE("every call ignores an expired entry, and stats count it until it is deleted") {
    CacheFixture f;
    CHECK(f->put("over", 1, {.ttl = 1h}));
    CHECK(f->put("live", 2));
    f->flush();
    const auto accessed = f->entry("over")->accessed_at;
    f.clock->advance(1h);
    CHECK_FALSE(f->get<int>("over").has_value());
    CHECK(f->stats().expired_misses == 1);
    CHECK(f->stats().misses == 1);
    CHECK_FALSE(f->contains("over"));
    CHECK_FALSE(f->entry("over").has_value());
    CHECK_FALSE(f->touch("over"));
    const std::vector<std::string_view> both = {"over", "live"};
    CHECK(f->touch_many(both) == 1);
    CHECK(f.keys() == "live");
    CHECK(f->stats().entries == 2);
    CHECK(f.raw().integer("SELECT accessed_at FROM cache_entries WHERE cache_key = 'over'") ==
          accessed);
    f.run_to_the_end();
    CHECK(f->stats().entries == 1);
    CHECK(f->stats().expired == 1);
    CHECK_FALSE(f->get<int>("over").has_value());
    CHECK(f->stats().expired_misses == 1);
    CHECK(f->stats().misses == 2);
  }

  TEST_CASE("an entry is live until one microsecond before expires_at") {
    CacheFixture f;
    for (const bool stored : {false, true}) {
      INFO(std::string(stored ? "in the file" : "pending"));
      CHECK(f->put("k", 1, {.ttl = 10s}));
      if (stored) f->flush();
      f.clock->advance(10s - 1us);
      CHECK(f->get<int>("k") == 1);
      CHECK(f->contains("k"));
      CHECK(f->touch("k"));
      CHECK(f->entry("k")->freshness == Freshness::fresh);
      f.clock->advance(1us);
      CHECK_FALSE(f->get<int>("k").has_value());
      CHECK_FALSE(f->contains("k"));
      CHECK_FALSE(f->touch("k"));
      CHECK_FALSE(f->entry("k").has_value());
    }
  }

  TEST_CASE("overwriting an expired entry stores it with new times") {
    CacheFixture f;
    CHECK(f->put("k", 1, {.ttl = 1s}));
    f->flush();
    f.clock->advance(1h);
    CHECK(f->put("k", 2, {.ttl = 1min}));
    f->flush();
    CHECK(f->stats().entries == 1);
    const auto entry = *f->entry("k");
    CHECK(entry.computed_at == f.clock->wall_now());
    CHECK(entry.expires_at == f.clock->wall_now() + Duration(1min).count());
    f.clock->advance(59s);
    CHECK(f->get<int>("k") == 2);
    f.clock->advance(1s);
    CHECK_FALSE(f->contains("k"));
    CHECK(f->put("k", 3));  // without a ttl it never expires
    f.clock->advance(std::chrono::hours(24 * 365));
    f.run_to_the_end();
    CHECK(f->get<int>("k") == 3);
  }

  TEST_CASE("maintenance deletes exactly the expired rows, 1,000 in a transaction") {
    CacheFixture f;
    f.listen_to_removals();
    std::vector<std::pair<std::string, int>> due;
    for (const std::string& key : numbered("due ", 3'500)) due.emplace_back(key, 1);
    CHECK(f->put_many(due, {.ttl = 1h}) == 3'500);
    CHECK(f->put("just not due", 1, {.ttl = 1h + 1us}));
    f.fill("kept ", 500);
    f->flush();
    f.clock->advance(1h);
    const std::int64_t before = f->stats().commits;
    CHECK(f->run_maintenance(Duration()));
    CHECK(f->stats().expired <= 1'000);
    f.run_to_the_end();
    CHECK(f->stats().expired == 3'500);
    CHECK(f->stats().entries == 501);
    CHECK(f->stats().commits - before >= 4);
    CHECK(f->contains("just not due"));
    CHECK(f.heard.removals().size() == 3'500);
    CHECK(f.heard.removals().front() == "due 0 expired");
    CHECK_FALSE(f->run_maintenance());
  }

  TEST_CASE("compact deletes all expired rows") {
    CacheFixture f;
    std::vector<std::pair<std::string, int>> due;
    for (const std::string& key : numbered("k", 2'500)) due.emplace_back(key, 1);
    CHECK(f->put_many(due, {.ttl = 1s}) == 2'500);
    f.clock->advance(1s);
    f->compact();
    CHECK(f->stats().entries == 0);
    CHECK(f->stats().expired == 2'500);
  }

  TEST_CASE("a very long ttl means no expiry") {
    CacheFixture f;
    CHECK(f->put("hours", 1, {.ttl = std::chrono::hours::max()}));
    CHECK(f->put("micros", 1, {.ttl = std::chrono::microseconds::max()}));
    CHECK(f->put("years", 1, {.ttl = std::chrono::years(100'000)}));
    f->flush();
    CHECK(f->entry("hours")->expires_at == std::nullopt);
    CHECK(f->entry("micros")->expires_at == std::nullopt);
    CHECK(*f->entry("years")->expires_at > f.clock->wall_now());
    f.clock->advance(std::chrono::years(99'000));
    f.run_to_the_end();
    CHECK(f.keys() == "hours micros years");
    f.clock->set_wall(INT64_MAX - 1);
    CHECK(f->contains("hours"));
    f.run_to_the_end();
    CHECK(f.keys() == "hours micros");
  }

  TEST_CASE("a ttl works when the wall clock is at or before zero") {
    for (const std::int64_t start : {std::int64_t{0}, std::int64_t{-5'000'000}, INT64_MIN / 2}) {
      INFO(start);
      CacheFixture f;
      f.clock->set_wall(start);
      CHECK(f->put("short", 1, {.ttl = 5s}));
      CHECK(f->put("ever", 2));
      f->flush();
      CHECK(f->get<int>("short") == 1);
      f.clock->advance(5s - 1us);
      CHECK(f->get<int>("short") == 1);
      f.clock->advance(1us);
      CHECK_FALSE(f->get<int>("short").has_value());
      CHECK(f->get<int>("ever") == 2);
      f.run_to_the_end();
      CHECK(f->stats().entries == 1);
    }
  }

  TEST_CASE("an entry from the future is hidden until the clock reaches its time") {
    CacheFixture f;
    const std::int64_t now = f.clock->wall_now();
    CHECK(f->put("before", 1, {.ttl = 2h}));
    f->flush();
    f.clock->set_wall(now + Duration(1h).count());
    CHECK(f->put("later", 1, {.ttl = 2h}));
    CHECK(f->put("ever", 1));
    f->flush();
    f.clock->set_wall(now);
    CHECK(f->contains("before"));
    CHECK_FALSE(f->contains("later"));
    CHECK_FALSE(f->get<int>("ever").has_value());
    f.run_to_the_end();
    CHECK(f->stats().expired == 0);
    f.clock->set_wall(now + Duration(1h).count());
    CHECK(f.keys() == "before ever later");
    f.clock->set_wall(now + Duration(2h).count());
    CHECK(f.keys() == "ever later");
  }

  TEST_CASE("a clock jump forward and back loses no entry") {
    CacheFixture f;
    const std::int64_t now = f.clock->wall_now();
    CHECK(f->put("ever", 1));
    CHECK(f->put("hour", 1, {.ttl = 1h}));
    f->flush();
    f.clock->set_wall(now + Duration(std::chrono::years(50)).count());
    CHECK(f.keys() == "ever");
    f.clock->set_wall(now + 1);
    CHECK(f.keys() == "ever hour");
    CHECK(f->put("ever", 2));
    CHECK(f->get<int>("ever") == 2);
  }

  TEST_CASE("the ttl begins when the computation ends") {
    CacheFixture f;
    const auto slow = [&] { return f.clock->advance(1h), 1; };
    CHECK(f->get_or_compute("k", slow, {.ttl = 10s}) == 1);
    CHECK(f->entry("k")->computed_at == f.clock->wall_now());
    f.clock->advance(9s);
    CHECK(f->get<int>("k") == 1);
    f.clock->advance(1s);
    CHECK_FALSE(f->contains("k"));
  }

  TEST_CASE("reads and touches do not extend a ttl") {
    CacheFixture f;
    CHECK(f->put("read", 1, {.ttl = 10s}));
    CHECK(f->put("touched", 1, {.ttl = 10s}));
    f->flush();
    for (int i = 0; i < 9; ++i) {
      f.clock->advance(1s);
      CHECK(f->get<int>("read") == 1);
      CHECK(f->touch("touched"));
      f->flush();
    }
    CHECK(f->entry("touched")->access_count == 9);
    f.clock->advance(1s);
    CHECK_FALSE(f->get<int>("read").has_value());
    CHECK_FALSE(f->touch("touched"));
  }

  TEST_CASE("opening and closing a cache deletes expired rows") {
    CacheFixture f;
    f.options.hooks.worker = WorkerMode::thread;
    CHECK(f->put("due", 1, {.ttl = 1s}));
    CHECK(f->put("kept", 1));
    f.close();
    f.clock->advance(1s);
    f.reopen();
    f.close();
    CHECK(f.shell("SELECT cache_key FROM cache_entries") == "kept\n");
  }
}
