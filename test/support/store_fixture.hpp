#pragma once

#include <ashmemo/clock.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/open.hpp"
#include "store/store.hpp"
#include "support/raw_database.hpp"
#include "support/temp_dir.hpp"

namespace ashmemo::test {

/// A store in its own directory, with a manual clock. The destructor checks that the file is intact
/// and that its totals match its rows.
class StoreFixture {
 public:
  StoreFixture();
  ~StoreFixture();
  StoreFixture(const StoreFixture&) = delete;
  StoreFixture& operator=(const StoreFixture&) = delete;

  [[nodiscard]] store::Store& store() { return *store_; }
  [[nodiscard]] store::Writer& writer() { return *store_->writer(); }
  /// A connection of plain SQLite to the file, as another program would have.
  [[nodiscard]] RawDatabase& raw();
  void close();
  void reopen();
  /// The totals that the file stores, and the totals counted from its rows.
  [[nodiscard]] std::string kept_totals();
  [[nodiscard]] std::string counted_totals();

  /// Runs `body` in a transaction. Ends the test if begin or commit fails.
  void transaction(const std::function<void(store::Writer&)>& body, bool synced = false);
  /// Puts entries in one transaction.
  void put(const std::vector<std::pair<std::string, std::string>>& entries);
  /// Turns off the check of the totals, because the test changes rows without updating them.
  void expect_wrong_totals() { totals_are_right_ = false; }
  /// Turns off all checks, because the test damages the file.
  void expect_damage() { whole_ = totals_are_right_ = false; }

  TempDir dir;
  const std::string path = dir.path("cache.db");
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  store::OpenOptions options;
  std::int64_t last_stamp = 0;

 private:
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<RawDatabase> raw_;
  bool totals_are_right_ = true;
  bool whole_ = true;
};

/// A row with a size of 100 bytes that never expires.
[[nodiscard]] store::PutRow row_of(std::string_view key, ValueView value, std::int64_t stamp);

/// Keeps copies of the rows that Store::read delivers.
class CollectingSink : public store::RowSink {
 public:
  struct Row {
    std::int64_t rowid = 0;
    store::Deadlines deadlines;
    std::int64_t calculation_id = 0;
    Value record_version;
    std::int64_t cost_us = 0;
    Value value;
  };
  void row(std::size_t index, const store::EntryView& row) noexcept override;

  std::map<std::size_t, Row> rows;
};

/// The index of a look-up is the position of its key in `keys`, which must exist longer.
[[nodiscard]] std::vector<store::Lookup> lookups_of(const std::vector<std::string>& keys);
/// Reads the keys. The index of a row is the position of its key in `keys`.
[[nodiscard]] std::map<std::size_t, CollectingSink::Row> read_rows(
    store::Store& store, const std::vector<std::string>& keys);
/// The value of one key; nullopt if there is no row.
[[nodiscard]] std::optional<Value> read_value(store::Store& store, const std::string& key);

/// "key 1000000" + i, so that the keys sort by number.
[[nodiscard]] std::string numbered_key(int i);

}  // namespace ashmemo::test
