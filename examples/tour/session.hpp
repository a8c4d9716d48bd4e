#pragma once

#include <ashmemo/ashmemo.hpp>
#include <ashmemo/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "documents.hpp"
#include "signature.hpp"

namespace tour {

/// The most frequent words of a document and their counts, in descending order. A result with
/// structure.
struct FrequentWords {
  std::vector<std::pair<std::string, int>> words;
};

void to_json(nlohmann::json& json, const FrequentWords& frequent);
void from_json(const nlohmann::json& json, FrequentWords& frequent);

}  // namespace tour

/// The file contains JSON text: {"cache":31,"entry":12}.
template <>
struct ashmemo::Codec<tour::FrequentWords> : ashmemo::JsonCodec<tour::FrequentWords> {};

namespace tour {

/// The results of one load. Index n of each vector belongs to document n of the page.
struct Results {
  std::vector<std::int64_t> word_counts;
  std::vector<std::chrono::seconds> reading_times;
  std::vector<FrequentWords> frequent_words;
  std::vector<Signature> signatures;
};

/// One load of a page, with its counts. A value is the result of one calculation for one document.
struct Pass {
  std::string name;
  std::size_t documents = 0;
  std::int64_t hits = 0;      ///< values
  std::int64_t misses = 0;    ///< values
  std::int64_t computed = 0;  ///< values
  double ms = 0;              ///< of the load alone
  double saved_ms = 0;        ///< what it took to compute the hits when they were computed
  Results results;
};

/// The files that are text, and how many are not.
struct Selection {
  std::vector<Document> documents;
  std::size_t not_text = 0;
  std::size_t unreadable = 0;
};

/// The open cache, and the calculations on documents. Each calculation reads the file; a result
/// from the cache does not.
class Session {
 public:
  /// Throws ashmemo::Error as ashmemo::Cache does, and also if there is no place for the file.
  explicit Session(const std::filesystem::path& cache_file);

  [[nodiscard]] std::int64_t entries() const { return cache_.stats().entries; }
  /// Selects the files that are text. Their content decides, so these answers are cached too.
  [[nodiscard]] Selection select_text(const std::vector<Document>& files) const;
  /// Loads four calculations for a page. Afterwards all results are in the file; the time for that
  /// is not measured.
  [[nodiscard]] Pass load(const std::string& name, std::span<const Document> page);
  /// The documents of a page whose word count was stored at this time or later, in microseconds
  /// since 1970 UTC.
  [[nodiscard]] std::vector<Document> stored_since(std::int64_t time,
                                                   std::span<const Document> page) const;
  /// Removes all results for one document.
  void invalidate(const Document& document) { documents_.invalidate(document); }

 private:
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Document>& documents_ =
      registry_.resource<Document>("Document", &Document::path);
  /// Empty for a file that cannot be read.
  ashmemo::Calculation<Document, std::optional<bool>> is_text_;
  ashmemo::Calculation<Document, std::int64_t> word_count_;
  ashmemo::Calculation<Document, std::chrono::seconds> reading_time_;
  ashmemo::Calculation<Document, FrequentWords> frequent_words_;
  /// The expensive one. It takes a whole batch.
  ashmemo::Calculation<Document, Signature> signature_;
};

}  // namespace tour
