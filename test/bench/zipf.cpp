#include "bench/zipf.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace ashmemo::bench {

Zipf::Zipf(std::size_t count, double exponent, std::uint64_t seed) : random_(seed) {
  auto tables = std::make_shared<Tables>();
  tables->up_to.resize(count);
  double sum = 0;
  for (std::size_t rank = 0; rank < count; ++rank) {
    sum += 1 / std::pow(static_cast<double>(rank + 1), exponent);
    tables->up_to[rank] = sum;
  }
  tables->at_rank.resize(count);
  std::iota(tables->at_rank.begin(), tables->at_rank.end(), 0U);
  std::shuffle(tables->at_rank.begin(), tables->at_rank.end(), random_);
  tables_ = std::move(tables);
}

Zipf Zipf::with_seed(std::uint64_t seed) const {
  Zipf other = *this;
  other.random_.seed(seed);
  return other;
}

std::size_t Zipf::next() {
  const std::vector<double>& up_to = tables_->up_to;
  std::uniform_real_distribution<double> weight(0, up_to.back());
  const auto found = std::upper_bound(up_to.begin(), up_to.end() - 1, weight(random_));
  return tables_->at_rank[static_cast<std::size_t>(found - up_to.begin())];
}

}  // namespace ashmemo::bench
