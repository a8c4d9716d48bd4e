#include "database.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "../common/terminal.hpp"

namespace n_plus_one {

Database::Database(const std::string& file, std::int64_t posts)
    : database_(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE), posts_(posts) {
  constexpr std::int64_t kPerTransaction = 10'000;
  const bool shows_progress = example::is_terminal(STDERR_FILENO);
  database_.exec(
      "PRAGMA synchronous = OFF;"
      "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL);"
      "CREATE TABLE comments (id INTEGER PRIMARY KEY, post INTEGER NOT NULL, text TEXT NOT NULL)");
  for (std::int64_t from = 0; from < posts; from += kPerTransaction) {
    insert(from, std::min(from + kPerTransaction, posts));
    if (shows_progress) fmt::print(stderr, "\rposts written: {:L} of {:L}", from, posts);
  }
  if (shows_progress) fmt::print(stderr, "\r\033[K");  // clears the line
  database_.exec("CREATE INDEX comments_post ON comments (post)");
}

void Database::insert(std::int64_t from, std::int64_t to) {
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
    comment.bind(1, id * id % to);  // some posts get many comments, some get none
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
