// Cache::calculations() and the views: the calculations in the file and their counters.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Post {
  int id;
};

/// Loads two calculations for two posts, then "words" again. Each computation takes 2 s.
void load_posts(CacheFixture& f, std::uint32_t version, int invalidations = 0) {
  Registry registry(f.cache());
  auto& posts = registry.resource<Post>("Post", &Post::id);
  const auto slow = [&f](const Post& post) {
    f.clock->advance(2s);
    return post.id;
  };
  auto words = posts.calculation("words", slow, {.version = version});
  auto mood = posts.calculation("mood", slow);
  posts.cache_calculation("words", {.ttl = 30min});
  posts.cache_calculation("mood", {});
  const std::vector<Post> page = {{1}, {2}};
  (void)posts.load(page, words, mood);
  (void)words(page);
  f->flush();
  for (int i = 0; i < invalidations; ++i) words.invalidate_all();
}

/// The counters of cache_overview, then the sums over cache_by_calculation.
std::string counted(const CacheFixture& f) {
  return f.shell(
      "SELECT hits, misses, computed, seconds_saved FROM cache_overview;"
      "SELECT sum(hits), sum(misses), sum(computed), sum(seconds_saved) FROM cache_by_calculation");
}

std::string names(const std::vector<StoredCalculation>& calculations) {
  std::string all;
  for (const StoredCalculation& each : calculations) {
    all += each.resource + ':' + each.name + '/' + std::to_string(each.version) + ' ';
  }
  return all;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a file with the maximum of calculations drops the least read one for a new one") {
    CacheFixture f;
    (void)f.cache();  // creates the file
    f.raw().run(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        " INSERT INTO cache_calculations (id, resource, name, version, policy, hits)"
        " SELECT i, 'Post', 'calculation ' || i, 1, '', abs(i - 5000) FROM n");
    f.close_raw();
    f.reopen();
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    auto words = posts.calculation("words", [](const Post& post) { return post.id; });
    posts.cache_calculation("words", {});
    CHECK(words(Post{3}) == 3);
    f->flush();
    (void)f.run_to_the_end();
    CHECK(f.raw().integer("SELECT count(*) FROM cache_calculations") == 10'000);
    CHECK(f.raw().integer("SELECT count(*) FROM cache_calculations WHERE name = 'words'") == 1);
    CHECK(f.raw().integer("SELECT count(*) FROM cache_calculations WHERE id = 5000") == 0);
  }

  TEST_CASE("calculations returns each calculation with its counters") {
    CacheFixture f;
    CHECK(f->calculations().empty());
    load_posts(f, 1);
    const std::vector<StoredCalculation> all = f->calculations();
    REQUIRE(names(all) == "Post:words/1 Post:mood/1 ");
    CHECK(all[0].policy == "ttl 30m");
    CHECK(all[0].stats.hits == 2);
    CHECK(all[0].stats.misses == 2);
    CHECK(all[0].stats.computed == 2);
    CHECK(all[0].stats.stale_hits == 0);
    CHECK(all[0].stats.failed == 0);
    CHECK(all[0].stats.saved == Duration(4s));
    CHECK(all[1].stats.hits == 0);
    CHECK(f->entry("Post:1:mood")->calculation_id == all[1].id);
    CHECK(f.shell("SELECT calculation_id, hits, seconds_saved FROM cache_by_calculation"
                  " WHERE calculation = 'words'") == std::to_string(all[0].id) + "|2|4.0\n");
  }

  TEST_CASE("calculations omits a calculation of an older version") {
    CacheFixture f;
    load_posts(f, 1);
    const std::int64_t old_id = f->calculations()[0].id;
    f.reopen();
    load_posts(f, 2);
    const std::vector<StoredCalculation> all = f->calculations();
    CHECK(names(all) == "Post:mood/1 Post:words/2 ");
    CHECK(all.at(1).id != old_id);
  }

  TEST_CASE("counters count once while results of retired calculations are in the file") {
    CacheFixture f;
    load_posts(f, 1, 2);
    CHECK(f.shell("SELECT count(*) FROM cache_calculations WHERE retired") == "2\n");
    CHECK(counted(f) == "2|4|4|4.0\n2|4|4|4.0\n");
    f.reopen();
    load_posts(f, 2);
    CHECK(counted(f) == "6|6|6|12.0\n6|6|6|12.0\n");
    f->compact();
    CHECK(counted(f) == "6|6|6|12.0\n6|6|6|12.0\n");
  }

  TEST_CASE("calculations works read-only and returns nothing without a file") {
    CacheFixture f;
    load_posts(f, 1);
    Options options = f.options;
    options.access = Access::read_only;
    const Cache tool(f.path, options);
    CHECK(names(tool.calculations()) == "Post:words/1 Post:mood/1 ");
    const Cache nothing(f.dir.path("no.db"), options);
    CHECK(nothing.calculations().empty());
    f->close();
    CHECK(f->calculations().empty());
  }
}
