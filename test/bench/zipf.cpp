#include "bench/zipf.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ashmemo::bench {

Zipf::Zipf(std::size_t count, double exponent, std::uint64_t seed)
    : random_(seed), up_to_(count), at_rank_(count) {
  double sum = 0;
  for (std::size_t rank = 0; rank < count; ++rank) {
    sum += 1 / std::pow(static_cast<double>(rank + 1), exponent);
    up_to_[rank] = sum;
  }
  std::iota(at_rank_.begin(), at_rank_.end(), 0U);
  std::shuffle(at_rank_.begin(), at_rank_.end(), random_);
}

std::size_t Zipf::next() {
  std::uniform_real_distribution<double> weight(0, up_to_.back());
  const auto found = std::upper_bound(up_to_.begin(), up_to_.end() - 1, weight(random_));
  return at_rank_[static_cast<std::size_t>(found - up_to_.begin())];
}

}  // namespace ashmemo::bench
