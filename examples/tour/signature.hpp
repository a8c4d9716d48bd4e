#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tour {

/// A MinHash signature (Broder 1997): of each of 256 hash functions the smallest value over all
/// runs of nine bytes. The share of places at which two signatures agree is about the share of the
/// runs that the two texts have in common. Empty for a shorter text.
using Signature = std::vector<std::uint32_t>;

inline constexpr std::size_t kHashFunctions = 256;
inline constexpr std::size_t kRunLength = 9;

/// Makes signatures; one for a whole batch, because it keeps its functions.
class Signer {
 public:
  Signer();
  /// Capital letters and the amount of white space make no difference.
  [[nodiscard]] Signature sign(std::string text) const;

 private:
  std::vector<std::uint64_t> seeds_;
};

/// How much two texts have in common, by their signatures: from 0 to 1.
[[nodiscard]] double similarity(const Signature& a, const Signature& b) noexcept;

}  // namespace tour
