// A read-only cache follows the changes that an application makes to the file.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <filesystem>
#include <string>

#include "support/cache_fixture.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Post {
  int id;
};

Options read_only(const CacheFixture& f) {
  Options options = f.options;
  options.access = Access::read_only;
  return options;
}

/// A program with a calculation `id` times `factor` of a given version.
struct Program {
  Program(Cache& cache, int factor, std::uint32_t version = 1) : registry(cache) {
    auto& posts = registry.resource<Post>("Post", &Post::id);
    times = posts.calculation("times", [factor](const Post& post) { return post.id * factor; },
                              {.version = version});
    posts.cache_calculation("times", {});
  }
  Registry registry;
  Calculation<Post, int> times;
};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a read-only cache sees new and invalidated calculations and totals") {
    CacheFixture f;
    const Program app(f.cache(), 10);
    const Cache reader(f.path, read_only(f));
    CHECK(reader.stats().entries == 0);
    CHECK(app.times(Post{1}) == 10);
    f->flush();
    f.clock->advance(1s);
    CHECK(reader.get<int>("Post:1:times") == 10);
    CHECK(reader.stats().entries == 1);
    CHECK(reader.stats().bytes == f->stats().bytes);
    app.times.invalidate_all();
    f.clock->advance(1s);
    CHECK_FALSE(reader.contains("Post:1:times"));
    CHECK_FALSE(reader.entry("Post:1:times").has_value());
    CHECK(app.times(Post{1}) == 10);
    f->flush();
    CHECK(reader.calculations().size() == 1);
    CHECK(reader.contains("Post:1:times"));
  }

  TEST_CASE("a read-only cache does not return results of another version") {
    CacheFixture f;
    const Program app(f.cache(), 10);
    CHECK(app.times(Post{1}) == 10);
    f->flush();
    Cache reader(f.path, read_only(f));
    const Program tool(reader, 20, 2);
    CHECK(tool.times(Post{1}) == 20);
    for (int round = 0; round < 3; ++round) {  // the file assigns new calculation ids
      app.times.invalidate_all();
      CHECK(app.times(Post{1}) == 10);
      f->flush();
      CHECK(tool.times(Post{1}) == 20);
      f.clock->advance(1s);
      CHECK(tool.times(Post{1}) == 20);
    }
  }

  TEST_CASE("a read-only cache opens the file that appears or is replaced at its path") {
    CacheFixture f;
    f.expect_no_order();
    Options options = read_only(f);
    options.hooks.on_error = [&](const Notice& notice) { f.heard.add(notice); };
    Cache reader(f.path, options);
    CHECK(reader.health().state == HealthState::unavailable);
    CHECK(f->put("k", 1));
    f->flush();
    f.clock->advance(1s);
    CHECK(reader.get<int>("k") == 1);
    CHECK(reader.health().state == HealthState::ok);
    for (const char* const name : {"", "-wal", "-shm"}) fs::remove(f.path + name);
    f.clock->advance(1s);
    f->flush();
    CHECK(f->put("new", 2));
    f->flush();
    f.clock->advance(1s);
    CHECK_FALSE(reader.get<int>("k").has_value());
    CHECK(reader.get<int>("new") == 2);
    reader.flush();
    CHECK(f.heard.count(NoticeKind::file_lost) == 2);  // one of each cache
  }

  TEST_CASE("a read-only cache reads entries that a raised max_entry_bytes allows") {
    CacheFixture f;
    CHECK(f->put("k", std::string(200'000, 'v')));
    f->flush();
    Options options = read_only(f);
    options.limits.max_entry_bytes = 1'000;
    Cache reader(f.path, options);
    CHECK_FALSE(reader.contains("k"));
    reader.set_limits({.max_entry_bytes = 1'000'000});
    (void)reader.run_maintenance();
    CHECK(reader.get<std::string>("k") == std::string(200'000, 'v'));
  }

  TEST_CASE("a read-only cache checks the file once a second and in run_maintenance") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f->flush();
    Cache reader(f.path, read_only(f));
    CHECK(reader.stats().entries == 1);
    CHECK(f->put("l", 1));
    f->flush();
    CHECK(reader.stats().entries == 1);
    CHECK(reader.get<int>("l") == 1);  // single entries are read from the file
    CHECK_FALSE(reader.run_maintenance());
    CHECK(reader.stats().entries == 2);
  }
}
