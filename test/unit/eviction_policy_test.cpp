#include "eviction/eviction_policy.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/saturate.hpp"
#include "support/policies.hpp"
#include "support/policy_simulator.hpp"

using namespace ashmemo;
using namespace ashmemo::test;

namespace {

store::Candidate candidate(std::int64_t inserted_at, std::int64_t accessed_at,
                           std::int64_t counter = 0, std::int64_t queue = eviction::kMainQueue) {
  store::Candidate row;
  row.key = "key";
  row.inserted_at = inserted_at;
  row.accessed_at = accessed_at;
  row.eviction_counter = counter;
  row.eviction_queue = queue;
  return row;
}

struct Fixture {
  explicit Fixture(Eviction eviction, PolicySimulator::Limits limits)
      : policy(eviction::make_eviction_policy(eviction)), cache(*policy, limits) {}

  void put_and_read(const std::string& key, std::int64_t bytes, int times) {
    cache.put(key, bytes);
    for (int i = 0; i < times; ++i) CHECK(cache.get(key));
  }

  std::unique_ptr<eviction::EvictionPolicy> policy;
  PolicySimulator cache;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("make_eviction_policy returns no policy for none") {
    CHECK(eviction::make_eviction_policy(Eviction::none) == nullptr);
  }

  TEST_CASE("fifo evicts a row although it was read") {
    const auto policy = eviction::make_eviction_policy(Eviction::fifo);
    CHECK(policy->decide(candidate(10, 500, 3), 7, 1000).evict);
  }

  TEST_CASE("lru re-inserts a row at its last read and evicts a row without reads") {
    const auto policy = eviction::make_eviction_policy(Eviction::lru);
    CHECK(policy->decide(candidate(10, 10), 0, 1000).evict);
    const auto verdict = policy->decide(candidate(10, 500), 7, 1000);
    CHECK_FALSE(verdict.evict);
    CHECK(verdict.placement.inserted_at == 500);
    CHECK(verdict.placement.accessed_at == 500);
    CHECK(verdict.placement.touches == 7);
  }

  TEST_CASE("clock re-inserts a row at the next stamp and takes one of its chances") {
    const auto policy = eviction::make_eviction_policy(Eviction::clock);
    const auto verdict = policy->decide(candidate(10, 500, 1), 1, 1000);
    CHECK_FALSE(verdict.evict);
    CHECK(verdict.placement.inserted_at == 1000);
    CHECK(verdict.placement.accessed_at == 500);
    CHECK(verdict.placement.touches == 1);
    CHECK(verdict.placement.eviction_counter == 1);
    CHECK(policy->decide(candidate(10, 500, 0), 0, 1000).evict);
  }

  TEST_CASE("clock counts at most three reads") {
    const auto policy = eviction::make_eviction_policy(Eviction::clock);
    for (const std::int64_t touches : {std::int64_t{3}, std::int64_t{100}, INT64_MAX}) {
      CHECK(policy->decide(candidate(10, 500, 3), touches, 1000).placement.eviction_counter == 2);
    }
  }

  TEST_CASE("an impossible eviction counter does no harm") {
    const auto policy = eviction::make_eviction_policy(Eviction::clock);
    CHECK(policy->decide(candidate(10, 10, INT64_MIN), 0, 1000).evict);
    CHECK(policy->decide(candidate(10, 10, INT64_MAX), 0, 1000).placement.eviction_counter == 2);
  }

  TEST_CASE("s3fifo moves a row with two reads to the main queue and clears its counter") {
    const auto policy = eviction::make_eviction_policy(Eviction::s3fifo);
    CHECK(policy->admit("key").queue == store::kProbationQueue);
    CHECK(policy->decide(candidate(10, 500, 0, store::kProbationQueue), 1, 1000).evict);
    const auto verdict = policy->decide(candidate(10, 500, 1, store::kProbationQueue), 1, 1000);
    CHECK_FALSE(verdict.evict);
    CHECK(verdict.placement.inserted_at == 1000);
    CHECK(verdict.placement.eviction_queue == eviction::kMainQueue);
    CHECK(verdict.placement.eviction_counter == 0);
    CHECK(verdict.placement.touches == 1);
  }

  TEST_CASE("the main queue of s3fifo works like clock") {
    const auto policy = eviction::make_eviction_policy(Eviction::s3fifo);
    CHECK(policy->decide(candidate(10, 10), 0, 1000).evict);
    const auto verdict = policy->decide(candidate(10, 500, 1), 1, 1000);
    CHECK(verdict.placement.eviction_queue == eviction::kMainQueue);
    CHECK(verdict.placement.eviction_counter == 1);
  }

  TEST_CASE("s3fifo admits only keys that probation evicted recently to the main queue") {
    const auto policy = eviction::make_eviction_policy(Eviction::s3fifo);
    const eviction::QueueSizes sizes{.entries = 100, .max_entries = 100, .max_bytes = 100};
    policy->evicted(candidate(10, 10, 0, store::kProbationQueue), sizes);
    CHECK(policy->admit("key").queue == eviction::kMainQueue);
    // The first admission has removed the ghost.
    CHECK(policy->admit("key").queue == store::kProbationQueue);
    policy->evicted(candidate(10, 10, 0, eviction::kMainQueue), sizes);
    CHECK(policy->admit("key").queue == store::kProbationQueue);
  }

  TEST_CASE("s3fifo remembers ghosts for about nine tenths of the limit") {
    const auto policy = eviction::make_eviction_policy(Eviction::s3fifo);
    const eviction::QueueSizes sizes{.entries = 10, .max_entries = 10, .max_bytes = base::kForever};
    auto row = candidate(10, 10, 0, store::kProbationQueue);
    for (int i = 0; i < 10; ++i) {
      row.key = std::to_string(i);
      policy->evicted(row, sizes);
    }
    CHECK(policy->admit("0").queue == store::kProbationQueue);
    CHECK(policy->admit("1").queue == eviction::kMainQueue);
  }

  TEST_CASE("s3fifo keeps a tenth of the nearer limit on probation") {
    const auto policy = eviction::make_eviction_policy(Eviction::s3fifo);
    eviction::QueueSizes sizes{.entries = 100, .max_entries = 100, .max_bytes = base::kForever};
    sizes.probation_entries = 9;
    CHECK(policy->next_queue(sizes) == eviction::kMainQueue);
    sizes.probation_entries = 10;
    CHECK(policy->next_queue(sizes) == store::kProbationQueue);
    sizes.bytes = 5100;
    sizes.max_bytes = 5000;
    sizes.probation_bytes = 499;
    CHECK(policy->next_queue(sizes) == eviction::kMainQueue);
    sizes.probation_bytes = 500;
    CHECK(policy->next_queue(sizes) == store::kProbationQueue);
    sizes.probation_entries = 1;
    CHECK(policy->next_queue(sizes) == eviction::kMainQueue);
    sizes.entries = 1;
    CHECK(policy->next_queue(sizes) == store::kProbationQueue);
  }

  TEST_CASE("a put never evicts itself although all other entries were just read") {
    for (const Eviction eviction : kPolicies) {
      Fixture f(eviction, {.max_entries = 3});
      for (const char* key : {"a", "b", "c"}) f.put_and_read(key, 1, 5);
      f.cache.put("d");
      CHECK(f.cache.contains("d"));
      CHECK(f.cache.sizes().entries == 3);
    }
  }

  TEST_CASE("an entry that grows evicts other entries and not itself") {
    for (const Eviction eviction : kPolicies) {
      Fixture f(eviction, {.max_bytes = 100});
      for (const char* key : {"a", "b", "c", "d"}) f.put_and_read(key, 25, 5);
      f.cache.put("a", 60);
      CHECK(f.cache.contains("a"));
      CHECK(f.cache.sizes().entries == 2);
      CHECK(f.cache.sizes().bytes == 85);
    }
  }

  TEST_CASE("an overwrite counts as a read for clock and s3fifo and as an access for lru") {
    const auto effect_of = [](Eviction eviction) {
      return eviction::make_eviction_policy(eviction)->overwrite();
    };
    CHECK(effect_of(Eviction::fifo).reads == 0);
    CHECK_FALSE(effect_of(Eviction::fifo).is_access);
    CHECK(effect_of(Eviction::lru).reads == 0);
    CHECK(effect_of(Eviction::lru).is_access);
    for (const Eviction eviction : {Eviction::clock, Eviction::s3fifo}) {
      CHECK(effect_of(eviction).reads == 1);
      CHECK_FALSE(effect_of(eviction).is_access);
    }
  }

  TEST_CASE("an overwrite of a live entry has the effect of a read") {
    for (const Eviction eviction : kPolicies) {
      CAPTURE(to_string(eviction));
      Fixture overwritten(eviction, {.max_entries = 50});
      Fixture read(eviction, {.max_entries = 50});
      for (int i = 0; i < 3'000; ++i) {
        const std::string key = std::to_string(i * i % 173);
        if (i % 3 == 0 && overwritten.cache.contains(key)) {
          overwritten.cache.put(key);
          CHECK(read.cache.get(key));
        } else {
          overwritten.cache.request(key);
          read.cache.request(key);
        }
        REQUIRE(overwritten.cache.keys() == read.cache.keys());
      }
      CHECK(overwritten.cache.counts().evictions > 100);
    }
  }

  TEST_CASE("an entry that expired or has another version becomes the newest of its queue") {
    for (const Eviction eviction : kPolicies) {
      for (const bool expires : {false, true}) {
        CAPTURE(to_string(eviction));
        CAPTURE(expires);
        Fixture f(eviction, {.max_entries = 3});
        const PolicySimulator::Entry old{.expires_at = expires ? 10 : base::kForever};
        f.cache.put("a", old);
        for (const char* key : {"b", "c"}) f.cache.put(key);
        for (int i = 0; i < 5; ++i) CHECK(f.cache.get("a"));
        f.cache.set_now(10);
        CHECK(f.cache.get("a") == !expires);
        f.cache.put("a", {.calculation_id = expires ? 0 : 1});
        CHECK(f.cache.get("a") == expires);
        f.cache.put("d");
        CHECK(f.cache.keys() == std::vector<std::string>{"a", "c", "d"});
        if (expires) continue;
        // The reads of the old version do not protect the new one.
        for (const char* key : {"e", "f"}) f.cache.put(key);
        CHECK(f.cache.keys() == std::vector<std::string>{"d", "e", "f"});
      }
    }
  }

  TEST_CASE("expired entries make room before the policy is asked") {
    for (const Eviction eviction : kPolicies) {
      Fixture f(eviction, {.max_entries = 3});
      f.cache.put("a");
      f.cache.put("b", {.expires_at = 10});
      f.cache.put("c", {.expires_at = 20});
      f.cache.set_now(15);
      f.cache.put("d");
      CHECK(f.cache.keys() == std::vector<std::string>{"a", "c", "d"});
      CHECK(f.cache.counts().evictions == 0);
    }
  }

  TEST_CASE("the limit in bytes holds after every put of any size") {
    for (const Eviction eviction : kPolicies) {
      Fixture f(eviction, {.max_bytes = 1000});
      for (int i = 0; i < 2000; ++i) {
        f.cache.request(std::to_string(i * i % 97), 1 + i * 31 % 120);
        REQUIRE(f.cache.sizes().bytes <= 1000);
      }
      CHECK(f.cache.counts().evictions > 0);
      CHECK(f.cache.counts().hits > 0);
    }
  }

  TEST_CASE("a lower limit evicts the excess and a higher limit evicts nothing") {
    for (const Eviction eviction : kPolicies) {
      Fixture f(eviction, {.max_entries = 1000});
      for (int i = 0; i < 1000; ++i) f.put_and_read(std::to_string(i), 1, i % 4);
      for (const std::int64_t limit : {2000, 100, 1, 0}) {
        f.cache.set_limits({.max_entries = limit});
        CHECK(f.cache.sizes().entries == std::min<std::int64_t>(limit, 1000));
      }
    }
  }

  TEST_CASE("every policy works with the rows of another policy") {
    for (const Eviction before : kPolicies) {
      for (const Eviction after : kPolicies) {
        CAPTURE(static_cast<int>(before));
        CAPTURE(static_cast<int>(after));
        Fixture f(before, {.max_entries = 100});
        for (int i = 0; i < 1000; ++i) f.cache.request(std::to_string(i * i % 173));
        const auto next = eviction::make_eviction_policy(after);
        f.cache.set_policy(*next);
        for (int i = 1000; i < 2000; ++i) f.cache.put(std::to_string(i));
        CHECK(f.cache.sizes().entries == 100);
        CHECK(f.cache.contains("1995"));
        CHECK((after == Eviction::s3fifo || f.cache.sizes().probation_entries == 0));
        f.cache.set_limits({.max_entries = 0});
        CHECK(f.cache.sizes().entries == 0);
      }
    }
  }
}
