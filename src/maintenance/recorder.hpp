#pragma once

#include "engine/engine.hpp"
#include "maintenance/transaction.hpp"

namespace ashmemo::maintenance {

/// Writes down what reads left behind: touches of rows, and the counters of calculations.
class Recorder {
 public:
  Recorder(engine::Engine& engine, Transactions& transactions)
      : engine_(engine), transactions_(transactions) {}

  /// Writes all marks and counters. Marks are hints: those that fail on the way are lost, and
  /// counted.
  [[nodiscard]] base::Status write_all(store::Store& store);

 private:
  base::Status write_touches(store::Store& store);
  base::Status write_counters(store::Store& store);

  engine::Engine& engine_;
  Transactions& transactions_;
};

}  // namespace ashmemo::maintenance
