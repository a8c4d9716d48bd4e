#pragma once

#include <ashmemo/ashmemo.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "calculations.hpp"
#include "documents.hpp"

namespace tour {

/// What one load of a page took and counted. A value is one calculation's result for one document.
struct Pass {
  std::string name;
  std::size_t documents = 0;
  std::int64_t hits = 0;      ///< values
  std::int64_t misses = 0;    ///< values
  std::int64_t computed = 0;  ///< values
  double ms = 0;              ///< of the load alone
  double saved_ms = 0;        ///< what computing the hits took, when they were computed
  std::int64_t started = 0;   ///< microseconds since 1970 UTC, as the times in the cache file
};

/// The results of one load: the n-th of each are the n-th document's.
struct Results {
  std::vector<std::int64_t> word_counts;
  std::vector<std::chrono::seconds> reading_times;
  std::vector<FrequentWords> frequent_words;
  std::vector<Signature> signatures;
};

/// The files that are text, and how many are not.
struct Selection {
  std::vector<Document> documents;
  std::size_t not_text = 0;
  std::size_t unreadable = 0;
};

/// The cache file, open from here to the end of this object, and the calculations on it.
class Session {
 public:
  /// Errors: as ashmemo::Cache; there must be a place for the file.
  explicit Session(const std::filesystem::path& cache_file);

  [[nodiscard]] std::int64_t entries() const { return cache_.stats().entries; }

  /// Sorts out what is text: a question on the files' content, so the answers are cached too.
  [[nodiscard]] Selection select_text(const std::vector<Document>& files) const;

  /// Loads all calculations for a page. Afterwards everything is in the file: that is not measured.
  [[nodiscard]] Pass load(std::string name, std::span<const Document> page, Results& results);

  /// Those of a page's documents whose word count was stored at that time or later.
  [[nodiscard]] std::vector<Document> stored_since(std::int64_t time,
                                                   std::span<const Document> page) const;

  /// Removes what is kept for one document.
  void forget(const Document& document) { calculations_.documents->invalidate(document); }

 private:
  ashmemo::Cache cache_;
  ashmemo::Registry registry_;
  Calculations calculations_;
};

}  // namespace tour
