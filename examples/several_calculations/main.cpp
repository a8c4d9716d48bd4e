// Four calculations on posts, each cached in its own way, asked for a page at a time with one
// look-up for all four. The expensive one takes a whole batch, as a model would. Prints, each time
// the same, because its clock is moved by hand:
//
// == begin
// A page of four posts, for the first time
//   post  words  read in  mood   keywords
//      1     12      4 s  +0.38  garden rain
//      2     11      4 s  -0.67  train delay
//      3      8      3 s  +0.33  bread
//      4      9      3 s  +0.00  parcel
//   computed: word_count 4, reading_time 4, mood 4 in 1 call, keywords 4
// Once more
//   computed: nothing
// The second post was edited
//   computed: word_count 1, reading_time 1, mood 1 in 1 call, keywords 1
// The next page: two posts of the first, two others
//   computed: word_count 2, reading_time 2, mood 2 in 1 call, keywords 2
// An hour later moods are no longer fresh, the rest is
//   computed: mood 6 in 1 call
// == end

#include <ashmemo/ashmemo.hpp>
#include <ashmemo/json.hpp>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "../arguments.hpp"
#include "../temporary_directory.hpp"

using namespace std::chrono_literals;

namespace {

struct Post {
  std::int64_t id = 0;
  std::string content;
  std::int64_t edits = 0;
};

std::vector<std::string> words_of(const Post& post) {
  std::istringstream text(post.content);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

/// A result with structure is kept as JSON, readable in the file.
struct Keywords {
  std::vector<std::string> words;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Keywords, words)

}  // namespace

template <>
struct ashmemo::Codec<Keywords> : ashmemo::JsonCodec<Keywords> {};

namespace {

/// Stands for a model that takes its time to load and then likes to be asked for many at once.
class MoodModel {
 public:
  [[nodiscard]] double score(const Post& post) const {
    double sum = 0;
    int known = 0;
    for (const std::string& word : words_of(post)) {
      const auto found = lexicon_.find(word);
      if (found == lexicon_.end()) continue;
      sum += found->second;
      ++known;
    }
    return known == 0 ? 0 : sum / known;
  }

 private:
  const std::map<std::string, double, std::less<>> lexicon_{
      {"lovely", 1},    {"fresh", 0.5}, {"good", 0.5}, {"fine", 0},
      {"terrible", -1}, {"late", -0.5}, {"wet", -0.5}, {"slow", -0.5},
  };
};

/// How many results each calculation has computed, and how often the batch was called.
struct Counted {
  std::map<std::string, int> results;
  int batches = 0;
};

class Blog {
 public:
  explicit Blog(const std::string& file)
      : cache_(file, {.hooks = {.clock = clock_, .worker = ashmemo::WorkerMode::manual}}) {
    posts_.record_version(&Post::edits);
    // The code's own: how long what it has computed is good for, by name.
    posts_.cache_calculation("word_count", {.ttl = 24h});
    posts_.cache_calculation("reading_time", {.ttl = 24h});
    posts_.cache_calculation("mood", {.ttl = 1h});  // the model learns
    posts_.cache_calculation("keywords", {});       // until the post changes
  }

  /// One look-up for all four; each calculation runs for what it misses only.
  void show(std::string_view what, const std::vector<Post>& page, bool in_full = false) {
    counted_ = {};
    const auto [words, seconds, moods, keywords] =
        posts_.load(page, word_count_, reading_time_, mood_, keywords_);
    fmt::print("{}\n", what);
    if (in_full) fmt::print("  post  words  read in  mood   keywords\n");
    for (std::size_t i = 0; in_full && i < page.size(); ++i) {
      fmt::print("  {:>4}  {:>5}  {:>5} s  {:+.2f}  {}\n", page[i].id, words[i], seconds[i].count(),
                 moods[i], fmt::join(keywords[i].words, " "));
    }
    fmt::print("  computed: {}\n", told());
  }
  void wait(ashmemo::Duration length) { clock_->advance(length); }

 private:
  std::vector<double> moods_of(ashmemo::Records<Post> batch) {
    ++counted_.batches;
    std::vector<double> moods;
    for (const Post& post : batch) moods.push_back(model_.score(post));
    counted_.results["mood"] += static_cast<int>(moods.size());
    return moods;
  }
  /// A calculation may ask for another one: its result comes from the cache, too.
  std::chrono::seconds reading_time_of(const Post& post) {
    constexpr int kWordsEachSecond = 3;
    ++counted_.results["reading_time"];
    return std::chrono::seconds(1 + (word_count_(post) - 1) / kWordsEachSecond);
  }
  Keywords keywords_of(const Post& post) {
    ++counted_.results["keywords"];
    Keywords keywords;
    for (const std::string& word : words_of(post)) {
      if (word.front() == '#') keywords.words.push_back(word.substr(1));
    }
    return keywords;
  }
  int words_in(const Post& post) {
    ++counted_.results["word_count"];
    return static_cast<int>(words_of(post).size());
  }

  [[nodiscard]] std::string told() const {
    std::vector<std::string> parts;
    for (const auto& info : posts_.calculations()) {
      const auto found = counted_.results.find(info.name);
      if (found == counted_.results.end()) continue;
      const std::string calls =
          info.takes_batches ? fmt::format(" in {} call", counted_.batches) : std::string();
      parts.push_back(fmt::format("{} {}{}", info.name, found->second, calls));
    }
    return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
  }

  const MoodModel model_;
  Counted counted_;
  std::shared_ptr<ashmemo::ManualClock> clock_ = std::make_shared<ashmemo::ManualClock>();
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Post>& posts_ = registry_.resource<Post>("Post", &Post::id);
  ashmemo::Calculation<Post, int> word_count_ =
      posts_.calculation("word_count", [this](const Post& post) { return words_in(post); });
  ashmemo::Calculation<Post, std::chrono::seconds> reading_time_ = posts_.calculation(
      "reading_time", [this](const Post& post) { return reading_time_of(post); });
  ashmemo::Calculation<Post, double> mood_ =
      posts_.calculation("mood", [this](ashmemo::Records<Post> batch) { return moods_of(batch); });
  ashmemo::Calculation<Post, Keywords> keywords_ =
      posts_.calculation("keywords", [this](const Post& post) { return keywords_of(post); });
};

void run() {
  const example::TemporaryDirectory directory;
  Blog blog(directory.file("blog.cache.db"));
  std::vector<Post> page{
      {1, "a lovely day in the #garden fine and then wet #rain lovely"},
      {2, "the #train was late and slow again what a terrible #delay"},
      {3, "good fresh #bread from next door fine morning"},
      {4, "your #parcel is at the house of a neighbour"},
  };
  blog.show("A page of four posts, for the first time", page, true);
  blog.show("Once more", page);
  page[1].content += " but then it came";
  page[1].edits = 1;
  blog.show("The second post was edited", page);
  const std::vector<Post> next{page[2], page[3], {5, "a #walk"}, {6, "late #supper"}};
  blog.show("The next page: two posts of the first, two others", next);
  blog.wait(1h);
  page.insert(page.end(), {next[2], next[3]});
  blog.show("An hour later moods are no longer fresh, the rest is", page);
}

}  // namespace

int main(int argc, char** argv) {
  const auto refused = example::refuse_arguments(
      argc, argv, "several_calculations: four cached calculations on posts");
  if (refused) return *refused;
  try {
    run();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "several_calculations: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
