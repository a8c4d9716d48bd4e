#include <doctest/doctest.h>
#include <ashmemo/ashmemo.hpp>
#include <cstdint>
#include <filesystem>
#include <string>

#include "blog_fixture.hpp"

// What a change of all results of a calculation costs: the same for few as for many.

using namespace ashmemo;
using test::Post;
using test::posts_up_to;

namespace {

constexpr std::int64_t kFew = 10;
constexpr std::int64_t kMany = 10'000;

/// Opens the same file again, as the next run of the program.
struct Run {
  Run(const std::string& path, std::uint32_t version)
      : file(path), cache(path, {.hooks = {.worker = WorkerMode::manual}}) {
    id = posts.calculation("id", &Post::id, {.version = version});
    posts.cache_calculation("id", {});
  }

  /// Bytes of the write-ahead log, which a clean close removes.
  [[nodiscard]] std::uintmax_t log_bytes() const {
    return std::filesystem::file_size(file + "-wal");
  }

  std::string file;
  Cache cache;
  Registry registry{cache};
  Resource<Post>& posts = registry.resource<Post>("Post", &Post::id);
  Calculation<Post, std::int64_t> id;
};

struct Cost {
  std::int64_t commits = 0;
  std::uintmax_t log_bytes = 0;
  friend bool operator==(const Cost&, const Cost&) = default;
};

/// What `change` writes where the file holds this many results.
template <class Change>
Cost cost_with(std::int64_t entries, std::uint32_t version, Change change) {
  const test::TempDir dir;
  (void)Run(dir.path("runs.db"), 1).id(posts_up_to(entries));
  Run run(dir.path("runs.db"), version);
  CHECK(run.cache.stats().entries == entries);
  change(run);
  CHECK(run.id.cached(Post{1, "", 0}) == std::nullopt);
  return {run.cache.stats().commits, run.log_bytes()};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("raising a version is one small commit, for few results as for many") {
    const auto load_and_commit = [](Run& run) {
      CHECK(run.id.cached(Post{1, "", 0}) == std::nullopt);
      (void)run.cache.erase("nothing");  // returns when what was queued before it is in the file
    };
    const Cost few = cost_with(kFew, 2, load_and_commit);
    CHECK(few.commits <= 2);  // the version, and the removal
    CHECK(few.log_bytes < 64 * KiB);
    CHECK(cost_with(kMany, 2, load_and_commit) == few);
  }

  TEST_CASE("invalidating all results is one small commit, for few results as for many") {
    const auto invalidate = [](Run& run) { run.id.invalidate_all(); };
    const Cost few = cost_with(kFew, 1, invalidate);
    CHECK(few.commits == 1);
    CHECK(few.log_bytes < 64 * KiB);
    CHECK(cost_with(kMany, 1, invalidate) == few);
  }
}
