#pragma once

#include <array>
#include <ashmemo/registry.hpp>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>

namespace ashmemo::test {

inline constexpr std::uint32_t kPosts = 200;

struct Post {
  std::uint32_t id;
};

/// For each post the oldest edition that a result may have. Older results were invalidated.
using OldestEditions = std::array<std::uint64_t, kPosts>;

/// The result of the calculation on posts. It contains the edition in which it was computed. A new
/// edition begins before each invalidation, so an invalidated result has an older edition.
[[nodiscard]] std::int64_t result_of(std::uint32_t post, std::uint64_t edition);
/// The edition of a result; nullopt if it is not a result of this post.
[[nodiscard]] std::optional<std::uint64_t> edition_of(std::uint32_t post, std::int64_t result);

/// The calculation on posts, with a version of its code.
struct Posts {
  Posts(Cache& cache, std::uint32_t version, std::function<std::uint64_t()> newest);

  Registry registry;
  Resource<Post>& resource;
  Calculation<Post, std::int64_t> edition;
};

/// The editions of one process. May be used by any thread.
class Editions {
 public:
  Editions(std::uint64_t first, const OldestEditions& oldest);

  [[nodiscard]] std::uint64_t newest() const noexcept { return newest_; }
  [[nodiscard]] std::uint64_t oldest(std::uint32_t post) const noexcept { return oldest_[post]; }
  /// Call it before an invalidation. Returns the new edition.
  std::uint64_t begin() noexcept { return ++newest_; }
  /// Call it after the invalidation that began with this edition. Older results are wrong from now
  /// on.
  void end(std::uint32_t post, std::uint64_t edition) noexcept;

 private:
  std::atomic<std::uint64_t> newest_;
  std::array<std::atomic<std::uint64_t>, kPosts> oldest_{};
};

}  // namespace ashmemo::test
