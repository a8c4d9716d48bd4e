#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ashmemo::bench {

/// The durations of calls, in nanoseconds. It keeps every duration.
class Latencies {
 public:
  /// Reserves memory for the expected number of durations, so that `add` does not allocate.
  explicit Latencies(std::size_t expected) { all_.reserve(expected); }

  void add(std::int64_t nanoseconds);
  void add(const Latencies& others);
  void clear() { all_.clear(); }
  [[nodiscard]] std::size_t count() const { return all_.size(); }
  /// A percentile: 0.99 is the duration that 99 % of the calls did not exceed.
  [[nodiscard]] std::int64_t at(double share);
  [[nodiscard]] double mean() const;

 private:
  std::vector<std::uint32_t> all_;
};

}  // namespace ashmemo::bench
