// A blog: calculations on posts, with their results in a cache beside the application's own data.
// `main` shows one step after the other; read the steps in that order. The output is the same in
// each run, because the clock moves only when this program moves it.

#include <ashmemo/ashmemo.hpp>
#include <ashmemo/json.hpp>

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "../common/program.hpp"
#include "../common/temporary_directory.hpp"
#include "levels.hpp"

namespace blog {

/// A result with structure. The cache file contains it as JSON text.
struct Keywords {
  std::vector<std::string> words;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Keywords, words)

}  // namespace blog

template <>
struct ashmemo::Codec<blog::Keywords> : ashmemo::JsonCodec<blog::Keywords> {};

namespace blog {
namespace {

using namespace std::chrono_literals;
using Clock = std::shared_ptr<ashmemo::ManualClock>;

struct Post {
  std::int64_t id = 0;
  std::string content;
  std::int64_t edits = 0;  ///< differs after each edit of the post
};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream input(text);
  std::vector<std::string> words;
  for (std::string word; input >> word;) words.push_back(word);
  return words;
}

/// Stands for a model that is slow to load and then takes many texts in one call.
double mood_of(const Post& post) {
  static const std::map<std::string, double> lexicon = {
      {"lovely", 1}, {"fresh", 0.5}, {"terrible", -1}, {"late", -0.5}};
  double sum = 0;
  for (const std::string& word : words_of(post.content)) {
    const auto found = lexicon.find(word);
    if (found != lexicon.end()) sum += found->second;
  }
  return sum;
}

/// What an application has as members: the cache, and a handle for each calculation.
class Blog {
 public:
  /// `code` is the version of the code that counts words. A new version gives other results.
  Blog(const std::string& file, const Clock& clock, std::uint32_t code)
      : cache(file, {.timing = {.touch_interval = 0s},
                     .hooks = {.clock = clock, .worker = ashmemo::WorkerMode::manual}}),
        word_count(posts.calculation(
            "word_count", [this, code](const Post& post) { return count_words(post, code); },
            {.version = code})) {
    posts.record_version(&Post::edits);  // the results of an edited post are computed again
    posts.cache_calculation("word_count", {.ttl = 24h});
    posts.cache_calculation("reading_time", {.ttl = 24h});
    posts.cache_calculation("mood", {.ttl = 1h});  // the model learns
    posts.cache_calculation("keywords", {});       // kept until the post changes
  }

  /// Loads four calculations for a page: one lookup for all of them. Each calculation then runs for
  /// the records that it misses. Prints the hits and misses, and what was computed.
  void load(const std::vector<Post>& page) {
    computed_.clear();
    const ashmemo::Stats before = cache.stats();
    const auto [words, times, moods, keywords] =
        posts.load(page, word_count, reading_time, mood, keywords_of_post);
    const ashmemo::Stats after = cache.stats();
    for (std::size_t i = 0; i < page.size(); ++i) {
      fmt::print("  {:>4} {:>5} words {:>4} s {:+.2f}  {}\n", page[i].id, words[i],
                 times[i].count(), moods[i], fmt::join(keywords[i].words, " "));
    }
    fmt::print("  hits {}, misses {}\n  computed:", after.hits - before.hits,
               after.misses - before.misses);
    for (const auto& [name, count] : computed_) fmt::print(" {} {}", name, count);
    fmt::print("{}\n", computed_.empty() ? " nothing" : "");
  }

  ashmemo::Cache cache;
  ashmemo::Registry registry{cache};
  ashmemo::Resource<Post>& posts = registry.resource<Post>("Post", &Post::id);
  ashmemo::Calculation<Post, int> word_count;
  ashmemo::Calculation<Post, std::chrono::seconds> reading_time =
      posts.calculation("reading_time", [this](const Post& post) { return compute_time(post); });
  ashmemo::Calculation<Post, double> mood =
      posts.calculation("mood", [this](ashmemo::Records<Post> batch) { return moods_of(batch); });
  ashmemo::Calculation<Post, Keywords> keywords_of_post =
      posts.calculation("keywords", [this](const Post& post) { return compute_keywords(post); });
  ashmemo::Calculation<Post, std::size_t> characters =
      posts.calculation("characters", [this](const Post& post) { return count_characters(post); });

 private:
  int count_words(const Post& post, std::uint32_t code) {
    ++computed_["word_count"];
    std::string text = post.content;
    if (code == 2) std::replace(text.begin(), text.end(), '-', ' ');
    return static_cast<int>(words_of(text).size());
  }
  /// A calculation can ask for another one. That result comes from the cache too.
  std::chrono::seconds compute_time(const Post& post) {
    ++computed_["reading_time"];
    constexpr int kWordsPerSecond = 3;
    return std::chrono::seconds(1 + (word_count(post) - 1) / kWordsPerSecond);
  }
  /// Takes all posts that miss in one call.
  std::vector<double> moods_of(ashmemo::Records<Post> batch) {
    ++computed_["mood_calls"];
    computed_["mood"] += static_cast<int>(batch.size());
    std::vector<double> moods;
    for (const Post& post : batch) moods.push_back(mood_of(post));
    return moods;
  }
  Keywords compute_keywords(const Post& post) {
    ++computed_["keywords"];
    Keywords keywords;
    for (const std::string& word : words_of(post.content)) {
      if (word.front() == '#') keywords.words.push_back(word.substr(1));
    }
    return keywords;
  }
  std::size_t count_characters(const Post& post) {
    ++computed_["characters"];
    return post.content.size();
  }

  std::map<std::string, int> computed_;
};

void heading(std::string_view text) { fmt::print("\n{}\n", text); }

std::string time_of(std::int64_t microseconds) {
  return fmt::format("{:%H:%M:%S}",
                     fmt::gmtime(static_cast<std::time_t>(microseconds / 1'000'000)));
}

void show_declarations(const Blog& blog) {
  fmt::print("The calculations, and how long their results are kept\n");
  for (const ashmemo::CalculationInfo& info : blog.posts.calculations()) {
    fmt::print("  {:<14}{}\n", info.name, info.policy ? to_string(*info.policy) : "not cached");
  }
}

void show_uncached(const Blog& blog, const std::vector<Post>& page) {
  heading("A calculation that is not cached is computed each time");
  for (int i = 0; i < 2; ++i) {
    const std::vector<std::size_t> characters = blog.characters(page);
    fmt::print("  characters {}; computed so far: {}\n", fmt::join(characters, " "),
               blog.characters.stats().computed);
  }
}

void show_entries(Blog& blog, const std::vector<Post>& page) {
  heading("Entries of the cache file: key, value, bytes");
  blog.cache.flush();
  for (const Post& post : page) {
    const std::string key = blog.word_count.key(post);
    fmt::print("  {} = {}, {} bytes\n", key, *blog.cache.get<int>(key),
               blog.cache.entry(key)->byte_size);
  }
  const ashmemo::Stats stats = blog.cache.stats();
  fmt::print("  entries {}, bytes {}\n", stats.entries, stats.bytes);
}

void show_access_tracking(Blog& blog, const Clock& clock, const Post& post) {
  heading("Reads are recorded later, so that a reader never waits");
  for (int i = 0; i < 2; ++i) {
    blog.cache.flush();
    const ashmemo::EntryInfo entry = blog.cache.entry(blog.word_count.key(post)).value();
    fmt::print("  {}: reads {}, last at {}\n", entry.key, entry.access_count,
               time_of(entry.accessed_at));
    clock->advance(5min);
    (void)blog.word_count(post);
  }
}

void show_expiry(Blog& blog, const Clock& clock, const std::vector<Post>& page) {
  heading("A mood is kept for one hour. At exactly that time it is a miss");
  const auto entry = blog.cache.entry(blog.mood.key(page.front()));
  fmt::print("  stored at {}, expires at {}\n", time_of(entry->computed_at),
             time_of(*entry->expires_at));
  for (const std::int64_t time : {*entry->expires_at - 1, *entry->expires_at}) {
    clock->set_wall(time);
    fmt::print("  {}\n", time_of(time));
    blog.load({page.front()});
  }
}

/// Closes the cache and opens it again, as a program does that ends and starts again.
void show_new_code(const std::string& file, const Clock& clock, const std::vector<Post>& page) {
  for (const std::uint32_t code : {1U, 2U, 2U, 1U}) {
    heading(fmt::format("The program starts again; its word_count has version {}", code));
    Blog(file, clock, code).load(page);
  }
}

void run() {
  const example::TemporaryDirectory directory;
  const std::string file = directory.file("blog.cache.db");
  const Clock clock = std::make_shared<ashmemo::ManualClock>();
  std::vector<Post> page = {{1, "a lovely day in the #garden then wet #rain"},
                            {2, "the #train was late what a terrible #delay"},
                            {3, "fresh well-known #bread"}};
  {
    Blog blog(file, clock, 1);
    show_declarations(blog);
    heading("Three posts: post, word count, reading time, mood, keywords");
    blog.load(page);
    heading("The same page again");
    blog.load(page);
    show_uncached(blog, page);
    show_entries(blog, page);
    show_access_tracking(blog, clock, page.front());
    heading("Two new posts on the page");
    page.insert(page.end(), {{4, "a #walk"}, {5, "late #supper"}});
    blog.load(page);
    heading("Post 2 is edited: its old results do not answer");
    page[1] = {2, "but then the #train came", 1};
    blog.load(page);
    show_expiry(blog, clock, page);
  }
  show_new_code(file, clock, page);
  show_levels(directory.file("feeds.cache.db"));
}

}  // namespace
}  // namespace blog

int main(int argc, char** argv) {
  return example::run_program("blog", "Calculations on posts, with results in a cache.", argc, argv,
                              blog::run);
}
