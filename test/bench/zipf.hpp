#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace ashmemo::bench {

/// Numbers below `count` of which the k-th most frequent comes with a weight of 1 / k^exponent. The
/// frequent ones lie anywhere, as in a real table, not side by side. The same seed gives the same
/// numbers.
class Zipf {
 public:
  Zipf(std::size_t count, double exponent, std::uint64_t seed);

  [[nodiscard]] std::size_t next();

 private:
  std::mt19937_64 random_;
  std::vector<double> up_to_;  // the share of all numbers up to this rank
  std::vector<std::uint32_t> at_rank_;
};

}  // namespace ashmemo::bench
