#include "posts.hpp"

#include <SQLiteCpp/Statement.h>

namespace blog {

Posts::Posts(const std::string& file)
    : database_(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
  database_.exec(
      "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL, content TEXT NOT NULL,"
      " updated_at INTEGER NOT NULL DEFAULT 1)");
}

void Posts::add(std::string_view title, std::string_view content) {
  SQLite::Statement insert(database_, "INSERT INTO posts (title, content) VALUES (?, ?)");
  insert.bind(1, std::string(title));
  insert.bind(2, std::string(content));
  insert.exec();
}

void Posts::edit(std::int64_t id, std::string_view content) {
  SQLite::Statement update(
      database_, "UPDATE posts SET content = ?, updated_at = updated_at + 1 WHERE id = ?");
  update.bind(1, std::string(content));
  update.bind(2, id);
  update.exec();
}

std::vector<Post> Posts::all() const {
  SQLite::Statement query(database_,
                          "SELECT id, title, content, updated_at FROM posts ORDER BY id");
  std::vector<Post> posts;
  while (query.executeStep()) {
    posts.push_back({.id = query.getColumn(0).getInt64(),
                     .title = query.getColumn(1).getString(),
                     .content = query.getColumn(2).getString(),
                     .updated_at = query.getColumn(3).getInt64()});
  }
  return posts;
}

}  // namespace blog
