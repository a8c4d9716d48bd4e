#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "signature.hpp"

namespace tour {

/// Two texts that have much in common.
struct Resemblance {
  double similarity = 0;  ///< about the share of their runs that both have: from 0 to 1
  std::size_t first = 0;  ///< positions among the signatures
  std::size_t second = 0;
};

inline constexpr double kNearDuplicate = 0.7;

/// For each text the earlier one that it resembles most, if they agree in `at_least` this share;
/// the most similar first. From the signatures alone, and not by comparing all with all: only texts
/// that agree in a whole band of their signatures are compared.
[[nodiscard]] std::vector<Resemblance> find_near_duplicates(std::span<const Signature> signatures,
                                                            double at_least = kNearDuplicate);

}  // namespace tour
