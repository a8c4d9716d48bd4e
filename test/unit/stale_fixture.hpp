#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "blog_fixture.hpp"
#include "support/manual_executor.hpp"

// A calculation that can fail, with results that can be stale.

namespace ashmemo::test {

inline constexpr CachePolicy kSwr{.ttl = std::chrono::minutes(10),
                                  .stale_while_revalidate = std::chrono::hours(1)};
inline constexpr CachePolicy kSie{.ttl = std::chrono::minutes(10),
                                  .stale_if_error = std::chrono::hours(1)};

[[nodiscard]] inline Options options_with(std::shared_ptr<Executor> executor) {
  Options options;
  options.hooks.executor = std::move(executor);
  return options;
}

/// A blog whose refreshes run only when the test runs its executor.
struct WithExecutor {
  std::shared_ptr<ManualExecutor> executor = std::make_shared<ManualExecutor>();
  Blog blog{options_with(executor)};
};

/// A calculation that returns the round in which it runs. It throws while `failing` is true.
struct Source {
  explicit Source(const CachePolicy& policy) : blog(options()) {
    blog.posts.cache_calculation("round", policy);
  }
  [[nodiscard]] Options options() {
    Options given;
    given.hooks.executor = executor;
    given.hooks.on_error = [this](const Notice& notice) {
      if (notice.kind == NoticeKind::calculation_failed) notices.push_back(notice.what);
    };
    return given;
  }
  void next_round(Duration later) {
    ++round_number;
    blog.clock->advance(later);
  }

  std::shared_ptr<ManualExecutor> executor = std::make_shared<ManualExecutor>();
  std::vector<std::string> notices;
  int round_number = 1;
  bool failing = false;
  Blog blog;
  Calculation<Post, int> round = blog.posts.calculation("round", [this](Records<Post> batch) {
    blog.calls.emplace_back();
    for (const Post& post : batch) blog.calls.back().push_back(post.id);
    if (failing) throw std::runtime_error("the source is down");
    return std::vector<int>(batch.size(), round_number);
  });
};

/// A batch calculation that throws if a record of its batch is broken. It returns the round in
/// which it runs, and records the size of each batch.
struct Fragile : WithExecutor {
  explicit Fragile(const CachePolicy& policy) { blog.posts.cache_calculation("count", policy); }
  /// A page of eight results that are ten minutes old. Since then record 6 is broken.
  std::vector<Post> page_with_broken() {
    const std::vector<Post> page = posts_up_to(8);
    (void)count(page);
    blog.clock->advance(std::chrono::minutes(10));
    round = 2;
    broken = {6};
    sizes.clear();
    return page;
  }

  int round = 1;
  bool is_down = false;  // then every batch throws
  std::set<std::int64_t> broken;
  std::vector<std::size_t> sizes;
  Calculation<Post, int> count = blog.posts.calculation("count", [this](Records<Post> batch) {
    sizes.push_back(batch.size());
    for (const Post& post : batch) {
      if (is_down || broken.contains(post.id)) throw std::runtime_error("broken");
    }
    return std::vector<int>(batch.size(), round);
  });
};

inline std::vector<int> rounds(std::size_t count, int round) {
  return std::vector<int>(count, round);
}

}  // namespace ashmemo::test
