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

/// Returns the number of the next entry. The same seed gives the same numbers, so that all systems
/// get the same requests.
using Chooser = std::function<std::size_t()>;
[[nodiscard]] Chooser uniform(std::size_t count, std::uint64_t seed = 1);
/// The frequent numbers depend only on `count`. Building it is for one thread.
[[nodiscard]] Chooser zipf(std::size_t count, std::uint64_t seed = 1);
/// Each number below `count` once, in random order, then the same order again.
[[nodiscard]] Chooser shuffled(std::size_t count, std::uint64_t seed = 1);
/// Random numbers from the second half of the order of `shuffled`.
[[nodiscard]] Chooser late_half(std::size_t count, std::uint64_t seed);
/// Cuts the order of `shuffled` into groups of this size. Returns all numbers of a random group, in
/// their order, then those of another group.
[[nodiscard]] Chooser groups(std::size_t count, std::size_t size, std::uint64_t seed);
/// from, from + 1, ...
[[nodiscard]] Chooser ascending(std::size_t from);

inline constexpr std::string_view kStoredPart = "excerpt";

/// Makes keys just before they are used, outside of the measurement. A list of all keys would
/// occupy the caches of the processor.
class KeyBlock {
 public:
  /// `part`: the last part of the keys. That of the stored entries is kStoredPart.
  KeyBlock(Chooser choose, std::size_t size, std::string_view part = kStoredPart)
      : choose_(std::move(choose)), keys_(size), part_(part) {}
  /// The next keys. They are valid until the next call.
  std::span<const std::string_view> next();

 private:
  Chooser choose_;
  std::vector<std::string> keys_;
  std::string_view part_;
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

/// Whether the value belongs to the key. Checks the length and the first and last bytes.
[[nodiscard]] bool is_right(std::string_view key, const std::string& value,
                            std::size_t value_bytes);
/// As above for all keys. Returns the number of values that were found; throws on a wrong value.
std::size_t count_right(std::span<const std::string_view> keys, const Values& values,
                        std::size_t value_bytes);

}  // namespace ashmemo::bench
