#include "bench/raw_table.hpp"

#include <algorithm>
#include <stdexcept>

#include <ashmemo/clock.hpp>

#include "bench/entries.hpp"

namespace ashmemo::bench {

RawTable::RawTable(const std::string& path) {
  sqlite3* opened = nullptr;
  const int rc = sqlite3_open(path.c_str(), &opened);
  database_.reset(opened);
  require(rc == SQLITE_OK);
  require(sqlite3_db_config(opened, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr) == SQLITE_OK);
  run("PRAGMA synchronous=NORMAL; PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY;"
      "PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=4194304");
}

void RawTable::touch(std::span<const std::size_t> hits, std::size_t in_a_transaction) {
  const Statement begin = prepare("BEGIN IMMEDIATE");
  const Statement commit = prepare("COMMIT");
  const Statement update = prepare(
      "UPDATE cache_entries SET accessed_at = max(accessed_at, ?2),"
      " access_count = access_count + 1 WHERE cache_key = ?1");
  const auto clock = system_clock();
  while (!hits.empty()) {
    const auto some = hits.first(std::min(hits.size(), in_a_transaction));
    hits = hits.subspan(some.size());
    run(begin);
    for (const std::size_t hit : some) {
      const std::string key = key_of(hit);
      sqlite3_bind_text(update.get(), 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
      sqlite3_bind_int64(update.get(), 2, clock->wall_now());
      run(update);
    }
    run(commit);
  }
}

std::int64_t RawTable::access_count() {
  const Statement sum = prepare("SELECT sum(access_count) FROM cache_entries");
  require(sqlite3_step(sum.get()) == SQLITE_ROW);
  return sqlite3_column_int64(sum.get(), 0);
}

void RawTable::require(bool done) const {
  if (!done) throw std::runtime_error(sqlite3_errmsg(database_.get()));
}

void RawTable::run(const char* sql) {
  require(sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK);
}

RawTable::Statement RawTable::prepare(const char* sql) {
  sqlite3_stmt* prepared = nullptr;
  require(sqlite3_prepare_v2(database_.get(), sql, -1, &prepared, nullptr) == SQLITE_OK);
  return Statement(prepared);
}

void RawTable::run(const Statement& statement) {
  const int rc = sqlite3_step(statement.get());
  sqlite3_reset(statement.get());
  require(rc == SQLITE_DONE);
}

}  // namespace ashmemo::bench
