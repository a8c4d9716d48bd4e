#include "bench/suite/sqlite_connection.hpp"

#include <stdexcept>

#include <fmt/format.h>

namespace ashmemo::bench {
namespace {

[[noreturn]] void fail(sqlite3* database) { throw std::runtime_error(sqlite3_errmsg(database)); }

}  // namespace

SqliteStatement::SqliteStatement(sqlite3* database, const char* sql) {
  sqlite3_stmt* prepared = nullptr;
  const int rc =
      sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  statement_.reset(prepared);
  if (rc != SQLITE_OK) fail(database);
}

bool SqliteStatement::step() {
  const int rc = sqlite3_step(get());
  if (rc == SQLITE_ROW) return true;
  if (rc != SQLITE_DONE) fail(sqlite3_db_handle(get()));
  return false;
}

void SqliteStatement::run() {
  (void)step();
  reset();
}

std::string_view SqliteStatement::text(int column) {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(get(), column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(get(), column))};
}

SqliteConnection::SqliteConnection(const std::string& path, std::int64_t page_cache_bytes) {
  sqlite3* opened = nullptr;
  const int rc = sqlite3_open_v2(
      path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
      nullptr);
  database_.reset(opened);
  if (rc != SQLITE_OK) fail(opened);
  sqlite3_busy_timeout(opened, 10'000);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_wal_autocheckpoint(opened, 0);
  run(
      fmt::format("PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
                  "PRAGMA cache_size=-{}; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=OFF;"
                  "PRAGMA journal_size_limit=4194304",
                  page_cache_bytes / 1024));
}

void SqliteConnection::run(const std::string& sql) {
  if (sqlite3_exec(get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(get());
}

}  // namespace ashmemo::bench
