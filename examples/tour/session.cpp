#include "session.hpp"

#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <utility>

namespace tour {
namespace {

ashmemo::Options options() {
  ashmemo::Options options;
  options.hooks.on_error = [](const ashmemo::Notice& notice) {
    fmt::print(stderr, "cache: {}\n", notice.what);
  };
  // A tour without a cache would show nothing.
  options.when_unavailable = ashmemo::WhenUnavailable::throw_error;
  return options;
}

double in_ms(ashmemo::Duration length) { return static_cast<double>(length.count()) / 1000; }

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

std::int64_t wall_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace

Session::Session(const std::filesystem::path& cache_file)
    : cache_(cache_file.string(), options()),
      registry_(cache_),
      calculations_(declare(registry_)) {}

Selection Session::select_text(const std::vector<Document>& files) const {
  const std::vector<std::optional<bool>> answers = calculations_.is_text(files);
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

Pass Session::load(std::string name, std::span<const Document> page, Results& results) {
  const ashmemo::Stats before = cache_.stats();
  const std::int64_t started = wall_now();
  const auto start = std::chrono::steady_clock::now();
  auto [word_counts, reading_times, frequent_words, signatures] =
      calculations_.documents->load(page, calculations_.word_count, calculations_.reading_time,
                                    calculations_.frequent_words, calculations_.signature);
  const double ms = ms_since(start);
  const ashmemo::Stats after = cache_.stats();
  results = {std::move(word_counts), std::move(reading_times), std::move(frequent_words),
             std::move(signatures)};
  cache_.flush();
  return {.name = std::move(name),
          .documents = page.size(),
          .hits = after.hits - before.hits,
          .misses = after.misses - before.misses,
          .computed = after.computed - before.computed,
          .ms = ms,
          .saved_ms = in_ms(after.saved) - in_ms(before.saved),
          .started = started};
}

std::vector<Document> Session::stored_since(std::int64_t time,
                                            std::span<const Document> page) const {
  std::vector<Document> stored;
  for (const Document& document : page) {
    const auto entry = cache_.entry(calculations_.word_count.key(document));
    if (entry && entry->computed_at >= time) stored.push_back(document);
  }
  return stored;
}

}  // namespace tour
