// Pages of posts from an application's own database, and for each post the number of its comments:
// one query for the page and then one for each post, N + 1 in all. The same with a cache, one post
// at a time and a page at a time. Run as `n_plus_one [POSTS]`, for 100 to 1,000,000 posts; prints
// (the times are those of one run):
//
// == begin
// 10,000 posts with 30,000 comments; 100 pages of 50 posts
//
//                                 queries  look-ups  computed in calls        ms
//   no cache                        5,100         0     5,000    5,000      24.1
//   cache, post by post, empty      5,100     5,000     5,000    5,000      43.5
//   cache, post by post, again        100     5,000         0        0       9.5
//   cache, page by page, empty        200       100     5,000      100      26.0
//   cache, page by page, again        100       100         0        0       4.5
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../command_line.hpp"
#include "../grouped.hpp"
#include "../temporary_directory.hpp"
#include "database.hpp"

namespace n_plus_one {
namespace {

using example::grouped;

constexpr std::int64_t kPage = 50;
constexpr std::int64_t kMaxPages = 100;

/// The calculation in both of its forms. What takes long is the query, not the counting.
class Comments {
 public:
  Comments(const std::string& file, Database& database) : database_(database), cache_(file) {
    posts_.cache_calculation("comments", {});
    posts_.cache_calculation("comments_of_all", {});
  }

  /// A look-up for each post, and for each one that misses a query.
  std::vector<int> one_by_one(const std::vector<Post>& page) {
    std::vector<int> counts;
    for (const Post& post : page) counts.push_back(comments_(post));
    look_ups_ += static_cast<std::int64_t>(page.size());
    return counts;
  }
  /// One look-up for the page, and one query for all that miss.
  std::vector<int> all_at_once(const std::vector<Post>& page) {
    ++look_ups_;
    return comments_of_all_(page);
  }

  [[nodiscard]] std::int64_t look_ups() const { return look_ups_; }
  [[nodiscard]] std::int64_t computed() const { return cache_.stats().computed; }
  [[nodiscard]] std::int64_t calls() const { return calls_; }
  void flush() { cache_.flush(); }

 private:
  int compute(const Post& post) {
    ++calls_;
    return database_.comments_of(post.id);
  }
  std::vector<int> compute_all(ashmemo::Records<Post> batch) {
    ++calls_;
    std::vector<std::int64_t> ids;
    for (const Post& post : batch) ids.push_back(post.id);
    return database_.comments_of(ids);
  }

  Database& database_;
  std::int64_t look_ups_ = 0;
  std::int64_t calls_ = 0;
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Post>& posts_ = registry_.resource<Post>("Post", &Post::id);
  ashmemo::Calculation<Post, int> comments_ =
      posts_.calculation("comments", [this](const Post& post) { return compute(post); });
  ashmemo::Calculation<Post, int> comments_of_all_ = posts_.calculation(
      "comments_of_all", [this](ashmemo::Records<Post> batch) { return compute_all(batch); });
};

/// What one way of doing it took.
struct Took {
  std::int64_t queries = 0;
  std::int64_t look_ups = 0;
  std::int64_t computed = 0;
  std::int64_t calls = 0;
  double milliseconds = 0;
};

void print_head(const Database& database, std::int64_t pages) {
  fmt::print("{} posts with {} comments; {} pages of {} posts\n\n{:30}{:>9}{:>10}{:>10} {}{:>10}\n",
             grouped(database.posts()), grouped(database.comments()), grouped(pages), kPage, "",
             "queries", "look-ups", "computed", "in calls", "ms");
}

void print_row(std::string_view what, const Took& took) {
  fmt::print("  {:<28}{:>9}{:>10}{:>10}{:>9}{:>10.1f}\n", what, grouped(took.queries),
             grouped(took.look_ups), grouped(took.computed), grouped(took.calls),
             took.milliseconds);
}

using Counting = std::function<std::vector<int>(const std::vector<Post>&)>;

/// Loads all pages in this way; returns how many comments they have.
std::int64_t load_pages(Database& database, std::int64_t pages, const Counting& count) {
  std::int64_t sum = 0;
  for (std::int64_t page = 0; page < pages; ++page) {
    for (const int comments : count(database.page(page * kPage, kPage))) sum += comments;
  }
  return sum;
}

class Comparison {
 public:
  Comparison(Database& database, std::int64_t pages) : database_(database), pages_(pages) {}

  void without_cache() {
    Took took;
    measure("no cache", took, [&](const std::vector<Post>& page) {
      std::vector<int> counts;
      for (const Post& post : page) counts.push_back(database_.comments_of(post.id));
      took.computed += static_cast<std::int64_t>(page.size());
      took.calls = took.computed;
      return counts;
    });
  }
  void with_cache(std::string_view what, Comments& comments,
                  std::vector<int> (Comments::*count)(const std::vector<Post>&)) {
    Took took{0, -comments.look_ups(), -comments.computed(), -comments.calls()};
    const auto add = [&] {
      took.look_ups += comments.look_ups();
      took.computed += comments.computed();
      took.calls += comments.calls();
    };
    measure(
        what, took, [&](const std::vector<Post>& page) { return (comments.*count)(page); }, add);
    comments.flush();
  }

 private:
  void measure(
      std::string_view what, Took& took, const Counting& count,
      const std::function<void()>& add = [] {}) {
    const std::int64_t queries = database_.queries();
    const auto start = std::chrono::steady_clock::now();
    const std::int64_t sum = load_pages(database_, pages_, count);
    const std::chrono::duration<double, std::milli> length =
        std::chrono::steady_clock::now() - start;
    took.milliseconds = length.count();
    took.queries = database_.queries() - queries;
    add();
    print_row(what, took);
    if (sum_ != 0 && sum != sum_) throw std::runtime_error("another number of comments");
    sum_ = sum;
  }

  Database& database_;
  const std::int64_t pages_;
  std::int64_t sum_ = 0;
};

void run(std::int64_t posts) {
  const example::TemporaryDirectory directory;
  Database database(directory.file("blog.db"));
  database.seed(posts);
  const std::int64_t pages = std::min(posts / kPage, kMaxPages);
  print_head(database, pages);
  Comparison comparison(database, pages);
  comparison.without_cache();
  Comments one(directory.file("one.cache.db"), database);
  comparison.with_cache("cache, post by post, empty", one, &Comments::one_by_one);
  comparison.with_cache("cache, post by post, again", one, &Comments::one_by_one);
  Comments all(directory.file("all.cache.db"), database);
  comparison.with_cache("cache, page by page, empty", all, &Comments::all_at_once);
  comparison.with_cache("cache, page by page, again", all, &Comments::all_at_once);
}

}  // namespace
}  // namespace n_plus_one

int main(int argc, char** argv) {
  CLI::App app("Counts the queries for pages of posts: without a cache, and with one",
               "n_plus_one");
  std::int64_t posts = 10'000;
  app.add_option("POSTS", posts, "how many posts there are (default: 10,000)")
      ->check(CLI::Range(std::int64_t{100}, std::int64_t{1'000'000}));
  if (const auto status = example::parse(app, argc, argv)) return *status;
  try {
    n_plus_one::run(posts);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "n_plus_one: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
