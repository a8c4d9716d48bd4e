#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ashmemo::bench {

/// A prepared statement. A bound text must stay valid until the statement is reset.
class SqliteStatement {
 public:
  SqliteStatement(sqlite3* database, const char* sql);

  void bind(int at, std::string_view text) {
    sqlite3_bind_text(get(), at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
  void bind(int at, std::int64_t number) { sqlite3_bind_int64(get(), at, number); }
  /// Returns whether there is a row. Throws on an error.
  [[nodiscard]] bool step();
  void reset() { sqlite3_reset(get()); }
  /// Runs a statement that returns no rows.
  void run();
  [[nodiscard]] std::int64_t integer(int column) { return sqlite3_column_int64(get(), column); }
  [[nodiscard]] std::string_view text(int column);

 private:
  struct Close {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  [[nodiscard]] sqlite3_stmt* get() const { return statement_.get(); }
  std::unique_ptr<sqlite3_stmt, Close> statement_;
};

/// A connection with the same settings as the connections of a cache.
class SqliteConnection {
 public:
  SqliteConnection(const std::string& path, std::int64_t page_cache_bytes);

  [[nodiscard]] sqlite3* get() const { return database_.get(); }
  void run(const std::string& sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace ashmemo::bench
