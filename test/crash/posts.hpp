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

/// Since when the result of each post may have been computed. Older ones were invalidated.
using OldestEditions = std::array<std::uint64_t, kPosts>;

/// What the calculation on posts returns. It tells when it was computed: an edition begins before
/// each invalidation, so that a result that comes back after its own is known by its edition.
[[nodiscard]] std::int64_t result_of(std::uint32_t post, std::uint64_t edition);
/// nullopt: no result of this post.
[[nodiscard]] std::optional<std::uint64_t> edition_of(std::uint32_t post, std::int64_t result);

/// The calculation on posts. Raising the version of its code hides what was computed before, too.
struct Posts {
  Posts(Cache& cache, std::uint32_t version, std::function<std::uint64_t()> newest);

  Registry registry;
  Resource<Post>& resource;
  Calculation<Post, std::int64_t> edition;
};

/// The editions of one process. Any thread.
class Editions {
 public:
  Editions(std::uint64_t first, const OldestEditions& oldest);

  [[nodiscard]] std::uint64_t newest() const noexcept { return newest_; }
  [[nodiscard]] std::uint64_t oldest(std::uint32_t post) const noexcept { return oldest_[post]; }
  /// Before an invalidation. The answer is what is computed from now on.
  std::uint64_t begin() noexcept { return ++newest_; }
  /// After the invalidation that began with this edition: nothing older answers any more.
  void end(std::uint32_t post, std::uint64_t edition) noexcept;

 private:
  std::atomic<std::uint64_t> newest_;
  std::array<std::atomic<std::uint64_t>, kPosts> oldest_{};
};

}  // namespace ashmemo::test
