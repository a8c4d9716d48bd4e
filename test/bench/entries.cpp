#include "bench/entries.hpp"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

namespace ashmemo::bench {
namespace {

// Far below the capacity of the queue.
constexpr std::size_t kPutsBetweenFlushes = 10'000;

}  // namespace

std::string key_of(std::size_t number) { return fmt::format("Post:{}:excerpt", number); }

std::string value_of(std::size_t number, std::size_t bytes) {
  std::string value = fmt::format("{} ", number);
  while (value.size() < bytes) value += value;
  value.resize(bytes);
  return value;
}

void fill(Cache& cache, std::size_t count, std::optional<Duration> ttl,
          std::size_t permanent_every) {
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_permanent = permanent_every != 0 && i % permanent_every == 0;
    if (!cache.put(key_of(i), value_of(i), {.ttl = is_permanent ? std::nullopt : ttl})) {
      throw std::runtime_error(fmt::format("the cache did not accept entry {}", i));
    }
    if ((i + 1) % kPutsBetweenFlushes == 0) cache.flush();
  }
  cache.compact();
}

}  // namespace ashmemo::bench
