// Pages of posts from an application's own database, with the number of comments of each post. The
// plain way needs one query for the page and one for each post: N + 1 queries. This program counts
// queries, lookups and calls of the calculation without a cache and with one, for a calculation of
// one post and for one of a whole page. Then threads ask at the same time for pages that overlap:
// the cache computes each result once.
//
//     n_plus_one [POSTS]

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../common/program.hpp"
#include "../common/temporary_directory.hpp"
#include "database.hpp"

namespace n_plus_one {
namespace {

using Page = std::vector<Post>;

constexpr std::int64_t kPage = 50;
constexpr std::int64_t kMaxPages = 100;
constexpr std::int64_t kThreads = 8;

/// The same calculation in two forms: for one post, and for a batch of posts.
class Comments {
 public:
  Comments(const std::string& file, Database& database) : database_(database), cache_(file) {
    posts_.cache_calculation("comments", {});
    posts_.cache_calculation("comments_of_page", {});
  }

  /// One lookup for each post, and one query for each post that misses.
  std::vector<int> post_by_post(const Page& page) {
    std::vector<int> counts;
    for (const Post& post : page) counts.push_back(comments_(post));
    lookups_ += std::ssize(page);
    return counts;
  }
  /// One lookup for the page, and one query for all posts that miss.
  std::vector<int> whole_page(const Page& page) {
    ++lookups_;
    return comments_of_page_(page);
  }

  [[nodiscard]] std::int64_t lookups() const { return lookups_; }
  [[nodiscard]] std::int64_t calls() const { return calls_; }
  [[nodiscard]] ashmemo::Stats stats() const { return cache_.stats(); }
  void flush() { cache_.flush(); }

 private:
  int compute(const Post& post) {
    ++calls_;
    return database_.comments_of(post.id);
  }
  std::vector<int> compute_page(ashmemo::Records<Post> batch) {
    ++calls_;
    std::vector<std::int64_t> ids;
    for (const Post& post : batch) ids.push_back(post.id);
    return database_.comments_of(ids);
  }

  Database& database_;
  std::int64_t lookups_ = 0;
  std::int64_t calls_ = 0;
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Post>& posts_ = registry_.resource<Post>("Post", &Post::id);
  ashmemo::Calculation<Post, int> comments_ =
      posts_.calculation("comments", [this](const Post& post) { return compute(post); });
  ashmemo::Calculation<Post, int> comments_of_page_ = posts_.calculation(
      "comments_of_page", [this](ashmemo::Records<Post> batch) { return compute_page(batch); });
};

/// Loads all pages in different ways. Each way must find the same number of comments.
class Comparison {
 public:
  explicit Comparison(Database& database)
      : database_(database), pages_(std::min(database.posts() / kPage, kMaxPages)) {
    fmt::print("{:L} posts with {:L} comments; {:L} pages of {} posts\n\n", database.posts(),
               database.comments(), pages_, kPage);
    fmt::print("{:30}{:>9}{:>9}{:>10}{:>9}{:>10}\n", "", "queries", "lookups", "computed", "calls",
               "ms");
  }

  void without_cache() {
    std::int64_t calls = 0;
    const auto load = [&](const Page& page) {
      std::vector<int> counts;
      for (const Post& post : page) counts.push_back(database_.comments_of(post.id));
      calls += std::ssize(page);
      return counts;
    };
    const Cost cost = measure(load);
    print("no cache", cost, 0, calls, calls);
  }
  void with_cache(std::string_view name, Comments& comments,
                  std::vector<int> (Comments::*load)(const Page&)) {
    const std::int64_t lookups = comments.lookups();
    const std::int64_t computed = comments.stats().computed;
    const std::int64_t calls = comments.calls();
    const Cost cost = measure([&](const Page& page) { return (comments.*load)(page); });
    print(name, cost, comments.lookups() - lookups, comments.stats().computed - computed,
          comments.calls() - calls);
    comments.flush();
  }

 private:
  struct Cost {
    std::int64_t queries = 0;
    double milliseconds = 0;
  };

  Cost measure(const std::function<std::vector<int>(const Page&)>& load) {
    const std::int64_t queries = database_.queries();
    const auto start = std::chrono::steady_clock::now();
    std::int64_t sum = 0;
    for (std::int64_t page = 0; page < pages_; ++page) {
      for (const int comments : load(database_.page(page * kPage, kPage))) sum += comments;
    }
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    if (sum_ != 0 && sum != sum_) throw std::runtime_error("wrong number of comments");
    sum_ = sum;
    return {database_.queries() - queries, time.count()};
  }
  static void print(std::string_view name, const Cost& cost, std::int64_t lookups,
                    std::int64_t computed, std::int64_t calls) {
    fmt::print("  {:<28}{:>9L}{:>9L}{:>10L}{:>9L}{:>10.1f}\n", name, cost.queries, lookups,
               computed, calls, cost.milliseconds);
  }

  Database& database_;
  std::int64_t pages_;
  std::int64_t sum_ = 0;
};

/// Threads that ask at the same time. If one of them computes a result, the others wait for it.
class Crowd {
 public:
  Crowd(const std::string& file, Database& database) : database_(database), cache_(file) {
    posts_.cache_calculation("comments", {});
  }

  /// Thread n asks for two pages, beginning with page n. Half of the posts are asked for twice.
  void ask(std::string_view title) {
    const ashmemo::Stats before = cache_.stats();
    std::vector<std::future<void>> threads;
    for (std::int64_t thread = 0; thread < kThreads; ++thread) {
      threads.push_back(std::async(std::launch::async, [this, thread] {
        Page page;
        for (std::int64_t i = 0; i < 2 * kPage; ++i) {
          page.push_back({(thread * kPage + i) % database_.posts(), ""});
        }
        (void)comments_(page);
      }));
    }
    for (std::future<void>& thread : threads) thread.get();
    const ashmemo::Stats after = cache_.stats();
    const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
    fmt::print("  {:<7}{:>8}{:>8}{:>10}{:>8}{:>8}{:>20}\n", title, kThreads * 2 * kPage,
               after.hits - before.hits, after.computed - before.computed,
               after.joined - before.joined, times_.size(),
               std::max_element(times_.begin(), times_.end(), by_count)->second);
  }

 private:
  std::vector<int> compute(ashmemo::Records<Post> batch) {
    // Waits until all threads have asked, as if this calculation took a long time.
    while (cache_.stats().misses < kThreads * 2 * kPage) std::this_thread::yield();
    const std::lock_guard lock(mutex_);  // the calculation runs on several threads at once
    std::vector<std::int64_t> ids;
    for (const Post& post : batch) {
      ids.push_back(post.id);
      ++times_[post.id];
    }
    return database_.comments_of(ids);
  }

  Database& database_;
  std::mutex mutex_;
  std::map<std::int64_t, int> times_;  ///< how often the result of each post was computed
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Post>& posts_ = registry_.resource<Post>("Post", &Post::id);
  ashmemo::Calculation<Post, int> comments_ = posts_.calculation(
      "comments", [this](ashmemo::Records<Post> batch) { return compute(batch); });
};

void run(std::int64_t posts) {
  const example::TemporaryDirectory directory;
  Database database(directory.file("blog.db"), posts);
  Comparison comparison(database);
  comparison.without_cache();
  Comments single(directory.file("single.cache.db"), database);
  comparison.with_cache("post by post, empty cache", single, &Comments::post_by_post);
  comparison.with_cache("post by post, again", single, &Comments::post_by_post);
  Comments batch(directory.file("batch.cache.db"), database);
  comparison.with_cache("whole pages, empty cache", batch, &Comments::whole_page);
  comparison.with_cache("whole pages, again", batch, &Comments::whole_page);

  fmt::print("\n{} threads ask at the same time for pages that overlap\n", kThreads);
  fmt::print("{:9}{:>8}{:>8}{:>10}{:>8}{:>8}{:>20}\n", "", "asked", "hits", "computed", "joined",
             "posts", "runs for one post");
  Crowd crowd(directory.file("crowd.cache.db"), database);
  crowd.ask("first");
  crowd.ask("again");
}

}  // namespace
}  // namespace n_plus_one

int main(int argc, char** argv) {
  CLI::App app("Counts the queries for pages of posts, without a cache and with one.",
               "n_plus_one");
  std::int64_t posts = 10'000;
  app.add_option("POSTS", posts, "number of posts (default: 10,000)")
      ->check(CLI::Range(std::int64_t{100}, std::int64_t{1'000'000}));
  return example::run_program(app, argc, argv, [&] { n_plus_one::run(posts); });
}
