#include "signature.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include "text.hpp"

namespace tour {
namespace {

// The results are kept, so these functions must never give others: the version of the calculation
// would have to be raised. That is why it is not std::hash.

// The last step of SplitMix64 (Steele, Lea and Flood 2014): each bit depends on all.
std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

// FNV-1a.
std::uint64_t hash_of(std::string_view run) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : run) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

}  // namespace

Signer::Signer() : seeds_(kHashFunctions) {
  for (std::size_t i = 0; i < kHashFunctions; ++i) seeds_[i] = mix(i + 1);
}

Signature Signer::sign(std::string text) const {
  text = with_single_spaces(in_lower_case(std::move(text)));
  if (text.size() < kRunLength) return {};

  Signature least(kHashFunctions, std::numeric_limits<std::uint32_t>::max());
  for (std::size_t first = 0; first + kRunLength <= text.size(); ++first) {
    const std::uint64_t run = hash_of(std::string_view(text).substr(first, kRunLength));
    for (std::size_t i = 0; i < kHashFunctions; ++i) {
      least[i] = std::min(least[i], static_cast<std::uint32_t>(mix(run ^ seeds_[i]) >> 32));
    }
  }
  return least;
}

double similarity(const Signature& a, const Signature& b) noexcept {
  if (a.size() != kHashFunctions || b.size() != kHashFunctions) return 0;
  std::size_t same = 0;
  for (std::size_t i = 0; i < kHashFunctions; ++i) same += a[i] == b[i] ? 1U : 0U;
  return static_cast<double>(same) / kHashFunctions;
}

}  // namespace tour
