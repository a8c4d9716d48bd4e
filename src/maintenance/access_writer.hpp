#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.hpp"
#include "maintenance/transaction.hpp"

namespace ashmemo::maintenance {

/// Writes down what reads left behind: touches of rows, and the counters of calculations.
class AccessWriter {
 public:
  AccessWriter(engine::Engine& engine, Transactions& transactions)
      : engine_(engine), transactions_(transactions) {}

  /// One transaction of a round: a round writes what is marked in the order of the rows, then the
  /// counters. A row whose counters get longer is written again with all of its value, so a
  /// transaction ends where large rows have filled it. `*more`: the round is not over. Marks are
  /// hints: those that fail on the way are lost, and counted. Those that wait for their turn stay
  /// where eviction finds them.
  [[nodiscard]] base::Status write_some(store::Store& store, bool* more);
  /// The next transaction is the first of a round.
  void start_over() noexcept { written_up_to_ = 0; }

 private:
  base::Status write_touches(store::Store& store, const std::vector<std::int64_t>& rows,
                             std::size_t* done);
  base::Status write_counters(store::Store& store);

  engine::Engine& engine_;
  Transactions& transactions_;
  std::int64_t written_up_to_ = 0;  // a rowid
};

}  // namespace ashmemo::maintenance
