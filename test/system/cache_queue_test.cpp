// The queue of accepted writes: its limit, its order, and full queues.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

TEST_SUITE("system") {
  TEST_CASE("in manual mode a put that finds the queue full writes it first") {
    CacheFixture f({.queue_bytes = 64 * KiB});
    for (const std::string& key : numbered("k", 1'000)) CHECK(f->put(key, std::string(1'000, 'x')));
    CHECK(f->stats().commits > 10);
    CHECK(f->stats().queue_bytes <= 64 * KiB);
    CHECK(f->stats().dropped == 0);
    f->flush();
    CHECK(f->stats().entries == 1'000);
  }

  TEST_CASE("with a worker thread a put waits while the queue is full") {
    CacheFixture f({.queue_bytes = 64 * KiB});
    f.use_thread();
    f.options.timing.max_wait = 10min;
    for (const std::string& key : numbered("k", 2'000)) CHECK(f->put(key, std::string(1'000, 'x')));
    f->flush();
    CHECK(f->stats().entries == 2'000);
    CHECK(f->stats().dropped == 0);
  }

  TEST_CASE("an empty queue accepts an entry larger than queue_bytes") {
    CacheFixture f({.queue_bytes = 64 * KiB});
    CHECK(f->put("large", std::string(300'000, 'x')));
    CHECK(f->get<std::string>("large")->size() == 300'000);
    CHECK(f->put("small", "x"));  // waits until the large one is written
    CHECK(f->put("large too", std::string(300'000, 'x')));
    f->flush();
    CHECK(f->stats().entries == 3);
  }

  TEST_CASE("put returns false when the queue is full under a foreign lock") {
    CacheFixture f({.queue_bytes = 64 * KiB});
    f.options.timing.max_wait = 0s;
    CHECK(f->put("before", "here"));
    f->flush();
    f.raw().run("BEGIN IMMEDIATE");
    std::vector<std::string> taken;
    int refused = 0;
    for (const std::string& key : numbered("k", 200)) {
      if (f->put(key, std::string(1'000, 'x'))) {
        taken.push_back(key);
      } else {
        ++refused;
      }
    }
    CHECK(taken.size() > 20);
    CHECK(refused > 20);
    CHECK(f->stats().dropped == refused);
    CHECK(f->stats().puts == 201);
    CHECK(f->health().state == HealthState::degraded);
    CHECK(f->health().dropped == refused);
    CHECK(f->stats().queue_bytes <= 64 * KiB);
    // Reads find the stored entry and the accepted writes.
    CHECK(f->get<std::string>("before") == "here");
    for (const std::string& key : taken) CHECK(f->contains(key));
    CHECK_FALSE(f->contains("k199"));
    CHECK(code_thrown_by([&] { f->flush(); }) == "store_failed");
    CHECK(f.heard.count(NoticeKind::busy) == 1);
    CHECK(f.heard.count(NoticeKind::writes_dropped) == 1);
    f.raw().run("ROLLBACK");
    f->flush();
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.heard.count(NoticeKind::recovered) == 1);
    for (const std::string& key : taken) CHECK(f.in_file(key));
    CHECK(f->stats().entries == static_cast<std::int64_t>(taken.size()) + 1);
  }

  TEST_CASE("a removal that cannot be committed holds for reads, stays queued and is reported") {
    CacheFixture f;
    f.options.timing.max_wait = 0s;
    for (const std::string& key : numbered("k", 5)) CHECK(f->put(key, 1));
    for (const std::string& key : numbered("p", 5)) CHECK(f->put(key, 1));
    f->flush();
    f.raw().run("BEGIN IMMEDIATE");
    CHECK_FALSE(f->erase("k1"));  // not removed from the file
    CHECK(f->erase_prefix("p") == 0);
    CHECK(f->put("p9", 9));
    CHECK_FALSE(f->contains("k1"));
    CHECK_FALSE(f->get<int>("p3").has_value());
    CHECK(f->get<int>("p9") == 9);
    CHECK(f->get<int>("k2") == 1);
    CHECK(f.keys() == "k0 k2 k3 k4 p9");
    CHECK(f.rows_in_file() == 10);
    f.raw().run("ROLLBACK");
    f->flush();
    CHECK(f.heard.count(NoticeKind::removal_uncommitted) == 1);
    CHECK(f.keys() == "k0 k2 k3 k4 p9");
    CHECK(f.rows_in_file() == 5);
  }

  TEST_CASE("a prefix that is erased many times hides the puts before each removal") {
    CacheFixture f;
    f.options.timing.max_wait = 0s;
    f.fill("p", 5);
    f->flush();
    f.raw().run("BEGIN IMMEDIATE");
    CHECK(f->erase_prefix("p") == 0);
    const std::int64_t once = f->stats().queue_bytes;
    CHECK(once > 0);
    for (int i = 0; i < 200; ++i) CHECK(f->erase_prefix("p") == 0);
    CHECK(f->stats().queue_bytes == 201 * once);
    CHECK(f->put("p1", 1));
    CHECK(f->erase_prefix("p") == 0);
    CHECK(f->put("p2", 2));
    f.raw().run("ROLLBACK");
    f->flush();
    CHECK(f->stats().queue_bytes == 0);
    CHECK(f.keys() == "p2");
    CHECK(f.heard.count(NoticeKind::everything_removed) == 0);
  }

  TEST_CASE("too many queued removals become one clear, which is reported") {
    CacheFixture f({.queue_bytes = 64 * KiB});
    f.options.timing.max_wait = 0s;
    f.fill("k", 5);
    f->flush();
    f.raw().run("BEGIN IMMEDIATE");
    for (const std::string& key : numbered("p", 500)) CHECK_FALSE(f->erase(key));
    CHECK(f->stats().queue_bytes <= 128 * KiB);
    CHECK(f->stats().dropped == 0);
    CHECK(f.keys().empty());
    CHECK(f->put("new", 1));
    f.raw().run("ROLLBACK");
    f->flush();
    CHECK(f.keys() == "new");
    CHECK(f.rows_in_file() == 1);
    CHECK(f.heard.count(NoticeKind::everything_removed) == 1);
    CHECK(f.heard.count(NoticeKind::removal_uncommitted) == 1);
  }

  TEST_CASE("old entries are not read after a clear that cannot be committed") {
    CacheFixture f;
    f.options.timing.max_wait = 0s;
    f.fill("k", 20);
    f->flush();
    f.raw().run("BEGIN IMMEDIATE");
    CHECK(f->clear() == 0);
    CHECK(f->put("new", 1));
    CHECK(f.keys() == "new");
    const auto values = f->get_many<std::string>(numbered("k", 20));
    for (const auto& value : values) CHECK_FALSE(value.has_value());
    f.raw().run("ROLLBACK");
    f->flush();
    CHECK(f.keys() == "new");
    CHECK(f.rows_in_file() == 1);
  }

  TEST_CASE("put returns false under a foreign lock with commit durability and is written later") {
    CacheFixture f({.durability = Durability::commit});
    f.options.timing.max_wait = 0s;
    CHECK(f->put("before", 1));
    f.raw().run("BEGIN IMMEDIATE");
    CHECK_FALSE(f->put("k", 2));
    CHECK(f->get<int>("k") == 2);
    f.raw().run("ROLLBACK");
    f->flush();
    CHECK(f.in_file("k"));
    CHECK(f->stats().dropped == 0);
  }

  TEST_CASE("range removals keep their order among puts") {
    CacheFixture f;
    CHECK(f->put("a1", 1));
    CHECK(f->put("b1", 1));
    f->flush();
    CHECK(f->put("a2", 2));
    CHECK(f->put("b2", 2));
    CHECK(f->erase_prefix("a") == 2);
    CHECK(f->put("a3", 3));
    CHECK(f.keys() == "a3 b1 b2");
    CHECK(f->clear() == 3);
    CHECK(f->put("a4", 4));
    CHECK(f.keys() == "a4");
    f->flush();
    CHECK(f.keys() == "a4");
  }

  TEST_CASE("random queue operations agree with a map at every step") {
    for (const unsigned seed : {1U, 2U, 3U}) {
      INFO("seed " << seed);
      CacheFixture f({.queue_bytes = 64 * KiB});
      std::mt19937 random(seed);
      std::map<std::string, int> model;
      const auto key = [&] {
        return (random() % 2 == 0 ? "a" : "b") + std::to_string(random() % 12);
      };
      for (int step = 0; step < 1'500; ++step) {
        const std::string k = key();
        const auto dice = random() % 100;
        if (dice < 50) {
          CHECK(f->put(k, step));
          model[k] = step;
        } else if (dice < 65) {
          CHECK(f->erase(k) == (model.erase(k) == 1));
        } else if (dice < 68) {
          std::erase_if(model, [](const auto& each) { return each.first[0] == 'a'; });
          (void)f->erase_prefix("a");
        } else if (dice < 69) {
          (void)f->clear();
          model.clear();
        } else if (dice < 75) {
          f->flush();
        } else if (dice < 80) {
          (void)f->run_maintenance(Duration());
        } else {
          const auto found = f->get<int>(k);
          const auto expected = model.find(k);
          REQUIRE(found.has_value() == (expected != model.end()));
          if (found) REQUIRE(*found == expected->second);
        }
      }
      std::string all;
      for (const auto& [k, value] : model) all += (all.empty() ? "" : " ") + k;
      CHECK(f.keys() == all);
      f->flush();
      CHECK(f.keys() == all);
    }
  }
}
