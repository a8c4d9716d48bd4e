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

/// A store in a directory of its own, with a clock that stands still. At the end it checks that the
/// file is whole and that its totals are those of its rows.
class StoreFixture {
 public:
  StoreFixture();
  ~StoreFixture();
  StoreFixture(const StoreFixture&) = delete;
  StoreFixture& operator=(const StoreFixture&) = delete;

  [[nodiscard]] store::Store& store() { return *store_; }
  [[nodiscard]] store::Writer& writer() { return *store_->writer(); }
  /// Another program's connection.
  [[nodiscard]] RawDatabase& raw();
  void close();
  void reopen();
  /// The totals as the file keeps them, and as its rows add up.
  [[nodiscard]] std::string kept_totals();
  [[nodiscard]] std::string counted_totals();

  /// Runs a transaction; everything in it must succeed.
  void transaction(const std::function<void(store::Writer&)>& body, bool synced = false);
  /// Puts entries, in one transaction.
  void put(const std::vector<std::pair<std::string, std::string>>& entries);
  /// Says that the rows were changed in a way that does not keep the totals.
  void expect_wrong_totals() { totals_are_right_ = false; }
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

/// A row that costs 100 bytes and never expires.
[[nodiscard]] store::PutRow row_of(std::string_view key, ValueView value, std::int64_t stamp);

/// Keeps what Store::read delivers, copied.
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
  void row(std::size_t index, const store::RowView& row) noexcept override;

  std::map<std::size_t, Row> rows;
};

/// Looks the keys up; the index is the place in `keys`.
[[nodiscard]] std::map<std::size_t, CollectingSink::Row> read_rows(
    store::Store& store, const std::vector<std::string>& keys);
/// The value of one key; nullopt: there is no such row.
[[nodiscard]] std::optional<Value> read_value(store::Store& store, const std::string& key);

/// "key 1000000" and so on: in order.
[[nodiscard]] std::string numbered_key(int i);

}  // namespace ashmemo::test
