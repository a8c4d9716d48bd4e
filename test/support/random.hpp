#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>

#include <doctest/doctest.h>

namespace ashmemo::test {

/// The number in an environment variable, or `otherwise` if it is not set.
[[nodiscard]] inline std::uint64_t number_in_environment(const char* name,
                                                         std::uint64_t otherwise) {
  const char* const given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

/// Random numbers with a new seed in each run. It prints the seed. To repeat a failure, set the
/// seed in ASHMEMO_TEST_SEED.
class Random {
 public:
  Random() : Random(number_in_environment("ASHMEMO_TEST_SEED", std::random_device{}())) {
    MESSAGE("repeat with ASHMEMO_TEST_SEED=" << seed_);
  }
  /// Gives the same numbers in each run.
  explicit Random(std::uint64_t seed) : seed_(seed), engine_(seed) {}

  [[nodiscard]] std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(engine_);
  }

 private:
  std::uint64_t seed_;
  std::mt19937_64 engine_;
};

}  // namespace ashmemo::test
