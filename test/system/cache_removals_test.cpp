// erase, erase_many, erase_prefix and clear. They are committed when they return.

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;
using KeyList = std::vector<std::string>;

TEST_SUITE("system") {
  TEST_CASE("removals are in the file when they return") {
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "manual"));
      CacheFixture f;
      if (thread) f.use_thread();
      for (const char* key : {"a", "b", "c", "p1", "p2", "z"}) CHECK(f->put(key, 1));
      f->flush();
      CHECK(f->erase("a"));
      CHECK_FALSE(f.in_file("a"));
      CHECK(f->erase_many(KeyList{"b", "c"}) == 2);
      CHECK(f.rows_in_file() == 3);
      CHECK(f->erase_prefix("p") == 2);
      CHECK(f.rows_in_file() == 1);
      CHECK(f->clear() == 1);
      CHECK(f.rows_in_file() == 0);
      CHECK(f->stats().erased == 6);
    }
  }

  TEST_CASE("erasing a missing key is no error") {
    CacheFixture f;
    CHECK_FALSE(f->erase("never put"));
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f->erase("k"));
    CHECK_FALSE(f->erase("k"));
    CHECK(f->erase_prefix("nothing") == 0);
    CHECK(f->stats().erased == 1);
  }

  TEST_CASE("erase_many ignores an empty list, unknown keys and duplicates") {
    CacheFixture f;
    CHECK(f->put_many<int>({{"a", 1}, {"b", 2}, {"c", 3}}) == 3);
    f->flush();
    CHECK(f->erase_many(KeyList()) == 0);
    CHECK(f->erase_many(KeyList{"a", "unknown", "a", "b", "unknown", "a"}) == 2);
    CHECK(f.keys() == "c");
    CHECK(f->stats().erased == 2);
  }

  TEST_CASE("erasing a pending write returns true and the write is never stored") {
    CacheFixture f;
    CHECK(f->put("pending", 1));
    CHECK(f->erase("pending"));
    CHECK_FALSE(f->contains("pending"));
    f->flush();
    CHECK(f.rows_in_file() == 0);
    // A pending overwrite of a stored row counts as one live entry, not two.
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f->put("k", 2));
    CHECK(f->erase_many(KeyList{"k"}) == 1);
    CHECK_FALSE(f->contains("k"));
    CHECK(f.rows_in_file() == 0);
  }

  TEST_CASE("erasing an expired entry returns false and deletes its row") {
    CacheFixture f;
    CHECK(f->put("stored", 1, {.ttl = 1s}));
    f->flush();
    CHECK(f->put("pending", 1, {.ttl = 1s}));
    f.clock->advance(1s);
    CHECK_FALSE(f->erase("stored"));
    CHECK_FALSE(f->erase("pending"));
    CHECK(f->stats().entries == 0);
    CHECK(f.rows_in_file() == 0);
  }

  TEST_CASE("a put after a removal is kept") {
    CacheFixture f;
    f.fill("k", 3);
    f->flush();
    CHECK(f->erase("k1"));
    CHECK(f->put("k1", 10));
    CHECK(f->get<int>("k1") == 10);
    CHECK(f->erase_prefix("k") == 3);
    CHECK(f->put("k2", 20));
    CHECK(f->clear() == 1);
    CHECK(f->put("k3", 30));
    f->flush();
    CHECK(f.keys() == "k3");
  }

  TEST_CASE("clear removes all entries of an empty cache and of 10,000 rows") {
    for (const bool listening : {false, true}) {
      INFO(std::string(listening ? "listening" : "not listening"));
      CacheFixture f;
      if (listening) f.listen_to_removals();
      CHECK(f->clear() == 0);
      CHECK(f->stats().entries == 0);
      CHECK(f->stats().bytes == 0);
      f.fill("k", 10'000);
      f->flush();
      CHECK(f->put("pending", 1));
      CHECK(f->clear() == 10'001);
      CHECK(f->stats().entries == 0);
      CHECK(f->stats().bytes == 0);
      CHECK(f->stats().erased == 10'000);  // the pending entry was never in the file
      CHECK_FALSE(f->get<std::string>("k77").has_value());
      CHECK(f.rows_in_file() == 0);
      CHECK(f.heard.removals().size() == (listening ? 10'000 : 0));
      CHECK(f->put("k", "again"));
      f.check_file();
    }
  }

  TEST_CASE("erase_prefix removes keys with the prefix and has no wildcards") {
    CacheFixture f;
    const KeyList keys = {"Post:1:a", "Post:10:a", "Post:1", "Post%",    "Post_", "Posts",
                          "post:1",   "Pos",       "\xFF",   "\xFF\xFF", "*",     "?"};
    for (const std::string& key : keys) CHECK(f->put(key, 1));
    f->flush();
    CHECK(f->erase_prefix("Post:1:") == 1);
    CHECK(f->erase_prefix("Post%") == 1);
    CHECK(f->erase_prefix("Post_") == 1);
    CHECK(f->erase_prefix("*") == 1);
    CHECK(f->erase_prefix("\xFF\xFF") == 1);
    CHECK(f->erase_prefix("\xFF") == 1);
    CHECK(f->erase_prefix("Post") == 3);
    CHECK(f.keys() == "? Pos post:1");
  }

  TEST_CASE("erase_prefix of many rows works in bounded transactions and keeps other keys") {
    CacheFixture f;
    f.fill("gone ", 3'500);
    f.fill("kept ", 1'500);
    f->flush();
    const std::int64_t before = f->stats().commits;
    CHECK(f->erase_prefix("gone ") == 3'500);
    CHECK(f->stats().commits - before >= 4);
    CHECK(f->stats().entries == 1'500);
    CHECK(f.keys("gone ") == "");
    CHECK(f->contains("kept 1499"));
  }

  TEST_CASE("erase returns exact results among puts with a worker thread") {
    CacheFixture f;
    f.use_thread();
    f.options.timing.max_wait = 10min;
    int erased = 0;
    for (int i = 0; i < 2'000; ++i) {
      const std::string key = "k" + std::to_string(i % 50);
      CHECK(f->put(key, i));
      if (i % 7 == 0 && f->erase(key)) ++erased;
    }
    CHECK(erased == 286);
    f->flush();
    CHECK(f->stats().dropped == 0);
  }
}
