#pragma once

#include <ashmemo/ashmemo.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/temp_dir.hpp"

namespace ashmemo::test {

struct Post {
  std::int64_t id = 0;
  std::string content;
  std::int64_t updated_at = 0;
};

inline std::vector<Post> posts_up_to(std::int64_t last) {
  std::vector<Post> page;
  for (std::int64_t id = 1; id <= last; ++id) {
    page.push_back({id, std::string(static_cast<std::size_t>(id), 'x'), 0});
  }
  return page;
}

/// The ids that a calculation received: one list for each call.
using Calls = std::vector<std::vector<std::int64_t>>;

/// A cache in its own temporary directory. Only the test moves its clock. The worker has no thread
/// unless the test asks for one.
struct Blog {
  explicit Blog(Options given = {}, WorkerMode worker = WorkerMode::manual)
      : cache(dir.path("blog.db"), prepared(std::move(given), worker)) {}

  [[nodiscard]] Options prepared(Options given, WorkerMode worker) const {
    given.hooks.clock = clock;
    given.hooks.worker = worker;
    return given;
  }

  /// Declares the batch calculation "length", which records the ids of each call in `calls`.
  Calculation<Post, int> declare_length(std::uint32_t version = 1) {
    return posts.calculation("length",
                             [this](Records<Post> batch) {
                               calls.emplace_back();
                               std::vector<int> lengths;
                               for (const Post& post : batch) {
                                 calls.back().push_back(post.id);
                                 lengths.push_back(static_cast<int>(post.content.size()));
                               }
                               return lengths;
                             },
                             {.version = version});
  }
  Calculation<Post, int> cached_length(const CachePolicy& policy = {}) {
    auto length = declare_length();
    posts.cache_calculation("length", policy);
    return length;
  }

  TempDir dir;
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  Calls calls;
  Cache cache;
  Registry registry{cache};
  Resource<Post>& posts = registry.resource<Post>("Post", &Post::id);
};

/// Returns the code of the `Error` that `work` throws, or 0 if it throws none.
template <class F>
[[nodiscard]] int error_code_of(F&& work) {
  try {
    work();
  } catch (const Error& error) {
    return static_cast<int>(error.code());
  }
  return 0;
}

/// Returns the message of the `Error` that `work` throws, or an empty string if it throws none.
template <class F>
[[nodiscard]] std::string error_of(F&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

[[nodiscard]] inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace ashmemo::test
