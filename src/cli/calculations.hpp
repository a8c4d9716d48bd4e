#pragma once

#include <ashmemo/cache.hpp>
#include <cstdint>
#include <map>
#include <string>

namespace ashmemo::cli {

/// The calculations of a cache, by the number that entries have of them.
class Calculations {
 public:
  explicit Calculations(const Cache& cache);

  /// Null for entries that were put directly.
  [[nodiscard]] const StoredCalculation* find(const EntryInfo& entry) const;

 private:
  std::map<std::int64_t, StoredCalculation> by_id_;
};

/// "Post:word_count", escaped.
[[nodiscard]] std::string name_of(const StoredCalculation& calculation);

}  // namespace ashmemo::cli
