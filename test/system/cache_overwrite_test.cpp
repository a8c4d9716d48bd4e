// The queue position of overwritten entries on real files.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "eviction/eviction_policy.hpp"
#include "support/cache_fixture.hpp"
#include "support/manual_executor.hpp"
#include "support/policies.hpp"
#include "support/policy_simulator.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Post {
  int id = 0;
  int updated_at = 0;
};

Options with_policy(Eviction eviction, Limit entries = unlimited) {
  return {.limits = {.max_entries = entries}, .eviction = eviction};
}

/// The columns of a row about eviction.
struct Place {
  std::int64_t inserted_at = 0;
  std::int64_t accessed_at = 0;
  std::int64_t counter = 0;
  std::int64_t queue = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

Place place_of(CacheFixture& f, const std::string& key) {
  const auto column = [&](const std::string& name) {
    return f.raw().integer("SELECT " + name + " FROM cache_entries WHERE cache_key = '" + key +
                           "'");
  };
  return {column("inserted_at"), column("accessed_at"), column("eviction_counter"),
          column("eviction_queue")};
}

/// Overwrites the key, and checks the effect of a new value for an entry in use.
void check_use(CacheFixture& f, const std::string& key, const std::function<void()>& overwrite) {
  const Place before = place_of(f, key);
  f.clock->advance(1ms);
  overwrite();
  f->flush();
  const Place after = place_of(f, key);
  const Eviction eviction = f.options.eviction;
  const bool counts = eviction == Eviction::clock || eviction == Eviction::s3fifo;
  CHECK(after.inserted_at == before.inserted_at);
  CHECK(after.queue == before.queue);
  CHECK(after.counter == before.counter + (counts ? 1 : 0));
  CHECK((after.accessed_at > before.accessed_at) == (eviction == Eviction::lru));
  CHECK(f->stats().touches_marked == 0);
  CHECK(f->stats().touches_written == 0);
}

/// Overwrites the key, and checks that its row is as new, in the same queue.
void check_insertion(CacheFixture& f, const std::string& key,
                     const std::function<void()>& overwrite) {
  const Place before = place_of(f, key);
  f.raw().run("UPDATE cache_entries SET eviction_counter = 3");
  f.clock->advance(1ms);
  overwrite();
  f->flush();
  const Place after = place_of(f, key);
  CHECK(after.inserted_at > before.inserted_at);
  CHECK(after.accessed_at == after.inserted_at);
  CHECK(after.counter == 0);
  CHECK(after.queue == before.queue);
}

/// A resource whose records have versions, with one calculation.
struct Posts {
  Posts(CacheFixture& f, const CachePolicy& policy, std::uint32_t version = 1)
      : registry(f.cache()) {
    posts.record_version(&Post::updated_at);
    twice = posts.calculation("twice", [this](const Post& post) { return ++calls, 2 * post.id; },
                              {.version = version});
    posts.cache_calculation("twice", policy);
  }

  Registry registry;
  Resource<Post>& posts = registry.resource<Post>("Post", &Post::id);
  int calls = 0;
  Calculation<Post, int> twice;
};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a put over a live value keeps its queue position and is a use") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f(with_policy(eviction));
      f->put("a", 1);
      f->put("b", 1, {.ttl = 1h});
      f->flush();
      check_use(f, "a", [&] { f->put("a", 2); });
      check_use(f, "a", [&] { f->put("a", std::string(10'000, 'x')); });
      check_use(f, "b", [&] { f->put("b", 2, {.ttl = 2h}); });
      check_use(f, "b", [&] { f->put("b", 3); });
      CHECK(f->get<int>("b") == 3);
      CHECK(f->get<std::string>("a")->size() == 10'000);
    }
  }

  TEST_CASE("put_many over live values keeps their queue positions") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f(with_policy(eviction));
      const std::vector<std::pair<std::string, int>> values = {{"a", 1}, {"b", 2}, {"c", 3}};
      f->put_many(values);
      f->flush();
      const Place b = place_of(f, "b");
      check_use(f, "a", [&] { f->put_many(values); });
      CHECK(place_of(f, "b").inserted_at == b.inserted_at);
    }
  }

  TEST_CASE("a refresh of a stale result keeps its queue position") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      Options options = with_policy(eviction);
      const auto executor = std::make_shared<ManualExecutor>();
      options.hooks.executor = executor;
      CacheFixture f(options);
      Posts p(f, {.ttl = 10min, .stale_while_revalidate = 1h});
      (void)p.twice(Post{1});
      f->flush();
      f.clock->advance(10min);
      (void)p.twice(Post{1});  // marks a touch and requests the refresh
      f->flush();
      const Place before = place_of(f, "Post:1:twice");
      const std::int64_t touches = f->stats().touches_marked;
      (void)executor->run();
      f->flush();
      const Place after = place_of(f, "Post:1:twice");
      CHECK(p.calls == 2);
      CHECK(after.inserted_at == before.inserted_at);
      const bool counts = eviction == Eviction::clock || eviction == Eviction::s3fifo;
      CHECK(after.counter == before.counter + (counts ? 1 : 0));
      CHECK((after.accessed_at > before.accessed_at) == (eviction == Eviction::lru));
      CHECK(f->stats().touches_marked == touches);
    }
  }

  TEST_CASE("a result for a new version of its record keeps the queue position") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f(with_policy(eviction));
      Posts p(f, {});
      (void)p.twice(Post{1, 1});
      f->flush();
      check_use(f, "Post:1:twice", [&] { (void)p.twice(Post{1, 2}); });
      CHECK(p.calls == 2);
    }
  }

  TEST_CASE("an overwrite of results that ignore reads changes no counter and no access time") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f(with_policy(eviction));
      Posts p(f, {.eviction = Eviction::fifo});
      (void)p.twice(Post{1, 1});
      f->flush();
      const Place before = place_of(f, "Post:1:twice");
      f.clock->advance(1ms);
      (void)p.twice(Post{1, 2});
      f->flush();
      CHECK(p.calls == 2);
      CHECK(place_of(f, "Post:1:twice") == before);
    }
  }

  TEST_CASE("a value that replaces an expired one is a new insertion") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f(with_policy(eviction));
      Posts p(f, {.ttl = 1s});
      f->put("direct", 1, {.ttl = 1s});
      (void)p.twice(Post{1});
      f->flush();
      f.clock->advance(1s);
      check_insertion(f, "direct", [&] { f->put("direct", 2); });
      check_insertion(f, "Post:1:twice", [&] { (void)p.twice(Post{1}); });
      CHECK(p.calls == 2);
    }
  }

  TEST_CASE("a value that replaces one from the future is a new insertion") {
    CacheFixture f(with_policy(Eviction::lru));
    f.clock->advance(1h);
    f->put("a", 1);
    f->flush();
    f.clock->set_wall(f.clock->wall_now() - 3'600'000'000);
    check_insertion(f, "a", [&] { f->put("a", 2); });
    CHECK(f->get<int>("a") == 2);
  }

  TEST_CASE("a result that replaces one of another version is a new insertion") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f(with_policy(eviction));
      {
        Posts p(f, {});
        (void)p.twice(Post{1});
        f->flush();
        check_insertion(f, "Post:1:twice", [&] {
          p.twice.invalidate_all();
          (void)p.twice(Post{1});
        });
      }
      f.reopen();
      Posts p(f, {}, 2);
      check_insertion(f, "Post:1:twice", [&] { (void)p.twice(Post{1}); });
    }
  }

  TEST_CASE("a direct put over a result and a result over a direct put are new insertions") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f(with_policy(eviction));
      Posts p(f, {});
      (void)p.twice(Post{1});
      f->flush();
      check_insertion(f, "Post:1:twice", [&] { f->put("Post:1:twice", 7); });
      check_insertion(f, "Post:1:twice", [&] { (void)p.twice(Post{1, 3}); });
      CHECK(p.calls == 2);
    }
  }

  TEST_CASE("a copy in memory of an overwritten entry is replaced and its reads are marked") {
    CacheFixture f(with_policy(Eviction::clock));
    f->put("a", 1);
    f->flush();
    for (int i = 0; i < 2; ++i) CHECK(f->get<int>("a") == 1);
    f->flush();
    f->put("a", 2);
    f->flush();
    const std::int64_t place = place_of(f, "a").inserted_at;
    CHECK(place_of(f, "a").counter == 3);
    const std::int64_t hits = f->stats().memory_hits;
    for (int i = 0; i < 2; ++i) CHECK(f->get<int>("a") == 2);
    CHECK(f->stats().memory_hits == hits + 1);
    f->flush();
    CHECK(place_of(f, "a").inserted_at == place);
    CHECK(f->entry("a")->access_count == 4);
  }

  TEST_CASE("without eviction, overwritten entries from a clock in the future make room") {
    CacheFixture f(with_policy(Eviction::none, 2));
    f->put("a", 1);
    f->put("b", 1);
    f->flush();
    const std::int64_t right = f.clock->wall_now();
    f.clock->advance(1000h);
    f->put("a", 2);
    f->flush();
    f.clock->set_wall(right + 1'000);
    f->put("c", 1);
    f->flush();
    CHECK(f.keys() == "b c");
    CHECK(f->stats().refused == 0);
  }

  TEST_CASE("a cache evicts as the simulator during overwrites, expiry and changes of versions") {
    for (const Eviction eviction : kPolicies) {
      INFO(std::string(to_string(eviction)));
      constexpr int kEntries = 24;
      CacheFixture f(with_policy(eviction, kEntries));
      Posts p(f, {});
      const auto policy = eviction::make_eviction_policy(eviction);
      PolicySimulator simulator(*policy, {.max_entries = kEntries});
      std::int64_t now = 0, version = 1;
      std::mt19937 random(17);
      int overwritten = 0;
      for (int step = 0; step < 1'500; ++step) {
        CAPTURE(step);
        // Small numbers are more frequent.
        const int id = static_cast<int>(random() % 60 * (random() % 60) / 40);
        const std::string key = "Post:" + std::to_string(id) + ":twice";
        overwritten += simulator.contains(key) ? 1 : 0;
        const auto kind = random() % 16;
        if (kind < 2) {
          f.clock->advance(5s);
          simulator.set_now(now += 5);
          REQUIRE(f->put(key, 1));  // perhaps over an expired entry
          simulator.put(key);
        } else if (kind == 2 && step % 4 == 0) {
          p.twice.invalidate_all();
          ++version;
        } else if (kind == 3) {
          REQUIRE(f->put(key, 1));
          simulator.put(key);
        } else if (kind < 7) {
          REQUIRE(f->put(key, 1, {.ttl = 20s}));
          simulator.put(key, {.expires_at = now + 20});
        } else if (kind < 9) {
          REQUIRE(p.twice.cached(Post{id}).has_value() == simulator.get(key, version));
        } else {
          (void)p.twice(Post{id});
          (void)simulator.request(key, {.calculation_id = version});
        }
        f->flush();
        std::string keys;
        for (const std::string& each : simulator.keys()) keys += each + '\n';
        if (!keys.empty()) keys.pop_back();
        REQUIRE(f.raw().rows("SELECT cache_key FROM cache_entries ORDER BY cache_key") == keys);
      }
      CHECK(overwritten > 500);
      CHECK(f->stats().evicted > 50);
      CHECK(f->stats().expired > 10);
    }
  }
}
