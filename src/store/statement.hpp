#pragma once

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

#include <ashmemo/value.hpp>
#include <cstdint>
#include <memory>
#include <string_view>

namespace ashmemo::store {

/// A statement that is prepared at its first use and then kept.
///
/// It replaces SQLite::Statement, which binds text only through std::string, copies a shared
/// pointer for each column, and hides its handle. Errors are SQLite::Exception, too.
///
/// Bound text and blobs are not copied: they must exist until the statement is reset. Every
/// parameter is bound again before each run. Use it through StatementUse, which resets it.
class Statement {
 public:
  explicit Statement(const char* sql) noexcept : sql_(sql) {}

  [[nodiscard]] const char* sql() const noexcept { return sql_; }
  /// Prepares the statement if necessary.
  Statement& on(SQLite::Database& database) {
    if (!handle_) prepare(database);
    return *this;
  }

  void bind(int index, std::int64_t value) { check(sqlite3_bind_int64(get(), index, value)); }
  void bind_null(int index) { check(sqlite3_bind_null(get(), index)); }
  void bind_text(int index, std::string_view text) {
    check(sqlite3_bind_text64(get(), index, some(text), text.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  void bind_value(int index, ValueView value);

  /// Returns true if there is a row, false at the end.
  bool step() {
    const int rc = sqlite3_step(get());
    if (rc == SQLITE_ROW) return true;
    if (rc == SQLITE_DONE) return false;
    fail(rc);
  }
  /// Runs a statement that returns no rows.
  void run() {
    while (step()) {
    }
  }
  /// The same as step, but returns the result code.
  [[nodiscard]] int try_step() noexcept { return sqlite3_step(get()); }
  void reset() noexcept { sqlite3_reset(get()); }

  // Columns of the current row. Views are valid until the next step or reset.
  [[nodiscard]] bool is_null(int column) const noexcept {
    return sqlite3_column_type(get(), column) == SQLITE_NULL;
  }
  [[nodiscard]] std::int64_t integer(int column) const noexcept {
    return sqlite3_column_int64(get(), column);
  }
  [[nodiscard]] std::string_view text(int column) const noexcept { return bytes(column); }
  [[nodiscard]] ValueView value(int column) const noexcept;

  /// The exception for a result code of this statement.
  [[noreturn]] void fail(int rc) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const noexcept { sqlite3_finalize(handle); }
  };

  // SQLite takes a null pointer for NULL, whatever the size.
  static const char* some(std::string_view bytes) noexcept {
    return bytes.data() == nullptr ? "" : bytes.data();
  }

  [[nodiscard]] sqlite3_stmt* get() const noexcept { return handle_.get(); }
  // Reads text as a blob, which gives the same bytes without a terminator. Reads the length first,
  // because in a file that is not UTF-8 that call converts and moves the bytes.
  [[nodiscard]] std::string_view bytes(int column) const noexcept {
    const int length = sqlite3_column_bytes(get(), column);
    const auto* data = static_cast<const char*>(sqlite3_column_blob(get(), column));
    if (data == nullptr || length <= 0) return "";
    return {data, static_cast<std::size_t>(length)};
  }
  void check(int rc) const {
    if (rc != SQLITE_OK) fail(rc);
  }
  void prepare(SQLite::Database& database);

  const char* sql_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// One run of a statement. Resets it at the end, so that no open SELECT keeps its snapshot.
class StatementUse {
 public:
  StatementUse(Statement& statement, SQLite::Database& database)
      : statement_(statement.on(database)) {}
  ~StatementUse() { statement_.reset(); }
  StatementUse(const StatementUse&) = delete;
  StatementUse& operator=(const StatementUse&) = delete;

  Statement* operator->() noexcept { return &statement_; }
  Statement& operator*() noexcept { return statement_; }

 private:
  Statement& statement_;
};

}  // namespace ashmemo::store
