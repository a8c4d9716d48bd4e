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

/// What the readers and the writer of one file know of each other.
class RawReaders {
 public:
  void add(RawReader* reader);
  void remove(RawReader* reader);
  /// All end the transactions that they have open. Waits for those that are reading right now.
  void let_go();

 private:
  std::mutex mutex_;
  std::vector<RawReader*> all_;
};

/// Plain SQLite on one connection that reads, in a transaction that stays open until the writer has
/// committed something.
class RawReader final : public Reader {
 public:
  RawReader(const std::string& path, std::int64_t page_cache_bytes, RawReaders& readers);
  ~RawReader() override;

  std::optional<std::string> get(std::string_view key) override;
  /// Neighbours in the index share pages, so the keys are visited in their order.
  Values get_many(std::span<const std::string_view> keys) override;
  void let_go();

 private:
  void use_snapshot_locked();
  std::optional<std::string> look_up_locked(std::string_view key, std::int64_t now);

  RawReaders& readers_;
  std::mutex mutex_;  // guards all below; hardly ever waited for
  SqliteConnection connection_;
  bool holds_ = false;
  std::vector<std::uint32_t> order_;
  SqliteStatement begin_{connection_.get(), "BEGIN"};
  SqliteStatement end_{connection_.get(), "COMMIT"};
  SqliteStatement find_{
      connection_.get(),
      "SELECT computed_at, expires_at, value FROM cache_entries WHERE cache_key = ?1"};
};

}  // namespace ashmemo::bench
