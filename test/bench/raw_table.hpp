#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace ashmemo::bench {

/// Writes the table of a cache file with plain SQLite, with the settings of the cache's writer.
class RawTable {
 public:
  explicit RawTable(const std::string& path);

  /// Writes a touch for each of these entries, in order, `in_a_transaction` per transaction.
  void touch(std::span<const std::size_t> hits, std::size_t in_a_transaction);
  /// The number of reads that the file has recorded, over all entries.
  [[nodiscard]] std::int64_t access_count();

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Close>;

  void require(bool done) const;
  void run(const char* sql);
  [[nodiscard]] Statement prepare(const char* sql);
  void run(const Statement& statement);

  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace ashmemo::bench
