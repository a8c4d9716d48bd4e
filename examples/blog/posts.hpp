#pragma once

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace blog {

struct Post {
  std::int64_t id = 0;
  std::string title;
  std::string content;
  std::int64_t updated_at = 0;  ///< counts the changes of the post
};

/// The application's own database. The cache knows nothing of it.
class Posts {
 public:
  explicit Posts(const std::string& file);

  void add(std::string_view title, std::string_view content);
  void edit(std::int64_t id, std::string_view content);
  /// All posts, the oldest first.
  [[nodiscard]] std::vector<Post> all() const;

 private:
  SQLite::Database database_;
};

}  // namespace blog
