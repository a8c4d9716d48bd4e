#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/suite/system.hpp"

namespace ashmemo::bench {

/// The number of the next entry. The same seed gives the same numbers, so that all systems are
/// asked the same.
using Chooser = std::function<std::size_t()>;
[[nodiscard]] Chooser uniform(std::size_t count, std::uint64_t seed = 1);
[[nodiscard]] Chooser zipf(std::size_t count, std::uint64_t seed = 1);
/// Each number below `count` once, in no order, and then from the first again.
[[nodiscard]] Chooser shuffled(std::size_t count, std::uint64_t seed = 1);
/// Any of those that `shuffled` names in its second half.
[[nodiscard]] Chooser late_half(std::size_t count, std::uint64_t seed);
/// from, from + 1, ...
[[nodiscard]] Chooser ascending(std::size_t from);

/// Keys made right before they are asked for, outside of the measurement: no list of all keys
/// takes the processor's caches from what is measured.
class KeyBlock {
 public:
  KeyBlock(Chooser choose, std::size_t size) : choose_(std::move(choose)), keys_(size) {}
  /// The next keys; good until the next call.
  std::span<const std::string_view> next();

 private:
  Chooser choose_;
  std::vector<std::string> keys_;
  std::vector<std::string_view> views_;
};

/// The next entries to write.
class PairBlock {
 public:
  PairBlock(Chooser choose, std::size_t size, std::size_t value_bytes)
      : choose_(std::move(choose)), pairs_(size), value_bytes_(value_bytes) {}
  std::span<const Pair> next();

 private:
  Chooser choose_;
  std::vector<Pair> pairs_;
  std::size_t value_bytes_;
};

/// A look at length, begin and end of a value: is it the one that the key has?
[[nodiscard]] bool is_right(std::string_view key, const std::string& value,
                            std::size_t value_bytes);
/// As above for all of them; how many were found. A wrong one is thrown.
std::size_t count_right(std::span<const std::string_view> keys, const Values& values,
                        std::size_t value_bytes);

}  // namespace ashmemo::bench
