#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace ashmemo::bench {

/// Random numbers below `count` with a Zipf distribution: the k-th most frequent number has the
/// weight 1 / k^exponent. The frequent numbers are spread over the whole range, as hot rows in a
/// real table. The same seed gives the same numbers.
class Zipf {
 public:
  Zipf(std::size_t count, double exponent, std::uint64_t seed);

  [[nodiscard]] std::size_t next();

 private:
  std::mt19937_64 random_;
  std::vector<double> up_to_;  // cumulative weight of the ranks
  std::vector<std::uint32_t> at_rank_;
};

}  // namespace ashmemo::bench
