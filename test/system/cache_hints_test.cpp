// Remembered rowids in whole caches: the searches that they save, and changes that make them wrong.

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/statement_counter.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// A cache whose reads all go to the file, with 20 entries in it.
struct Hinted {
  explicit Hinted(std::int64_t hint_bytes = 4 * MiB)
      : f({.memory_bytes = 0, .hint_bytes = hint_bytes}) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string& key : numbered("k", 20)) pairs.emplace_back(key, "value of " + key);
    CHECK(f->put_many(pairs) == 20);
    f->flush();
  }

  /// Reads all entries, and returns the number of found values. All of them must be right.
  int read_all() {
    int found = 0;
    for (const std::string& key : numbered("k", 20)) {
      const auto value = f->get<std::string>(key);
      found += value ? 1 : 0;
      CHECK(value.value_or("") == text_of(key));
    }
    return found;
  }
  /// Another program changes the file, and the cache notices it.
  void change(const std::string& sql) {
    CHECK(f.shell(sql) == "");
    (void)f->run_maintenance(1s);
  }
  /// The value in the file; empty if the key has no row.
  std::string text_of(const std::string& key) {
    return f.raw().rows("SELECT value FROM cache_entries WHERE cache_key = '" + key + "'");
  }
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> hints() {
    const Stats stats = f->stats();
    return {stats.hint_hits, stats.wrong_hints};
  }

  CacheFixture f;
};

using Counts = std::pair<std::int64_t, std::int64_t>;

/// Overwrites all pages except the first one. Another process does it, because closing the file in
/// this process would release the cache's locks.
void overwrite_pages(const std::string& path) {
  const ChildEnd end = in_child([&path]() -> std::string {
    std::string content = read_file(path);
    std::fill(content.begin() + 4'096, content.end(), '\x55');
    write_file(path, content);
    return "done";
  });
  REQUIRE(end.said == "done");
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("stats count the rows that were found by hints, and the hints that were wrong") {
    Hinted h;
    CHECK(h.read_all() == 20);
    CHECK(h.hints() == Counts{20, 0});
    h.f.reopen();
    CHECK(h.read_all() == 20);
    CHECK(h.hints() == Counts{0, 0});
    CHECK(h.read_all() == 20);
    CHECK(h.f->contains("k1"));
    CHECK_FALSE(h.f->contains("absent"));
    CHECK(h.hints() == Counts{21, 0});
    h.change("DELETE FROM cache_entries WHERE cache_key = 'k7'");
    for (int i = 0; i < 2; ++i) CHECK_FALSE(h.f->get<std::string>("k7"));
    CHECK(h.hints() == Counts{21, 1});
    CHECK(h.f->stats().misses == 2);
  }

  TEST_CASE("stats count the hints of writes, too") {
    Hinted h;
    CHECK(h.f->put("k1", "new"));
    CHECK(h.f->put("absent", "new"));
    h.f->flush();
    CHECK(h.hints() == Counts{1, 0});
    CHECK(h.f->erase("k2"));
    CHECK(h.hints() == Counts{2, 0});
    h.change("DELETE FROM cache_entries WHERE cache_key = 'k3'");
    CHECK(h.f->put("k3", "new"));
    h.f->flush();
    CHECK(h.hints() == Counts{2, 1});
  }

  TEST_CASE("with hint_bytes of 0 each row is searched by its key") {
    StatementCounter statements;
    Hinted h(0);
    (void)statements.take();
    for (int i = 0; i < 2; ++i) CHECK(h.read_all() == 20);
    CHECK(h.hints() == Counts{0, 0});
    const std::vector<std::string> run = statements.take();
    CHECK(count_of("NOT INDEXED WHERE rowid = ?1", run) == 0);
    CHECK(count_of("k.cache_key = ?1", run) == 40);
  }

  TEST_CASE("a page whose results were stored together is read without the index of keys") {
    struct Post {
      int id;
    };
    StatementCounter statements;
    CacheFixture f({.memory_bytes = 0});
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    int calls = 0;
    auto slow = posts.calculation("slow", [&calls](const Post& post) {
      ++calls;
      return post.id * 2;
    });
    posts.cache_calculation("slow", {});
    std::vector<Post> page;
    std::vector<int> doubled;
    for (int i = 0; i < 100; ++i) {
      page.push_back({i * 37 % 1'000});
      doubled.push_back(page.back().id * 2);
    }
    CHECK(slow(page) == doubled);
    f->flush();
    (void)statements.take();
    CHECK(slow(page) == doubled);
    const std::vector<std::string> run = statements.take();
    CHECK(calls == 100);
    CHECK(count_of("NOT INDEXED WHERE rowid = ?1", run) == 100);
    CHECK(count_of("k.cache_key = ?1", run) == 0);
    CHECK(f->stats().hint_hits == 100);
  }

  TEST_CASE("get_many returns values in the order of its keys, with and without hints") {
    Hinted h;
    h.f.reopen();
    CHECK(h.f->get<std::string>("k3"));
    CHECK(h.f->get<std::string>("k12"));
    const std::vector<std::string> keys = {"k19", "k3", "none", "k12", "k0", "k3"};
    const auto values = h.f->get_many<std::string>(keys);
    REQUIRE(values.size() == keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      CHECK(values[i].value_or("") == h.text_of(keys[i]));
    }
    CHECK(h.hints() == Counts{2, 0});
  }

  TEST_CASE("values stay right while another program moves the rows") {
    Hinted h;
    CHECK(h.read_all() == 20);
    h.change(
        "UPDATE cache_entries SET rowid = 21 - rowid + 1000;"
        "UPDATE cache_entries SET rowid = rowid - 1000");
    CHECK(h.read_all() == 20);
    CHECK(h.hints() == Counts{20, 20});
    CHECK(h.read_all() == 20);
    CHECK(h.hints() == Counts{40, 20});
    h.change(
        "DELETE FROM cache_entries WHERE rowid % 2 = 0;"
        "CREATE TEMP TABLE copies AS SELECT * FROM cache_entries ORDER BY cache_key;"
        "DELETE FROM cache_entries; INSERT INTO cache_entries SELECT * FROM copies");
    CHECK(h.read_all() == 10);
    CHECK(h.hints() == Counts{40, 40});  // no row has its rowid again
    for (const std::string& key : numbered("k", 20)) CHECK(h.f->put(key, "new " + key));
    h.f->flush();
    CHECK(h.f->stats().entries == 20);
    CHECK(h.hints() == Counts{50, 40});  // 10 rows were there
    CHECK(h.read_all() == 20);
    CHECK(h.hints() == Counts{70, 40});
    CHECK(h.text_of("k5") == "new k5");
  }

  TEST_CASE("hints of a file that was replaced or quarantined find no wrong rows in the new one") {
    for (const bool is_damaged : {true, false}) {
      CAPTURE(is_damaged);
      Hinted h;
      CHECK(h.read_all() == 20);
      h.f.close_raw();
      if (is_damaged) {
        h.f->compact();
        overwrite_pages(h.f.path);
        h.f.clock->advance(1h);
        for (const std::string& key : numbered("k", 20)) (void)h.f->get<std::string>(key);
      } else {
        for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(h.f.path + end);
      }
      (void)h.f->run_maintenance(1s);
      CHECK(h.f.heard.count(is_damaged ? NoticeKind::quarantined : NoticeKind::file_lost) == 1);
      const Counts before = h.hints();
      for (int i = 19; i >= 0; i -= 2) CHECK(h.f->put("k" + std::to_string(i), i));
      h.f->flush();
      for (int i = 0; i < 20; ++i) {
        CHECK(h.f->get<int>("k" + std::to_string(i)).value_or(-1) == (i % 2 == 1 ? i : -1));
      }
      CHECK(h.hints().first == before.first + 10);
      // Each hint of the old file was wrong once: 10 for puts, and 10 for reads of missing keys. A
      // hint whose row could not be read was forgotten at once.
      const std::int64_t wrong = h.hints().second - before.second;
      CHECK(wrong == (is_damaged ? 19 : 20));
    }
  }

  TEST_CASE("a read-only cache remembers rowids and sees each change") {
    Hinted h;
    Options options = h.f.options;
    options.access = Access::read_only;
    Cache reader(h.f.path, options);
    for (int i = 0; i < 2; ++i) CHECK(reader.get<std::string>("k4") == h.text_of("k4"));
    CHECK(reader.stats().hint_hits == 1);
    CHECK(h.f->put("k4", "new"));
    h.f->flush();
    CHECK(reader.get<std::string>("k4") == "new");
    CHECK(h.f->erase("k4"));
    CHECK_FALSE(reader.get<std::string>("k4"));
    CHECK(reader.stats().hint_hits == 2);
    CHECK(reader.stats().wrong_hints == 1);
  }
}
