// Invalid keys, unusable paths and files that are not caches.

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// Every call that takes a key, by name.
std::vector<std::pair<std::string, std::function<void(Cache&, const std::string&)>>> key_calls() {
  return {
      {"get", [](Cache& c, const std::string& key) { (void)c.get<int>(key); }},
      {"get_many",
       [](Cache& c, const std::string& key) {
         (void)c.get_many<int>(std::vector<std::string>{"fine", key});
       }},
      {"contains", [](Cache& c, const std::string& key) { (void)c.contains(key); }},
      {"entry", [](Cache& c, const std::string& key) { (void)c.entry(key); }},
      {"put", [](Cache& c, const std::string& key) { (void)c.put(key, 1); }},
      {"put_many",
       [](Cache& c, const std::string& key) {
         (void)c.put_many(std::vector<std::pair<std::string, int>>{{"fine", 1}, {key, 2}});
       }},
      {"get_or_compute",
       [](Cache& c, const std::string& key) { (void)c.get_or_compute(key, [] { return 1; }); }},
      {"touch", [](Cache& c, const std::string& key) { (void)c.touch(key); }},
      {"erase", [](Cache& c, const std::string& key) { (void)c.erase(key); }},
      {"erase_many",
       [](Cache& c, const std::string& key) {
         (void)c.erase_many(std::vector<std::string>{"fine", key});
       }},
      {"erase_prefix", [](Cache& c, const std::string& key) { (void)c.erase_prefix(key); }},
  };
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("every call refuses an empty key, a key with NUL and a key that is too long") {
    CacheFixture f;
    CHECK(f->put("fine", 7));
    const std::vector<std::pair<std::string, std::string>> keys = {
        {"", "empty"},
        {std::string("a\0b", 3), "NUL"},
        {std::string("\0", 1), "NUL"},
        {std::string(4'097, 'x'), "4097"},
        {std::string(100'000, 'x'), "100000"}};
    for (const auto& call : key_calls()) {
      for (const auto& key : keys) {
        const std::string& why = key.second;
        INFO(call.first << ": " << why);
        const auto error = thrown_by([&] { call.second(f.cache(), key.first); });
        REQUIRE(error);
        CHECK(error->code() == ErrorCode::invalid_key);
        CHECK(has(error->what(), why));
        CHECK(std::string_view(error->what()).size() < 1'000);
      }
    }
    CHECK(f.keys() == "fine");  // a refused batch stores nothing
    CHECK(f->get<int>("fine") == 7);
    CHECK(f->stats().puts == 1);
  }

  TEST_CASE("keys may contain quotes, newlines, SQL and any bytes except NUL") {
    CacheFixture f;
    const std::vector<std::string> keys = {
        "it's", "\"quoted\"", "two\nlines",       "'; DROP TABLE cache_entries; --",
        "%",    "_",          "\xFF\xFE",         "\x01",
        " ",    "Post:1:x",   "\xF0\x9F\x90\x98", std::string(4'096, 'k')};
    for (const std::string& key : keys) CHECK(f->put(key, key));
    for (int round = 0; round < 2; ++round) {
      for (const std::string& key : keys) CHECK(f->get<std::string>(key) == key);
      CHECK(f->get_many<std::string>(keys).size() == keys.size());
      f->flush();
    }
    CHECK(f->stats().entries == static_cast<std::int64_t>(keys.size()));
    for (const std::string& key : keys) CHECK(f->erase(key));
    CHECK(f->stats().entries == 0);
  }

  TEST_CASE("a second cache on one file in the same process is refused") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    for (const WhenUnavailable when : {WhenUnavailable::go_on, WhenUnavailable::throw_error}) {
      Options options = f.options;
      options.when_unavailable = when;
      const auto error = thrown_by([&] { const Cache second(f.path, options); });
      REQUIRE(error);
      CHECK(error->code() == ErrorCode::file_in_use);
      CHECK(has(error->what(), f.path));
      CHECK(error->subject() == f.path);
    }
    // The file is recognised under another path, too.
    fs::create_directory_symlink(f.dir.path(), f.dir.path("alias"));
    CHECK(code_thrown_by([&] { const Cache second(f.dir.path("alias/cache.db"), f.options); }) ==
          "file_in_use");
    f->flush();
    CHECK(f.in_file("k"));
    f.close();
    CHECK(f->get<int>("k") == 1);
  }

  TEST_CASE("a second cache in another process is refused until the first one closes") {
    CacheFixture f;
    Child other([&](Child::Parent& parent) -> std::string {
      Cache cache(f.path, f.options);
      (void)cache.put("theirs", 1);
      cache.flush();
      parent.notify();
      parent.wait_for();
      cache.close();
      parent.notify();
      parent.wait_for();
      return {};
    });
    REQUIRE(other.wait_for());
    const auto error = thrown_by([&] { const Cache second(f.path, f.options); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::file_in_use);
    CHECK(has(error->what(), f.path));
    other.notify();
    REQUIRE(other.wait_for());
    CHECK(f->get<int>("theirs") == 1);
  }

  TEST_CASE("a cache without parent directory works without file until the directory exists") {
    CacheFixture f;
    const std::string path = f.dir.path("missing/cache.db");
    Options strict = f.options;
    strict.when_unavailable = WhenUnavailable::throw_error;
    const auto error = thrown_by([&] { const Cache cache(path, strict); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::unavailable);
    CHECK(has(error->what(), f.dir.path("missing")));
    CHECK(error->subject() == path);

    Cache cache(path, f.options);
    CHECK(cache.health().state == HealthState::unavailable);
    CHECK_FALSE(cache.put("k", 1));
    CHECK(cache.get<int>("k") == 1);  // memory has it
    CHECK(cache.contains("k"));
    CHECK(cache.touch("k"));
    CHECK_FALSE(cache.get<int>("other").has_value());
    CHECK_FALSE(cache.erase("k"));
    CHECK_FALSE(cache.contains("k"));
    CHECK(cache.get_or_compute("k", [] { return 9; }) == 9);
    CHECK(code_thrown_by([&] { cache.flush(); }) == "store_failed");
    CHECK(code_thrown_by([&] { (void)cache.check(); }) == "store_failed");
    CHECK(cache.stats().dropped == 2);
    CHECK(cache.stats().unread == 1);  // for "other"; the pending removal of "k" answers for "k"
    CHECK(f.heard.count(NoticeKind::unavailable) == 1);
    CHECK(has(f.heard.last(NoticeKind::unavailable).what, path));

    fs::create_directory(f.dir.path("missing"));
    f.clock->advance(1min);
    (void)cache.run_maintenance();
    CHECK(cache.health().state == HealthState::ok);
    CHECK(cache.put("k", 1));
    cache.flush();
    CHECK(cache.get<int>("k") == 1);
    CHECK(f.heard.count(NoticeKind::available) == 1);
  }

  TEST_CASE("a directory without write permission makes the cache unavailable") {
    const TempDir dir;
    fs::create_directory(dir.path("locked"));
    dir.open_to_all();
    fs::permissions(dir.path("locked"), fs::perms(0555));
    const ChildEnd end = in_child([&]() -> std::string {
      drop_privileges();
      Options options;
      options.hooks.worker = WorkerMode::manual;
      Cache cache(dir.path("locked/cache.db"), options);
      std::string said(to_string(cache.health().state));
      said += cache.put("k", 1) ? " put" : " not put";
      options.when_unavailable = WhenUnavailable::throw_error;
      const std::string two = dir.path("locked/two.db");
      const auto error = thrown_by([&] { const Cache refused(two, options); });
      if (!error) return said + " no error";
      said += ' ' + std::string(to_string(error->code()));
      return said + (has(error->what(), two) && error->subject() == two ? " named" : error->what());
    });
    CHECK(end.said == "unavailable not put unavailable named");
    CHECK(fs::is_empty(dir.path("locked")));
  }

  TEST_CASE("a file that is not a cache is refused by name and not changed") {
    const TempDir dir;
    fs::create_directory(dir.path("directory"));
    write_file(dir.path("text"), "my notes\n");
    CHECK(run_program({"sqlite3", dir.path("database"),
                       "CREATE TABLE t (a); INSERT INTO t "
                       "VALUES (1)"})
              .exit_code == 0);
    REQUIRE(::mkfifo(dir.path("fifo").c_str(), 0600) == 0);
    fs::create_symlink("text", dir.path("link"));
    fs::create_symlink("nowhere", dir.path("dangling"));
    const std::string database = read_file(dir.path("database"));
    for (const std::string name : {"directory", "text", "database", "fifo", "link", "dangling"}) {
      for (const WhenUnavailable when : {WhenUnavailable::go_on, WhenUnavailable::throw_error}) {
        INFO(name);
        Options options;
        options.when_unavailable = when;
        const auto error = thrown_by([&] { const Cache cache(dir.path(name), options); });
        REQUIRE(error);
        CHECK(error->code() == ErrorCode::not_a_cache);
        CHECK(has(error->what(), dir.path(name)));
        CHECK(error->subject() == dir.path(name));
      }
    }
    CHECK(read_file(dir.path("text")) == "my notes\n");
    CHECK(read_file(dir.path("database")) == database);
    std::vector<std::string> left;
    for (const auto& entry : fs::directory_iterator(dir.path())) {
      left.push_back(entry.path().filename().string());
    }
    CHECK(left.size() == 6);
    CHECK(code_thrown_by([&] { const Cache cache("/dev/null"); }) == "not_a_cache");
  }
}
