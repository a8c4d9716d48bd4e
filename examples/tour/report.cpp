#include "report.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "../printable.hpp"
#include "../terminal.hpp"
#include "format.hpp"

namespace tour {
namespace {

using example::printable;

constexpr std::size_t kMaxShown = 5;

std::string shown(const std::filesystem::path& path) { return printable(path.string()); }

std::string short_path(const Scene& scene, std::size_t document) {
  const std::filesystem::path path = scene.selection.documents[document].path;
  return shown(path.lexically_relative(scene.directory));
}

std::string as_json(const Pass& pass, std::size_t number) {
  constexpr double kPerMs = 1000;
  return nlohmann::ordered_json{
      {"pass", number},
      {"name", pass.name},
      {"documents", pass.documents},
      {"hits", pass.hits},
      {"misses", pass.misses},
      {"computed", pass.computed},
      {"ms", std::round(pass.ms * kPerMs) / kPerMs},
  }
      .dump();
}

// What the load takes when it computes everything: a pass that hits says how much it was spared.
double ms_without_cache(const Pass& pass) { return pass.ms + pass.saved_ms; }

std::string about_first(const Pass& pass) {
  if (pass.hits == 0) return "nothing is known: the files are read, all is computed and kept";
  return text("warm: an earlier run computed {:.0f} % of it, in {:.1Lf} ms",
              100.0 * static_cast<double>(pass.hits) / static_cast<double>(pass.hits + pass.misses),
              pass.saved_ms);
}

// The words that are frequent in most documents, with the number of these.
std::vector<std::pair<std::string, int>> common_words(const Results& results) {
  std::map<std::string, int> counts;
  for (const FrequentWords& frequent : results.frequent_words) {
    for (const auto& [word, count] : frequent.words) ++counts[word];
  }
  std::vector<std::pair<std::string, int>> words(counts.begin(), counts.end());
  std::stable_sort(words.begin(), words.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  words.resize(std::min(words.size(), kMaxShown));
  return words;
}

}  // namespace

Report::Report(bool json)
    : json_(json),
      styled_(example::is_terminal(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr) {}

// A message that follows begins a line of its own.
Report::~Report() {
  if (in_line_) std::putc('\n', stdout);
  std::fflush(stdout);
}

void Report::heading(std::string_view what) const {
  line(styled_ ? "\n\033[1m{}\033[0m" : "\n{}", what);
}

void Report::scene(const Scene& scene) const {
  if (json_) return;
  std::int64_t bytes = 0;
  for (const Document& document : scene.selection.documents) bytes += document.size;
  line("directory   {}", shown(scene.directory));
  line("documents   {:L} of text, {}", scene.selection.documents.size(), in_bytes(bytes));
  line("skipped     {:L} not text, {:L} unreadable, {:L} over {}", scene.selection.not_text,
       scene.listing.unreadable + scene.selection.unreadable, scene.listing.too_large,
       in_bytes(kMaxBytes));
  line("cache file  {}", shown(scene.cache_file));
  line("            {}", scene.entries_before == 0
                             ? "a new file"
                             : counted(scene.entries_before, "entry", "entries") + " from before");
  heading("Four calculations on each document");
  line("Word count, reading time, frequent words; and a signature: the smallest of each");
  line("of 256 hashes over all runs of nine characters, which is the work.\n");
  line("{:<14}{:>10}{:>11}{:>11}{:>11}{:>11}{:>11}", "pass", "documents", "hits", "misses",
       "computed", "ms", "speed-up");
}

void Report::begin_pass(std::string_view name, std::size_t documents) {
  if (json_) return;
  fmt::print("{:<14}{:>10}", text("{} {}", passes_.size() + 1, name), text("{:L}", documents));
  std::fflush(stdout);
  in_line_ = true;
}

void Report::pass(Pass done) {
  in_line_ = false;
  passes_.push_back(std::move(done));
  const Pass& pass = passes_.back();
  if (json_) {
    line("{}", as_json(pass, passes_.size()));
    return;
  }
  line("{:>11L}{:>11L}{:>11L}{:>11.1Lf}{:>11}", pass.hits, pass.misses, pass.computed, pass.ms,
       text("{:.0Lf} x", ms_without_cache(passes_.front()) / pass.ms));
}

void Report::computed_again(std::span<const Document> documents) const {
  if (json_) return;
  line("");
  line("Computed again in pass 4: {}.", counted(std::ssize(documents), "document", "documents"));
  for (const Document& document : documents.first(std::min(documents.size(), kMaxShown))) {
    line("  {}", printable(document.path));
  }
}

void Report::legend(const Scene& scene) const {
  if (json_) return;
  line("It is a copy of {}, known to the cache until", short_path(scene, 0));
  line("a line was added: then its modification time, and so its version, is another.");
  line("");
  line("Hits, misses and computed are values, four for each document. ms: the loads");
  line("alone. Speed-up: over computing everything, as measured. The passes:");
  line("  1  {}", about_first(passes_.front()));
  line("  2  the same page in the same process: one lookup, no file is read");
  line("  3  the cache was closed and opened again, as when a program starts anew");
  line("  4  the same page, and the changed copy");
}

void Report::results(const Results& results) const {
  if (json_) return;
  std::int64_t words = 0;
  for (const std::int64_t count : results.word_counts) words += count;
  std::chrono::seconds time{0};
  for (const std::chrono::seconds one : results.reading_times) time += one;
  heading("What came out");
  line("{} to read in {}", counted(words, "word", "words"), in_words(time));
  for (const auto& [word, documents] : common_words(results)) {
    line("  {:<20} is frequent in {}", printable(word),
         counted(documents, "document", "documents"));
  }
}

void Report::near_duplicates(const Scene& scene, std::span<const Resemblance> found) const {
  if (json_) return;
  heading("Near-duplicates, found from the signatures alone");
  if (found.empty())
    line("none: no document has {:.0f} % in common with another", 100 * kNearDuplicate);
  for (const Resemblance& pair : found.first(std::min(found.size(), kMaxShown))) {
    line("{:>4.0f} %  {}", 100 * pair.similarity, short_path(scene, pair.second));
    line("        {}", short_path(scene, pair.first));
  }
  if (found.size() > kMaxShown) line("and {:L} more", found.size() - kMaxShown);
}

void Report::questions(std::span<const Question> questions) const {
  if (json_) return;
  heading("The cache is an SQLite file. Ask it yourself:");
  for (const Question& question : questions) {
    line("\n# {}", question.asks);
    line("{}", printable(question.command));
    for (const std::string& row : question.answer) line("  {}", printable(row));
  }
}

}  // namespace tour
