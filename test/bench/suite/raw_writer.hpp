#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bench/suite/raw_reader.hpp"
#include "bench/suite/sqlite_connection.hpp"

namespace ashmemo::bench {

/// Plain SQLite on one connection that writes, kBatch rows per transaction. Used by one thread at a
/// time.
class RawWriter {
 public:
  RawWriter(const std::string& path, const Setup& setup, RawReaders& readers);
  ~RawWriter() { commit(); }
  RawWriter(const RawWriter&) = delete;
  RawWriter& operator=(const RawWriter&) = delete;

  void put(std::string_view key, std::string_view value);
  void touch(std::string_view key);
  void commit();
  [[nodiscard]] std::int64_t count();
  [[nodiscard]] std::int64_t commits() const { return commits_; }

 private:
  void begin();
  void end_row();
  void evict(std::int64_t rows);
  void write_totals();
  void checkpoint();

  RawReaders& readers_;
  SqliteConnection connection_;
  int log_frames_ = 0;  // frames in the write-ahead log
  std::int64_t max_entries_ = INT64_MAX;
  std::int64_t entries_ = 0;
  std::int64_t stamp_ = 0;
  std::int64_t commits_ = 0;
  std::size_t rows_ = 0;  // in the open transaction
  SqliteStatement begin_{connection_.get(), "BEGIN IMMEDIATE"};
  SqliteStatement commit_{connection_.get(), "COMMIT"};
  SqliteStatement upsert_{
      connection_.get(),
      "INSERT INTO cache_entries (cache_key, byte_size, inserted_at, computed_at, expires_at,"
      " accessed_at, eviction_queue, value) VALUES (?1, ?2, ?3, ?4, ?5, ?3, 1, ?6)"
      " ON CONFLICT (cache_key) DO UPDATE SET byte_size = ?2, inserted_at = ?3, computed_at = ?4,"
      " expires_at = ?5, accessed_at = ?3, value = ?6"};
  SqliteStatement touch_{connection_.get(),
                         "UPDATE cache_entries SET accessed_at = max(accessed_at, ?2),"
                         " access_count = access_count + 1 WHERE cache_key = ?1"};
  SqliteStatement evict_{
      connection_.get(),
      "DELETE FROM cache_entries WHERE rowid IN"
      " (SELECT rowid FROM cache_entries INDEXED BY cache_entries_inserted_at_accessed_at"
      " ORDER BY inserted_at, accessed_at LIMIT ?1)"};
  SqliteStatement totals_{connection_.get(),
                          "UPDATE cache_totals SET entries = ?1, bytes = ?2,"
                          " probation_entries = ?1, probation_bytes = ?2, last_stamp = ?3"};
  SqliteStatement count_{connection_.get(), "SELECT entries, bytes FROM cache_totals"};
};

}  // namespace ashmemo::bench
