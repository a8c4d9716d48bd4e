#include "levels.hpp"

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../common/terminal.hpp"

namespace blog {
namespace {

struct Author {
  std::int64_t id = 0;
  std::int64_t posts_so_far = 0;
};
struct Article {
  std::int64_t id = 0;
  std::int64_t readers = 0;
  const Author* author = nullptr;
};
struct Feed {
  std::int64_t id = 0;
  std::vector<Article> articles;
};
/// Part of a series. Its number is one more than that of the part before.
struct Part {
  std::int64_t id = 0;
  const Part* before = nullptr;
};

using Numbers = std::vector<std::int64_t>;

/// The reach of a feed needs the reach of its articles, which needs the bonus of their authors.
/// Each of these calculations takes a batch and asks for the whole batch of the level below.
struct Feeds {
  explicit Feeds(const std::string& file) : cache(file) {
    authors.cache_calculation("bonus", {});
    articles.cache_calculation("reach", {});
    feeds.cache_calculation("reach", {});
    parts.cache_calculation("number", {});
  }

  static Numbers compute_bonus(ashmemo::Records<Author> batch) {
    fmt::print("  bonus of authors: records {}\n", batch.size());
    Numbers percents;
    for (const Author& author : batch) percents.push_back(author.posts_so_far >= 10 ? 10 : 0);
    return percents;
  }
  [[nodiscard]] Numbers compute_article_reach(ashmemo::Records<Article> batch) const {
    std::vector<const Author*> of_batch;
    for (const Article& article : batch) of_batch.push_back(article.author);
    const Numbers percents = bonus(of_batch);  // computed once for each author
    fmt::print("  reach of articles: records {}\n", batch.size());
    Numbers reach;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      reach.push_back(batch[i].readers * (100 + percents[i]) / 100);
    }
    return reach;
  }
  [[nodiscard]] Numbers compute_feed_reach(ashmemo::Records<Feed> batch) const {
    std::vector<const Article*> of_batch;
    for (const Feed& feed : batch) {
      for (const Article& article : feed.articles) of_batch.push_back(&article);
    }
    const Numbers reach = article_reach(of_batch);
    fmt::print("  reach of feeds: records {}\n", batch.size());
    Numbers sums;
    auto next = reach.begin();
    for (const Feed& feed : batch) {
      sums.push_back(0);
      for (std::size_t i = 0; i < feed.articles.size(); ++i) sums.back() += *next++;
    }
    return sums;
  }
  [[nodiscard]] int compute_number(const Part& part) const {
    return part.before == nullptr ? 1 : number(*part.before) + 1;
  }

  void load(const std::vector<Feed>& page) const {
    const ashmemo::Stats before = cache.stats();
    const Numbers reach = feed_reach(page);
    const ashmemo::Stats after = cache.stats();
    fmt::print("  reach {}: hits {}, misses {}\n", fmt::join(reach, " "), after.hits - before.hits,
               after.misses - before.misses);
  }

  ashmemo::Cache cache;
  ashmemo::Registry registry{cache};
  ashmemo::Resource<Author>& authors = registry.resource<Author>("Author", &Author::id);
  ashmemo::Resource<Article>& articles = registry.resource<Article>("Article", &Article::id);
  ashmemo::Resource<Feed>& feeds = registry.resource<Feed>("Feed", &Feed::id);
  ashmemo::Resource<Part>& parts = registry.resource<Part>("Part", &Part::id);
  ashmemo::Calculation<Author, std::int64_t> bonus = authors.calculation("bonus", compute_bonus);
  ashmemo::Calculation<Article, std::int64_t> article_reach = articles.calculation(
      "reach", [this](ashmemo::Records<Article> batch) { return compute_article_reach(batch); });
  ashmemo::Calculation<Feed, std::int64_t> feed_reach = feeds.calculation(
      "reach", [this](ashmemo::Records<Feed> batch) { return compute_feed_reach(batch); });
  ashmemo::Calculation<Part, int> number =
      parts.calculation("number", [this](const Part& part) { return compute_number(part); });
};

}  // namespace

void show_levels(const std::string& cache_file) {
  const Feeds feeds(cache_file);
  const Author regular{1, 12};
  const Author recent{2, 1};
  const std::vector<Feed> page = {{1, {{1, 100, &regular}, {2, 20, &regular}}},
                                  {2, {{3, 80, &regular}}},
                                  {3, {{4, 30, &recent}, {5, 10, &recent}}}};
  fmt::print("\nThree levels of calculations: one lookup and one batch for each level\n");
  feeds.load(page);
  fmt::print("Again: the results of the highest level are enough\n");
  feeds.load(page);

  fmt::print("Part 2 of a series; then two parts that each come after the other\n");
  const Part first{1};
  fmt::print("  part {}\n", feeds.number(Part{2, &first}));
  Part third{3};
  const Part fourth{4, &third};
  third.before = &fourth;
  try {
    (void)feeds.number(third);
  } catch (const ashmemo::Error& error) {  // its message contains the path of the cycle
    fmt::print("  error {}:\n{}", to_string(error.code()), example::wrapped(error.what()));
  }
}

}  // namespace blog
