#include "support/raw_database.hpp"

#include <doctest/doctest.h>

namespace ashmemo::test {

RawDatabase::RawDatabase(const std::string& path) {
  REQUIRE(sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK);
}

void RawDatabase::run(const std::string& sql) {
  const int rc = try_run(sql);
  INFO(sql << ": " << sqlite3_errmsg(handle_));
  REQUIRE(rc == SQLITE_OK);
}

int RawDatabase::try_run(const std::string& sql) noexcept {
  return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
}

std::int64_t RawDatabase::integer(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  REQUIRE(sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
  const int rc = sqlite3_step(statement);
  const std::int64_t answer = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_finalize(statement);
  INFO(sql);
  REQUIRE(rc == SQLITE_ROW);
  return answer;
}

std::string RawDatabase::rows(const std::string& sql) {
  std::string lines;
  const auto add_row = [](void* out, int columns, char** texts, char**) {
    auto& text = *static_cast<std::string*>(out);
    if (!text.empty()) text += '\n';
    for (int i = 0; i < columns; ++i) {
      if (i > 0) text += '|';
      if (texts[i] != nullptr) text += texts[i];
    }
    return 0;
  };
  const int rc = sqlite3_exec(handle_, sql.c_str(), add_row, &lines, nullptr);
  return rc == SQLITE_OK ? lines : std::string("error: ") + sqlite3_errmsg(handle_);
}

}  // namespace ashmemo::test
