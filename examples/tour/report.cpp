#include "report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "../common/terminal.hpp"

namespace tour {
namespace {

using example::printable;

constexpr std::size_t kMaxShown = 5;

std::string short_path(const Scene& scene, std::size_t document) {
  const std::filesystem::path path = scene.selection.documents[document].path;
  return printable(path.lexically_relative(scene.directory).string());
}

void print_common_words(const Results& results) {
  std::map<std::string, int> counts;  // number of documents, by word
  for (const FrequentWords& frequent : results.frequent_words) {
    for (const auto& [word, count] : frequent.words) ++counts[word];
  }
  std::vector<std::pair<std::string, int>> words(counts.begin(), counts.end());
  std::stable_sort(words.begin(), words.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  words.resize(std::min(words.size(), kMaxShown));
  for (const auto& [word, documents] : words) {
    fmt::print("  {:<20} is frequent in documents: {:L}\n", printable(word), documents);
  }
}

void print_near_duplicates(const Scene& scene, const Results& results) {
  const std::vector<Pair> found = find_near_duplicates(results.signatures);
  fmt::print("\nNear-duplicates, found with the signatures alone: {:L}\n", found.size());
  for (std::size_t i = 0; i < std::min(found.size(), kMaxShown); ++i) {
    fmt::print("{:>4.0f} %  {}\n        {}\n", 100 * found[i].similarity,
               short_path(scene, found[i].second), short_path(scene, found[i].first));
  }
}

}  // namespace

void print_scene(const Scene& scene) {
  std::int64_t bytes = 0;
  for (const Document& document : scene.selection.documents) bytes += document.size;
  fmt::print("directory   {}\n", printable(scene.directory.string()));
  fmt::print("documents   {:L} of text, {:L} KiB\n", scene.selection.documents.size(),
             bytes / 1024);
  fmt::print("skipped     {:L} not text, {:L} unreadable, {:L} over {} MiB\n",
             scene.selection.not_text, scene.listing.unreadable + scene.selection.unreadable,
             scene.listing.too_large, kMaxMiB);
  fmt::print("cache file  {}\n", printable(scene.cache_file.string()));
  fmt::print("            entries from earlier runs: {:L}\n", scene.entries_before);
  fmt::print(
      "\nFour calculations on each document: word count, reading time, frequent words,\n"
      "and a signature, which needs most of the time: 256 hashes of each run of nine\n"
      "characters.\n\n");
  fmt::print("{:<14}{:>10}{:>11}{:>11}{:>11}{:>11}{:>11}\n", "pass", "documents", "hits", "misses",
             "computed", "ms", "speed-up");
}

void print_row(std::size_t number, const Pass& pass, const Pass& first) {
  // The time without a cache: hits also count with the time that computing them took.
  const double ms_without_cache = first.ms + first.saved_ms;
  fmt::print("{:<14}{:>10L}{:>11L}{:>11L}{:>11L}{:>11.1Lf}{:>9.0Lf} x\n",
             fmt::format("{} {}", number, pass.name), pass.documents, pass.hits, pass.misses,
             pass.computed, pass.ms, ms_without_cache / pass.ms);
}

void print_json(std::size_t number, const Pass& pass) {
  fmt::print("{}\n",
             nlohmann::ordered_json{
                 {"pass", number},
                 {"name", pass.name},
                 {"documents", pass.documents},
                 {"hits", pass.hits},
                 {"misses", pass.misses},
                 {"computed", pass.computed},
                 {"ms", std::round(pass.ms * 1000) / 1000},
             }
                 .dump());
}

void print_explanation(const Scene& scene, const Pass& first, std::span<const Document> computed) {
  fmt::print("\nDocuments computed again in pass 4: {:L}\n", computed.size());
  for (const Document& document : computed.first(std::min(computed.size(), kMaxShown))) {
    fmt::print("  {}\n", printable(document.path));
  }
  fmt::print("It is a copy of {}.\n", short_path(scene, 0));
  fmt::print(
      "Its results were in the cache. Then the tour added a line to it. The modification\n"
      "time is the version of the record, so the old results no longer answer.\n\n"
      "Hits, misses and computed count results: four for each document. ms is the\n"
      "time of the load. Speed-up compares with the time to compute all results.\n");
  if (first.hits == 0) {
    fmt::print("  1  the cache is empty: the files are read, all results are computed\n");
  } else {
    const std::int64_t values = first.hits + first.misses;
    fmt::print("  1  an earlier run computed {} % of the results, in {:.1Lf} ms\n",
               100 * first.hits / values, first.saved_ms);
  }
  fmt::print(
      "  2  the same page in the same process: one lookup, no file is read\n"
      "  3  the cache was closed and opened, as when a program starts again\n"
      "  4  the same page, and the changed copy\n");
}

void print_results(const Scene& scene, const Results& results) {
  std::int64_t words = 0;
  for (const std::int64_t count : results.word_counts) words += count;
  std::chrono::seconds time{0};
  for (const std::chrono::seconds one : results.reading_times) time += one;
  fmt::print("\nResults\nwords {:L}, minutes to read them {:L}\n", words,
             std::chrono::ceil<std::chrono::minutes>(time).count());
  print_common_words(results);
  print_near_duplicates(scene, results);
}

void print_questions(std::span<const Question> questions) {
  fmt::print("\nThe cache is an SQLite file. Ask it yourself:\n");
  for (const Question& question : questions) {
    fmt::print("\n# {}\n{}\n", question.text, printable(question.command));
    for (const std::string& row : question.answer) fmt::print("  {}\n", printable(row));
  }
}

}  // namespace tour
