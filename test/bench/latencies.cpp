#include "bench/latencies.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace ashmemo::bench {

void Latencies::add(std::int64_t nanoseconds) {
  constexpr std::int64_t max = std::numeric_limits<std::uint32_t>::max();
  all_.push_back(static_cast<std::uint32_t>(std::clamp<std::int64_t>(nanoseconds, 0, max)));
}

void Latencies::add(const Latencies& others) {
  all_.insert(all_.end(), others.all_.begin(), others.all_.end());
}

double Latencies::mean() const {
  if (all_.empty()) return 0;
  return std::accumulate(all_.begin(), all_.end(), 0.0) / static_cast<double>(all_.size());
}

std::int64_t Latencies::at(double share) {
  if (all_.empty()) return 0;
  const auto last = static_cast<double>(all_.size() - 1);
  const auto place = all_.begin() + static_cast<std::ptrdiff_t>(last * share);
  std::nth_element(all_.begin(), place, all_.end());
  return *place;
}

}  // namespace ashmemo::bench
