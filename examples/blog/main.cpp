// A blog: posts in the application's own database, the numbers of their words in a cache beside it.
// It prints, each time the same, because its clock stands still until it is moved:
//
// == begin
// resource Post
//   word_count       ttl 30m
//   character_count  not cached
//
// Three posts, asked for twice
//   word counts 9 10 3: 0 hits, 3 misses, 3 computed
//   word counts 9 10 3: 3 hits, 0 misses, 0 computed
//
// What is not cached is computed each time
//   characters 43 42 15: 3 computed
//   characters 43 42 15: 3 computed
//
// The entries: key, value, bytes in the file
//   Post:1:word_count = 9, 245 bytes
//   Post:2:word_count = 10, 245 bytes
//   Post:3:word_count = 3, 245 bytes
//   3 entries, 735 bytes
//
// Reads are recorded, a while later and without making the reader wait
//   Post:1:word_count: read 2 times, last at 22:13:20
//   Post:1:word_count: read 3 times, last at 22:18:20
//
// Two new posts: a page with known and new ones
//   word counts 9 10 3 7 2: 3 hits, 2 misses, 2 computed
//
// The second post is edited: its old word count does not answer
//   word counts 9 6 3 7 2: 4 hits, 1 miss, 1 computed
//
// The first post's word count is kept for 30 minutes
//   stored at 22:13:20, expires at 22:43:20
// 22:43:19  word counts 9: 1 hit, 0 misses, 0 computed
// 22:43:20  word counts 9: 0 hits, 1 miss, 1 computed
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "../arguments.hpp"
#include "../grouped.hpp"
#include "../temporary_directory.hpp"
#include "posts.hpp"

namespace blog {
namespace {

using namespace std::chrono_literals;
using example::counted;

std::int64_t count_words(const Post& post) {
  std::istringstream words(post.content);
  std::int64_t count = 0;
  for (std::string word; words >> word;) ++count;
  return count;
}

std::int64_t count_characters(const Post& post) {
  return static_cast<std::int64_t>(post.content.size());
}

/// What an application would have as members: its own database, the cache, and the calculations.
struct Application {
  explicit Application(const std::filesystem::path& directory)
      : posts((directory / "blog.db").string()),
        cache((directory / "blog.cache.db").string(),
              {.timing = {.touch_interval = 0s}, .hooks = {.clock = clock, .worker = kManual}}) {
    resource.record_version(&Post::updated_at);  // an edited post is another version
    word_count = resource.calculation("word_count", count_words);
    character_count = resource.calculation("character_count", count_characters);
    resource.cache_calculation("word_count", {.ttl = 30min});  // the other is quick: not cached
  }

  // No thread of its own, and a clock that is moved by hand: to print the same each time.
  static constexpr ashmemo::WorkerMode kManual = ashmemo::WorkerMode::manual;
  std::shared_ptr<ashmemo::ManualClock> clock = std::make_shared<ashmemo::ManualClock>();
  Posts posts;
  ashmemo::Cache cache;
  ashmemo::Registry registry{cache};
  ashmemo::Resource<Post>& resource = registry.resource<Post>("Post", &Post::id);
  ashmemo::Calculation<Post, std::int64_t> word_count;
  ashmemo::Calculation<Post, std::int64_t> character_count;
};

std::string joined(const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) text += fmt::format(" {}", number);
  return text;
}

void heading(std::string_view text) { fmt::print("\n{}\n", text); }

std::string time_of(std::int64_t microseconds) {
  return fmt::format("{:%H:%M:%S}",
                     fmt::gmtime(static_cast<std::time_t>(microseconds / 1'000'000)));
}

/// Asks for the words of posts and says what the cache did for it.
void show_word_counts(Application& app, const std::vector<Post>& page) {
  const ashmemo::CalculationStats before = app.word_count.stats();
  const std::vector<std::int64_t> counts = app.word_count(page);
  const ashmemo::CalculationStats after = app.word_count.stats();
  fmt::print("  word counts{}: {}, {}, {} computed\n", joined(counts),
             counted(after.hits - before.hits, "hit", "hits"),
             counted(after.misses - before.misses, "miss", "misses"),
             after.computed - before.computed);
}

void show_what_is_declared(const Application& app) {
  for (const std::string& name : app.registry.resources()) fmt::print("resource {}\n", name);
  for (const ashmemo::CalculationInfo& info : app.resource.calculations()) {
    fmt::print("  {:<16} {}\n", info.name, info.policy ? to_string(*info.policy) : "not cached");
  }
}

void show_hit_and_miss(Application& app) {
  const std::vector<Post> page = app.posts.all();
  heading("Three posts, asked for twice");
  show_word_counts(app, page);
  show_word_counts(app, page);

  heading("What is not cached is computed each time");
  for (int i = 0; i < 2; ++i) {
    const std::int64_t computed_before = app.character_count.stats().computed;
    const std::vector<std::int64_t> counts = app.character_count(page);
    fmt::print("  characters{}: {} computed\n", joined(counts),
               app.character_count.stats().computed - computed_before);
  }
}

void show_entries(Application& app) {
  heading("The entries: key, value, bytes in the file");
  app.cache.flush();
  for (const Post& post : app.posts.all()) {
    const std::string key = app.word_count.key(post);
    const std::optional<ashmemo::EntryInfo> entry = app.cache.entry(key);
    fmt::print("  {} = {}, {} bytes\n", key, *app.cache.get<std::int64_t>(key), entry->byte_size);
  }
  fmt::print("  {}, {} bytes\n", counted(app.cache.stats().entries, "entry", "entries"),
             app.cache.stats().bytes);
}

void show_access_tracking(Application& app) {
  heading("Reads are recorded, a while later and without making the reader wait");
  const std::string key = app.word_count.key(app.posts.all().front());
  const auto show = [&] {
    const std::optional<ashmemo::EntryInfo> entry = app.cache.entry(key);
    fmt::print("  {}: read {}, last at {}\n", key, counted(entry->access_count, "time", "times"),
               time_of(entry->accessed_at));
  };
  app.cache.flush();
  show();
  app.clock->advance(5min);
  (void)app.word_count(app.posts.all().front());
  app.cache.flush();
  show();
}

void show_mixed_batch(Application& app) {
  heading("Two new posts: a page with known and new ones");
  app.posts.add("Fourth", "a post that nobody asked for yet");
  app.posts.add("Fifth", "another one");
  show_word_counts(app, app.posts.all());
}

void show_edited_post(Application& app) {
  heading("The second post is edited: its old word count does not answer");
  app.posts.edit(2, "what was written here is gone");
  show_word_counts(app, app.posts.all());
}

void show_expiry(Application& app) {
  heading("The first post's word count is kept for 30 minutes");
  const Post first = app.posts.all().front();
  const std::optional<ashmemo::EntryInfo> entry = app.cache.entry(app.word_count.key(first));
  const auto ask = [&] {
    fmt::print("{}", time_of(app.clock->wall_now()));
    show_word_counts(app, {first});
  };
  fmt::print("  stored at {}, expires at {}\n", time_of(entry->computed_at),
             time_of(entry->expires_at.value()));
  app.clock->set_wall(*entry->expires_at - 1);
  ask();
  app.clock->set_wall(*entry->expires_at);
  ask();
}

void run(const std::filesystem::path& directory) {
  Application app(directory);
  app.posts.add("First", "the quick brown fox jumps over the lazy dog");
  app.posts.add("Second", "all work and no play makes Jack a dull boy");
  app.posts.add("Third", "to be continued");
  show_what_is_declared(app);
  show_hit_and_miss(app);
  show_entries(app);
  show_access_tracking(app);
  show_mixed_batch(app);
  show_edited_post(app);
  show_expiry(app);
}

}  // namespace
}  // namespace blog

int main(int argc, char** argv) {
  const auto refused =
      example::refuse_arguments(argc, argv, "blog: word counts of posts, kept in a cache");
  if (refused) return *refused;
  try {
    const example::TemporaryDirectory directory;
    blog::run(directory.path());
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "blog: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
