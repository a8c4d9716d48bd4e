#include "crash/posts.hpp"

#include <chrono>
#include <utility>

namespace ashmemo::test {

std::int64_t result_of(std::uint32_t post, std::uint64_t edition) {
  return static_cast<std::int64_t>(edition * kPosts + post);
}

std::optional<std::uint64_t> edition_of(std::uint32_t post, std::int64_t result) {
  if (result < 0 || result % kPosts != post) return std::nullopt;
  return static_cast<std::uint64_t>(result) / kPosts;
}

Posts::Posts(Cache& cache, std::uint32_t version, std::function<std::uint64_t()> newest)
    : registry(cache),
      resource(registry.resource<Post>("Post", &Post::id)),
      edition(resource.calculation(
          "edition",
          [newest = std::move(newest)](const Post& post) { return result_of(post.id, newest()); },
          {.version = version})) {
  resource.cache_calculation("edition", {.ttl = std::chrono::hours(1)});
}

Editions::Editions(std::uint64_t first, const OldestEditions& oldest) : newest_(first) {
  for (std::uint32_t post = 0; post < kPosts; ++post) oldest_[post] = oldest[post];
}

void Editions::end(std::uint32_t post, std::uint64_t edition) noexcept {
  std::uint64_t before = oldest_[post];
  while (before < edition && !oldest_[post].compare_exchange_weak(before, edition)) {
  }
}

}  // namespace ashmemo::test
