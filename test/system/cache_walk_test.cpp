// for_each: visiting the entries.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/rendezvous.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

TEST_SUITE("system") {
  TEST_CASE("get and entry find every key that for_each visits") {
    CacheFixture f;
    const std::vector<std::string> keys = {
        "a",          "it's",     "\"quoted\"",   "two\nlines", "100%",        "under_score",
        "semi;colon", "\xC3\xBC", "\xFF\xFE raw", "tab\t",      "back\\slash", " "};
    for (const std::string& key : keys) CHECK(f->put(key, key + "!"));
    for (const std::string place : {"pending", "in the file"}) {
      INFO(place);
      std::size_t seen = 0;
      f->for_each("", [&](const EntryInfo& entry, ValueView value) {
        ++seen;
        CHECK(value.bytes() == entry.key + "!");
        CHECK(f->get<std::string>(entry.key) == entry.key + "!");
        CHECK(f->entry(entry.key)->byte_size == entry.byte_size);
      });
      CHECK(seen == keys.size());
      f->flush();
    }
  }

  TEST_CASE("for_each visits no entry whose removal was accepted before it began") {
    CacheFixture f;
    f.options.timing.max_wait = 0s;
    f.fill("range", 3);
    f->flush();
    f.raw().run("BEGIN IMMEDIATE");
    CHECK(f->erase_prefix("range") == 0);  // queued
    bool is_committed = false;
    const AtTestPoints points{[&](std::string_view point) {
      if (point != "walk: has a page" || is_committed) return;
      is_committed = true;
      f.raw().run("ROLLBACK");
      f->flush();
    }};
    CHECK(f.keys("range") == "");
    CHECK(is_committed);
    CHECK(f.rows_in_file() == 0);
  }

  TEST_CASE("for_each visits all entries when large values end its pages early") {
    CacheFixture f;
    f.fill("large ", 100, 100'000);
    f.fill("small ", 300);
    f->flush();
    int shown = 0;
    f->for_each("", [&](const EntryInfo&) { ++shown; });
    CHECK(shown == 400);
  }

  TEST_CASE("for_each visits pending and stored entries in the order of the keys") {
    CacheFixture f;
    std::map<std::string, int> model;
    std::mt19937 random(20);
    // More keys than one page of for_each: stored, pending, overwritten and missing ones.
    for (const std::string& key : numbered("k", 700)) {
      if (random() % 3 != 0) {
        CHECK(f->put(key, 1));
        model[key] = 1;
      }
    }
    f->flush();
    for (const std::string& key : numbered("k", 700)) {
      if (random() % 4 == 0) {
        CHECK(f->put(key, 2));
        model[key] = 2;
      }
    }
    std::vector<std::pair<std::string, int>> shown;
    f->for_each("k", [&](const EntryInfo& entry, ValueView value) {
      shown.emplace_back(entry.key, static_cast<int>(value.as_integer()));
    });
    CHECK(shown == std::vector<std::pair<std::string, int>>(model.begin(), model.end()));
  }

  TEST_CASE("for_each visits exactly the keys with the prefix") {
    CacheFixture f;
    for (const char* key : {"a", "a%", "a%b", "a_b", "ab", "axb", "b", "A", "a\xFF", "a\xFF\xFF"}) {
      CHECK(f->put(key, 1));
    }
    for (const std::string place : {"pending", "in the file"}) {
      INFO(place);
      CHECK(f.keys("a%") == "a% a%b");
      CHECK(f.keys("a_") == "a_b");
      CHECK(f.keys("b") == "b");
      CHECK(f.keys("a\xFF") == "a\xFF a\xFF\xFF");
      CHECK(f.keys("c") == "");
      CHECK(f.keys("ab") == "ab");
      f->flush();
    }
  }

  TEST_CASE("for_each ends when the visitor returns false") {
    CacheFixture f;
    f.fill("k", 600);
    for (const std::string place : {"pending", "in the file"}) {
      INFO(place);
      int seen = 0;
      f->for_each("", [&](const EntryInfo&) { return ++seen < 5; });
      CHECK(seen == 5);
      f->flush();
    }
  }

  TEST_CASE("a visitor of for_each may use the cache and throw") {
    CacheFixture f;
    f.fill("k", 600);
    f->flush();
    int erased = 0;
    f->for_each("k", [&](const EntryInfo& entry) {
      if (f->erase(entry.key)) ++erased;
      CHECK(f->put("seen " + entry.key, 1));
    });
    CHECK(erased == 600);
    CHECK(f.keys("k") == "");
    CHECK_THROWS_AS(f->for_each("", [](const EntryInfo&) { throw 42; }), int);
    f->flush();
    CHECK(f->stats().entries == 600);
  }

  TEST_CASE("for_each visits no expired entry") {
    CacheFixture f;
    CHECK(f->put("short", 1, {.ttl = 1s}));
    CHECK(f->put("long", 1, {.ttl = 1h}));
    f->flush();
    CHECK(f->put("pending", 1, {.ttl = 1s}));
    CHECK(f.keys() == "long pending short");
    f.clock->advance(1s);
    CHECK(f.keys() == "long");
  }
}
