#include "near_duplicates.hpp"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <unordered_map>

namespace tour {
namespace {

// Texts that have 0.7 in common agree in one of these bands with a probability of 99 %, texts that
// have 0.3 in common with one of 3 %: 1 - (1 - s^6)^42.
constexpr std::size_t kBandRows = 6;
constexpr std::size_t kBands = kHashFunctions / kBandRows;

// The rows are hashes already. Should two bands get one number, a pair is compared for nothing.
std::uint64_t band_of(const Signature& signature, std::size_t band) noexcept {
  std::uint64_t number = 0;
  for (std::size_t row = 0; row < kBandRows; ++row) {
    number = (number ^ signature[band * kBandRows + row]) * 0x9E3779B97F4A7C15U;
  }
  return number;
}

/// Which text had a band first: one map for each place that a band can have.
class Bands {
 public:
  explicit Bands(std::span<const Signature> signatures) : signatures_(signatures), first_(kBands) {}

  /// The most similar of the earlier texts that share a band with this one; remembers its bands.
  Resemblance best_of_earlier(std::size_t text) {
    Resemblance best{.second = text};
    for (std::size_t band = 0; band < kBands; ++band) {
      const auto [at, is_new] = first_[band].try_emplace(band_of(signatures_[text], band), text);
      if (!is_new) best = better(best, at->second);
    }
    return best;
  }

 private:
  [[nodiscard]] Resemblance better(const Resemblance& best, std::size_t other) const {
    if (best.similarity > 0 && best.first == other) return best;
    const double share = similarity(signatures_[other], signatures_[best.second]);
    return share > best.similarity ? Resemblance{share, other, best.second} : best;
  }

  std::span<const Signature> signatures_;
  std::vector<std::unordered_map<std::uint64_t, std::size_t>> first_;
};

bool comes_first(const Resemblance& a, const Resemblance& b) {
  return std::tuple(-a.similarity, a.first, a.second) <
         std::tuple(-b.similarity, b.first, b.second);
}

}  // namespace

std::vector<Resemblance> find_near_duplicates(std::span<const Signature> signatures,
                                              double at_least) {
  Bands bands(signatures);
  std::vector<Resemblance> found;
  for (std::size_t text = 0; text < signatures.size(); ++text) {
    if (signatures[text].size() != kHashFunctions) continue;
    const Resemblance best = bands.best_of_earlier(text);
    if (best.similarity >= at_least) found.push_back(best);
  }
  std::sort(found.begin(), found.end(), comes_first);
  return found;
}

}  // namespace tour
