#include "base/key_hash.hpp"

#include <xxhash.h>

#include <chrono>
#include <exception>
#include <random>

namespace ashmemo::base {
namespace {

std::uint64_t random_seed() noexcept {
  try {
    std::random_device random;
    return std::uint64_t{random()} << 32 | random();
  } catch (const std::exception&) {
    // The system has no random numbers. The time is harder to guess than a constant.
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
}

}  // namespace

std::uint64_t hash_of(std::string_view key) noexcept {
  static const std::uint64_t seed = random_seed();
  return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

}  // namespace ashmemo::base
