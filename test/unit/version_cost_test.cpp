#include <doctest/doctest.h>
#include <ashmemo/ashmemo.hpp>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

#include "blog_fixture.hpp"

// The cost of replacing all results of a calculation does not depend on their number.

using namespace ashmemo;
using test::Post;
using test::posts_up_to;

namespace {

constexpr std::int64_t kFew = 10;
constexpr std::int64_t kMany = 10'000;

/// Opens the same file again, as the next run of a program does.
struct Run {
  Run(const std::string& path, std::uint32_t version)
      : file(path), cache(path, {.hooks = {.worker = WorkerMode::manual}}) {
    id = posts.calculation("id", &Post::id, {.version = version});
    posts.cache_calculation("id", {});
  }

  /// Bytes of the write-ahead log, which a clean close removes. Opening reserves zeros after them.
  [[nodiscard]] std::size_t log_bytes() const {
    constexpr std::size_t kFrame = 4'096 + 24;
    std::ifstream file_of_log(file + "-wal", std::ios::binary);
    const std::string log{std::istreambuf_iterator<char>(file_of_log), {}};
    return (log.find_last_not_of('\0') + 1) / kFrame * kFrame;
  }

  std::string file;
  Cache cache;
  Registry registry{cache};
  Resource<Post>& posts = registry.resource<Post>("Post", &Post::id);
  Calculation<Post, std::int64_t> id;
};

struct Cost {
  std::int64_t commits = 0;
  std::size_t log_bytes = 0;
  friend bool operator==(const Cost&, const Cost&) = default;
};

/// Returns the cost of `change` for a file that contains `entries` results.
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
  TEST_CASE("raising a version needs one small commit for any number of results") {
    const auto load_and_commit = [](Run& run) {
      CHECK(run.id.cached(Post{1, "", 0}) == std::nullopt);
      (void)run.cache.erase("nothing");  // its transaction also writes the new version
    };
    const Cost few = cost_with(kFew, 2, load_and_commit);
    CHECK(few.commits <= 2);  // the version, and the removal
    CHECK(few.log_bytes < 64 * KiB);
    CHECK(cost_with(kMany, 2, load_and_commit) == few);
  }

  TEST_CASE("invalidating all results needs one small commit for any number of results") {
    const auto invalidate = [](Run& run) { run.id.invalidate_all(); };
    const Cost few = cost_with(kFew, 1, invalidate);
    CHECK(few.commits == 1);
    CHECK(few.log_bytes < 64 * KiB);
    CHECK(cost_with(kMany, 1, invalidate) == few);
  }
}
