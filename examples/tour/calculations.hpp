#pragma once

#include <ashmemo/ashmemo.hpp>
#include <ashmemo/json.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "documents.hpp"
#include "signature.hpp"

namespace tour {

/// The words used most in a document, and how often; the most frequent first. A structured value.
struct FrequentWords {
  std::vector<std::pair<std::string, int>> words;
};

void to_json(nlohmann::json& json, const FrequentWords& frequent);
void from_json(const nlohmann::json& json, FrequentWords& frequent);

}  // namespace tour

/// In the file it is JSON text: {"cache":31,"entry":12}.
template <>
struct ashmemo::Codec<tour::FrequentWords> : ashmemo::JsonCodec<tour::FrequentWords> {};

namespace tour {

/// The calculations on documents. All of them read the file; a result from the cache reads none.
struct Calculations {
  ashmemo::Resource<Document>* documents = nullptr;
  /// Nothing for a file that cannot be read, which is asked again next time.
  ashmemo::Calculation<Document, std::optional<bool>> is_text;
  ashmemo::Calculation<Document, std::int64_t> word_count;
  ashmemo::Calculation<Document, std::chrono::seconds> reading_time;
  ashmemo::Calculation<Document, FrequentWords> frequent_words;
  /// The heavy one, calculated for a whole batch at once.
  ashmemo::Calculation<Document, Signature> signature;
};

/// Declares documents, what is calculated on them, and how long it is kept.
[[nodiscard]] Calculations declare(ashmemo::Registry& registry);

}  // namespace tour
