#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <ashmemo/cache.hpp>
#include <ashmemo/duration.hpp>

namespace ashmemo::bench {

inline constexpr std::size_t kValueBytes = 100;

/// The key of entry `number`, in the form that a registry uses: "Post:123:excerpt".
[[nodiscard]] std::string key_of(std::size_t number);
/// The value of entry `number`: a text of this length that begins with the number.
[[nodiscard]] std::string value_of(std::size_t number, std::size_t bytes = kValueBytes);

/// Puts the entries 0 to `count` - 1, in order, and returns when they are in the file. They have
/// the ttl, if one is given. If `permanent_every` is n, every nth entry never expires.
void fill(Cache& cache, std::size_t count, std::optional<Duration> ttl = {},
          std::size_t permanent_every = 0);

}  // namespace ashmemo::bench
