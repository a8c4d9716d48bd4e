#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <ashmemo/cache.hpp>
#include <ashmemo/duration.hpp>

namespace ashmemo::bench {

inline constexpr std::size_t kValueBytes = 100;

/// The key of the number, as a registry would name it: "Post:123:excerpt".
[[nodiscard]] std::string key_of(std::size_t number);
/// Text of this length that differs from number to number.
[[nodiscard]] std::string value_of(std::size_t number, std::size_t bytes = kValueBytes);

/// Puts the entries of the numbers below `count`, in order, until they are in the file. Each
/// `lasting`-th never expires; the others have the ttl, if there is one.
void fill(Cache& cache, std::size_t count, std::optional<Duration> ttl = {},
          std::size_t lasting = 0);

}  // namespace ashmemo::bench
