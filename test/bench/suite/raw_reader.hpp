#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/suite/sqlite_connection.hpp"
#include "bench/suite/system.hpp"

namespace ashmemo::bench {

class RawReader;

/// All readers of one file. The writer uses it to end their transactions.
class RawReaders {
 public:
  void add(RawReader* reader);
  void remove(RawReader* reader);
  /// Ends the open transactions of all readers. Waits for the reads that are running.
  void end_transactions();

 private:
  std::mutex mutex_;
  std::vector<RawReader*> all_;
};

/// Plain SQLite on one connection that reads. Its transaction stays open until the writer commits.
class RawReader final : public Reader {
 public:
  RawReader(const std::string& path, std::int64_t page_cache_bytes, RawReaders& readers);
  ~RawReader() override;

  std::optional<std::string> get(std::string_view key) override;
  /// Visits the keys in sorted order, because neighbours in the index share pages.
  Values get_many(std::span<const std::string_view> keys) override;
  void end_transaction();

 private:
  void use_snapshot_locked();
  std::optional<std::string> look_up_locked(std::string_view key, std::int64_t now);

  RawReaders& readers_;
  std::mutex mutex_;  // guards all members below; rarely contended
  SqliteConnection connection_;
  bool in_transaction_ = false;
  std::vector<std::uint32_t> order_;
  SqliteStatement begin_{connection_.get(), "BEGIN"};
  SqliteStatement end_{connection_.get(), "COMMIT"};
  SqliteStatement find_{
      connection_.get(),
      "SELECT computed_at, expires_at, value FROM cache_entries WHERE cache_key = ?1"};
};

}  // namespace ashmemo::bench
