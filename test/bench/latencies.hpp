#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ashmemo::bench {

/// How long calls took, in nanoseconds. Every one is kept.
class Latencies {
 public:
  /// Memory for so many is taken now, so that adding does not wait for it.
  explicit Latencies(std::size_t expected) { all_.reserve(expected); }

  void add(std::int64_t nanoseconds);
  void add(const Latencies& others);
  void clear() { all_.clear(); }
  [[nodiscard]] std::size_t count() const { return all_.size(); }
  /// The time that this share of the calls did not pass: 0.99 for the 99th percentile.
  [[nodiscard]] std::int64_t at(double share);
  [[nodiscard]] double mean() const;

 private:
  std::vector<std::uint32_t> all_;
};

}  // namespace ashmemo::bench
