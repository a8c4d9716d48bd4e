#include "session.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string_view>
#include <unordered_map>

#include "text.hpp"

namespace tour {
namespace {

using namespace std::chrono_literals;
using WordCount = std::pair<std::string, int>;

// ------------------------------------------------------------------------------- calculations

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
  constexpr std::int64_t kWordsPerMinute = 230;
  return std::chrono::seconds((count_words_of(document) * 60 + kWordsPerMinute - 1) /
                              kWordsPerMinute);
}

bool is_more_frequent(const WordCount& a, const WordCount& b) {
  return a.second != b.second ? a.second > b.second : a.first < b.first;
}

FrequentWords find_frequent_words(const Document& document) {
  constexpr std::size_t kMinLength = 4;  // shorter words are frequent in every document
  constexpr std::size_t kMaxWords = 10;
  const std::string text = normalized(read_text(document));
  std::unordered_map<std::string_view, int> counts;
  for (const std::string_view word : split_words(text)) {
    if (word.size() >= kMinLength) ++counts[word];
  }
  std::vector<WordCount> words(counts.begin(), counts.end());
  std::sort(words.begin(), words.end(), is_more_frequent);
  words.resize(std::min(words.size(), kMaxWords));
  return {std::move(words)};
}

std::vector<Signature> sign_all(ashmemo::Records<Document> batch) {
  const Signer signer;
  std::vector<Signature> signatures;
  for (const Document& document : batch) {
    signatures.push_back(signer.sign(normalized(read_text(document))));
  }
  return signatures;
}

ashmemo::Options options() {
  ashmemo::Options options;
  options.hooks.on_error = [](const ashmemo::Notice& notice) {
    fmt::print(stderr, "cache: {}\n", notice.what);
  };
  // Other programs go on without a file. A tour without a cache would show nothing.
  options.when_unavailable = ashmemo::WhenUnavailable::throw_error;
  return options;
}

double in_ms(ashmemo::Duration length) { return static_cast<double>(length.count()) / 1000; }

}  // namespace

void to_json(nlohmann::json& json, const FrequentWords& frequent) {
  json = nlohmann::json::object();
  for (const auto& [word, count] : frequent.words) json[word] = count;
}

void from_json(const nlohmann::json& json, FrequentWords& frequent) {
  frequent.words.clear();
  for (const auto& [word, count] : json.items())
    frequent.words.emplace_back(word, count.get<int>());
  // A JSON object has no order.
  std::sort(frequent.words.begin(), frequent.words.end(), is_more_frequent);
}

Session::Session(const std::filesystem::path& cache_file)
    : cache_(cache_file.string(), options()),
      is_text_(documents_.calculation("is_text", is_text_file)),
      word_count_(documents_.calculation("word_count", count_words_of)),
      reading_time_(documents_.calculation("reading_time", time_to_read)),
      frequent_words_(documents_.calculation("frequent_words", find_frequent_words)),
      signature_(documents_.calculation("signature", sign_all, {.version = 1})) {
  documents_.record_version(&Document::mtime);  // the results of a changed file do not answer
  documents_.cache_calculation("is_text", {.negative_ttl = 0s});  // an empty answer is not kept
  documents_.cache_calculation("word_count", {.ttl = 720h});
  documents_.cache_calculation("reading_time", {.ttl = 720h});
  documents_.cache_calculation("frequent_words", {.ttl = 720h});
  documents_.cache_calculation("signature", {});  // kept until the cache evicts it
}

Selection Session::select_text(const std::vector<Document>& files) const {
  const std::vector<std::optional<bool>> answers = is_text_(files);
  Selection selection;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!answers[i]) {
      ++selection.unreadable;
    } else if (!*answers[i]) {
      ++selection.not_text;
    } else {
      selection.documents.push_back(files[i]);
    }
  }
  return selection;
}

Pass Session::load(const std::string& name, std::span<const Document> page) {
  const ashmemo::Stats before = cache_.stats();
  const auto start = std::chrono::steady_clock::now();
  auto [word_counts, reading_times, frequent_words, signatures] =
      documents_.load(page, word_count_, reading_time_, frequent_words_, signature_);
  const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
  const ashmemo::Stats after = cache_.stats();
  cache_.flush();
  return {.name = name,
          .documents = page.size(),
          .hits = after.hits - before.hits,
          .misses = after.misses - before.misses,
          .computed = after.computed - before.computed,
          .ms = ms.count(),
          .saved_ms = in_ms(after.saved) - in_ms(before.saved),
          .results = {std::move(word_counts), std::move(reading_times), std::move(frequent_words),
                      std::move(signatures)}};
}

std::vector<Document> Session::stored_since(std::int64_t time,
                                            std::span<const Document> page) const {
  std::vector<Document> stored;
  for (const Document& document : page) {
    const auto entry = cache_.entry(word_count_.key(document));
    if (entry && entry->computed_at >= time) stored.push_back(document);
  }
  return stored;
}

}  // namespace tour
