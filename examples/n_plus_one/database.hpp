#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string>
#include <vector>

namespace n_plus_one {

struct Post {
  std::int64_t id = 0;
  std::string title;
};

/// The application's own database of posts and comments, which counts its queries.
class Database {
 public:
  explicit Database(const std::string& file);

  /// Fills it, with a progress bar on a terminal.
  void seed(std::int64_t posts);
  [[nodiscard]] std::int64_t posts() const { return posts_; }
  [[nodiscard]] std::int64_t comments() const { return 3 * posts_; }
  [[nodiscard]] std::int64_t queries() const { return queries_; }

  [[nodiscard]] std::vector<Post> page(std::int64_t from, std::int64_t count);
  /// How many comments a post has.
  [[nodiscard]] int comments_of(std::int64_t post);
  /// As above for many posts in one query, in the order asked.
  [[nodiscard]] std::vector<int> comments_of(const std::vector<std::int64_t>& posts);

 private:
  void seed_posts(std::int64_t from, std::int64_t to);

  SQLite::Database database_;
  std::int64_t posts_ = 0;
  std::int64_t queries_ = 0;
};

}  // namespace n_plus_one
