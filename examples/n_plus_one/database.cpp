#include "database.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <map>

#include "../grouped.hpp"
#include "../terminal.hpp"

namespace n_plus_one {
namespace {

constexpr std::int64_t kTogether = 10'000;  // posts in one transaction

/// A line that is written over, where somebody is looking.
void show_progress(std::int64_t done, std::int64_t all) {
  if (!example::is_terminal(STDERR_FILENO)) return;
  constexpr std::int64_t kWidth = 40;
  const auto full = static_cast<std::size_t>(kWidth * done / all);
  fmt::print(stderr, "\rseeding [{:<40}] {} posts", std::string(full, '#'), example::grouped(done));
  if (done == all) fmt::print(stderr, "\r\033[K");
}

}  // namespace

Database::Database(const std::string& file)
    : database_(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
  database_.exec(
      "PRAGMA synchronous = OFF;"
      "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL);"
      "CREATE TABLE comments (id INTEGER PRIMARY KEY, post INTEGER NOT NULL, text TEXT NOT NULL)");
}

void Database::seed(std::int64_t posts) {
  for (std::int64_t from = 0; from < posts; from += kTogether) {
    seed_posts(from, std::min(from + kTogether, posts));
    show_progress(std::min(from + kTogether, posts), posts);
  }
  database_.exec("CREATE INDEX comments_post ON comments (post)");
  posts_ = posts;
}

void Database::seed_posts(std::int64_t from, std::int64_t to) {
  SQLite::Transaction transaction(database_);
  SQLite::Statement post(database_, "INSERT INTO posts VALUES (?, ?)");
  SQLite::Statement comment(database_, "INSERT INTO comments (post, text) VALUES (?, 'I think')");
  for (std::int64_t id = from; id < to; ++id) {
    post.bind(1, id);
    post.bind(2, fmt::format("Post {}", id));
    post.exec();
    post.reset();
  }
  for (std::int64_t id = 3 * from; id < 3 * to; ++id) {
    comment.bind(1, id * id % to);  // some posts have many, some have none
    comment.exec();
    comment.reset();
  }
  transaction.commit();
}

std::vector<Post> Database::page(std::int64_t from, std::int64_t count) {
  ++queries_;
  SQLite::Statement query(database_,
                          "SELECT id, title FROM posts WHERE id >= ? ORDER BY id LIMIT ?");
  query.bind(1, from);
  query.bind(2, count);
  std::vector<Post> page;
  while (query.executeStep()) page.push_back({query.getColumn(0), query.getColumn(1)});
  return page;
}

int Database::comments_of(std::int64_t post) {
  ++queries_;
  SQLite::Statement query(database_, "SELECT count(*) FROM comments WHERE post = ?");
  query.bind(1, post);
  query.executeStep();
  return query.getColumn(0);
}

std::vector<int> Database::comments_of(const std::vector<std::int64_t>& posts) {
  ++queries_;
  SQLite::Statement query(database_,
                          "SELECT post, count(*) FROM comments"
                          " WHERE post IN (SELECT value FROM json_each(?)) GROUP BY post");
  query.bind(1, fmt::format("[{}]", fmt::join(posts, ",")));
  std::map<std::int64_t, int> found;
  while (query.executeStep()) found[query.getColumn(0)] = query.getColumn(1);
  std::vector<int> counts;
  for (const std::int64_t post : posts) counts.push_back(found[post]);
  return counts;
}

}  // namespace n_plus_one
