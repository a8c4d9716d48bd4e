#include "signature.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <tuple>
#include <unordered_map>

namespace tour {
namespace {

constexpr std::size_t kHashFunctions = 256;
constexpr std::size_t kRunLength = 9;

// At a similarity of 0.7, two texts share one of these bands with a probability of 99 %; at 0.3 the
// probability is 3 %: 1 - (1 - s^6)^42.
constexpr std::size_t kBandRows = 6;
constexpr std::size_t kBands = kHashFunctions / kBandRows;

// The results are stored, so these functions must never change: a change needs a new version of the
// calculation. std::hash gives no such promise.

// The last step of SplitMix64 (Steele, Lea and Flood 2014).
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

double similarity(const Signature& a, const Signature& b) noexcept {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < kHashFunctions; ++i) equal += a[i] == b[i] ? 1U : 0U;
  return static_cast<double>(equal) / kHashFunctions;
}

/// One number for a band. Different bands with the same number only cost a needless comparison.
std::uint64_t band_of(const Signature& signature, std::size_t band) noexcept {
  std::uint64_t number = band;
  for (std::size_t row = 0; row < kBandRows; ++row) {
    number = mix(number ^ signature[band * kBandRows + row]);
  }
  return number;
}

}  // namespace

Signer::Signer() {
  for (std::size_t i = 0; i < kHashFunctions; ++i) seeds_.push_back(mix(i + 1));
}

Signature Signer::sign(const std::string& text) const {
  if (text.size() < kRunLength) return {};
  Signature minimum(kHashFunctions, std::numeric_limits<std::uint32_t>::max());
  for (std::size_t start = 0; start + kRunLength <= text.size(); ++start) {
    const std::uint64_t run = hash_of(std::string_view(text).substr(start, kRunLength));
    for (std::size_t i = 0; i < kHashFunctions; ++i) {
      minimum[i] = std::min(minimum[i], static_cast<std::uint32_t>(mix(run ^ seeds_[i]) >> 32));
    }
  }
  return minimum;
}

std::vector<Pair> find_near_duplicates(std::span<const Signature> signatures) {
  std::unordered_map<std::uint64_t, std::size_t> first_with;  // by band, the first text that has it
  std::vector<Pair> found;
  for (std::size_t text = 0; text < signatures.size(); ++text) {
    if (signatures[text].empty()) continue;
    Pair best{.second = text};
    for (std::size_t band = 0; band < kBands; ++band) {
      const auto [at, is_new] = first_with.try_emplace(band_of(signatures[text], band), text);
      if (is_new || (best.similarity > 0 && best.first == at->second)) continue;
      const double share = similarity(signatures[at->second], signatures[text]);
      if (share > best.similarity) best = {share, at->second, text};
    }
    if (best.similarity >= kNearDuplicate) found.push_back(best);
  }
  std::sort(found.begin(), found.end(), [](const Pair& a, const Pair& b) {
    return std::tuple(-a.similarity, a.first, a.second) <
           std::tuple(-b.similarity, b.first, b.second);
  });
  return found;
}

}  // namespace tour
