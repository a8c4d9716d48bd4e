#include "calculations.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "text.hpp"

namespace tour {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kWordsAMinute = 230;
constexpr std::size_t kLettersOfAWord = 4;  // shorter ones say nothing
constexpr std::size_t kMaxFrequent = 10;

std::optional<bool> is_text_file(const Document& document) {
  try {
    return is_text(read_text(document));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::int64_t count_words_of(const Document& document) {
  return static_cast<std::int64_t>(count_words(read_text(document)));
}

std::chrono::seconds time_to_read(const Document& document) {
  const std::size_t words = count_words(read_text(document));
  return std::chrono::seconds((words * 60 + kWordsAMinute - 1) / kWordsAMinute);
}

bool comes_first(const std::pair<std::string, int>& a, const std::pair<std::string, int>& b) {
  return a.second != b.second ? a.second > b.second : a.first < b.first;
}

FrequentWords most_frequent(const Document& document) {
  const std::string text = in_lower_case(read_text(document));
  std::unordered_map<std::string_view, int> counts;
  for (const std::string_view word : split_words(text)) {
    if (word.size() >= kLettersOfAWord) ++counts[word];
  }
  std::vector<std::pair<std::string, int>> words(counts.begin(), counts.end());
  const std::size_t kept = std::min(words.size(), kMaxFrequent);
  std::partial_sort(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(kept), words.end(),
                    comes_first);
  words.resize(kept);
  return {std::move(words)};
}

std::vector<Signature> sign_all(ashmemo::Records<Document> batch) {
  Signer signer;
  std::vector<Signature> signatures;
  signatures.reserve(batch.size());
  for (const Document& document : batch) signatures.push_back(signer.sign(read_text(document)));
  return signatures;
}

}  // namespace

void to_json(nlohmann::json& json, const FrequentWords& frequent) {
  json = nlohmann::json::object();
  for (const auto& [word, count] : frequent.words) json[word] = count;
}

// An object has no order: it is made again.
void from_json(const nlohmann::json& json, FrequentWords& frequent) {
  frequent.words.clear();
  for (const auto& [word, count] : json.items())
    frequent.words.emplace_back(word, count.get<int>());
  std::sort(frequent.words.begin(), frequent.words.end(), comes_first);
}

Calculations declare(ashmemo::Registry& registry) {
  auto& documents = registry.resource<Document>("Document", &Document::path);
  documents.record_version(&Document::mtime);  // a file that has changed is calculated again

  Calculations calculations;
  calculations.documents = &documents;
  calculations.is_text = documents.calculation("is_text", is_text_file);
  calculations.word_count = documents.calculation("word_count", count_words_of);
  calculations.reading_time = documents.calculation("reading_time", time_to_read);
  calculations.frequent_words = documents.calculation("frequent_words", most_frequent);
  calculations.signature = documents.calculation("signature", sign_all, {.version = 1});

  documents.cache_calculation("is_text", {.negative_ttl = 0s});
  documents.cache_calculation("word_count", {.ttl = 720h});
  documents.cache_calculation("reading_time", {.ttl = 720h});
  documents.cache_calculation("frequent_words", {.ttl = 720h});
  documents.cache_calculation("signature", {});  // for ever: it leaves when the cache is full
  return calculations;
}

}  // namespace tour
