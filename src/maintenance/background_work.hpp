#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "maintenance/transaction.hpp"

// Work that no caller waits for, one bounded transaction a call.

namespace ashmemo::maintenance {

/// Writes what reads recorded: touches of rows, and the counters of calculations.
///
/// Touches are hints. Those of a failed transaction or of an unreadable row are lost, and counted.
/// Those that are not yet written stay in the access buffer, where the evictor finds them.
class AccessWriter {
 public:
  AccessWriter(engine::Engine& engine, Transactions& transactions)
      : engine_(engine), transactions_(transactions) {}

  /// One transaction of a round. A round writes all touches in the order of the rows, and then the
  /// counters. A row whose counters need another byte is written again with all of its value, so a
  /// transaction also ends when it reaches its limit in bytes. Sets `*more` if the round goes on.
  [[nodiscard]] base::Status write_some(store::Store& store, bool* more);
  /// The next transaction is the first one of a round.
  void start_over() noexcept { written_up_to_ = 0; }

 private:
  base::Status write_touches(store::Store& store, const std::vector<std::int64_t>& rows,
                             std::size_t* done);
  [[nodiscard]] bool take_next(const std::vector<std::int64_t>& rows, std::size_t* done,
                               std::vector<store::TouchRow>* taken);
  base::Status write_counters(store::Store& store);

  engine::Engine& engine_;
  Transactions& transactions_;
  std::int64_t written_up_to_ = 0;  // a rowid
};

/// Deletes rows that no read returns any more: expired entries, damaged entries, and the entries of
/// retired calculations (another version, or invalidated as a whole).
class Sweeper {
 public:
  Sweeper(engine::Engine& engine, Transactions& transactions)
      : engine_(engine), transactions_(transactions) {}

  /// Sets `*more` if more expired entries may remain.
  [[nodiscard]] base::Status expire_some(store::Store& store, bool* more);

  /// Deletes entries that were computed in the future; reads do not return them. Only a cache that
  /// has no eviction and no room calls this. Otherwise the entries stay, because they are valid
  /// again when a wrong clock is corrected. Sets `*more` if more such entries may remain.
  [[nodiscard]] base::Status expire_future(store::Store& store, bool* more);

  /// Reads the suspect rows again and deletes those that still do not match their checksums.
  [[nodiscard]] base::Status delete_damaged(store::Store& store);

  [[nodiscard]] bool has_retired() const { return engine_.catalog.retired_count() > 0; }
  /// Whether the walk must hurry, because more than 1,000 calculations are retired. Each of them is
  /// a row of the file, and one command adds one.
  [[nodiscard]] bool has_many_retired() const {
    return engine_.catalog.retired_count() > kManyRetired;
  }
  /// One step of a walk through the table.
  [[nodiscard]] base::Status delete_retired(store::Store& store);

 private:
  static constexpr std::size_t kManyRetired = 1'000;

  using Delete = std::function<base::Result<store::Writer::Due>(store::Writer&, int limit)>;
  [[nodiscard]] base::Status expire(store::Store& store, const Delete& remove, bool* more);
  void report_damaged(const std::string& key);
  base::Status begin_walk(store::Writer& writer, std::vector<store::CalculationRow>* unwritten);

  engine::Engine& engine_;
  Transactions& transactions_;
  std::weak_ptr<store::Store> future_store_;
  std::int64_t future_stamp_ = 0;             // expire_future has checked the rows up to this place
  std::int64_t future_now_ = 0;               // the time with which it has checked them
  std::weak_ptr<store::Store> walked_store_;  // empty: no walk has begun
  std::int64_t at_row_ = 0;
  std::vector<std::int64_t> walked_ids_;  // the calculations that were retired when it began
};

}  // namespace ashmemo::maintenance
