#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace ashmemo::bench {

/// Random numbers below `count` with a Zipf distribution: the k-th most frequent number has the
/// weight 1 / k^exponent. The frequent numbers are spread over the whole range, as hot rows in a
/// real table. The same seed gives the same numbers.
class Zipf {
 public:
  Zipf(std::size_t count, double exponent, std::uint64_t seed);

  /// Other random numbers with the same frequent numbers. Both share their tables, so that many
  /// threads need no more of the processor's cache than one.
  [[nodiscard]] Zipf with_seed(std::uint64_t seed) const;

  [[nodiscard]] std::size_t next();

 private:
  struct Tables {
    std::vector<double> up_to;  // cumulative weight of the ranks
    std::vector<std::uint32_t> at_rank;
  };

  std::mt19937_64 random_;
  std::shared_ptr<const Tables> tables_;
};

}  // namespace ashmemo::bench
