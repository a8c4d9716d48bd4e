#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tour {

/// A MinHash signature (Broder 1997): for each of 256 hash functions, the smallest hash of all runs
/// of nine bytes. The share of positions at which two signatures are equal estimates the share of
/// runs that the two texts have in common. Empty if the text has fewer than nine bytes.
using Signature = std::vector<std::uint32_t>;

/// Computes signatures. A batch shares one object, because the hash functions need preparation.
class Signer {
 public:
  Signer();
  /// `text` must be normalized, so that case and white space make no difference.
  [[nodiscard]] Signature sign(const std::string& text) const;

 private:
  std::vector<std::uint64_t> seeds_;
};

/// Two texts that have much in common.
struct Pair {
  double similarity = 0;   ///< estimated, from 0 to 1
  std::size_t first = 0;   ///< index of the earlier text
  std::size_t second = 0;  ///< index of the later text
};

inline constexpr double kNearDuplicate = 0.7;

/// For each text the most similar one before it, if their similarity is at least kNearDuplicate.
/// The most similar pair comes first. Does not compare each text with all others: two texts are
/// compared if a whole band of their signatures is equal.
[[nodiscard]] std::vector<Pair> find_near_duplicates(std::span<const Signature> signatures);

}  // namespace tour
