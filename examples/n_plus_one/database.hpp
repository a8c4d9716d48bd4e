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

/// The application's own database of posts and comments. It counts its queries.
/// For one thread at a time.
class Database {
 public:
  /// Creates and fills the database. Shows the progress if the standard error is a terminal.
  Database(const std::string& file, std::int64_t posts);

  [[nodiscard]] std::int64_t posts() const { return posts_; }
  [[nodiscard]] std::int64_t comments() const { return 3 * posts_; }
  [[nodiscard]] std::int64_t queries() const { return queries_; }

  /// `count` posts, beginning with the id `from`.
  [[nodiscard]] std::vector<Post> page(std::int64_t from, std::int64_t count);
  /// The number of comments of one post.
  [[nodiscard]] int comments_of(std::int64_t post);
  /// The number of comments of each of these posts, in the same order. One query for all.
  [[nodiscard]] std::vector<int> comments_of(const std::vector<std::int64_t>& posts);

 private:
  void insert(std::int64_t from, std::int64_t to);

  SQLite::Database database_;
  std::int64_t posts_ = 0;
  std::int64_t queries_ = 0;
};

}  // namespace n_plus_one
