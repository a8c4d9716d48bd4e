#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "maintenance/transaction.hpp"

namespace ashmemo::maintenance {

/// Deletes in the background what no longer answers: due entries, damaged ones, and those of
/// calculations whose version changed or that were invalidated as a whole. One bounded transaction a
/// call, until nothing is left.
class Sweeper {
 public:
  Sweeper(engine::Engine& engine, Transactions& transactions)
      : engine_(engine), transactions_(transactions) {}

  /// `*more`: there may be more.
  [[nodiscard]] base::Status expire_some(store::Store& store, bool* more);

  /// Removes the rows that did not match their checksums and still do not.
  [[nodiscard]] base::Status remove_damaged(store::Store& store);

  [[nodiscard]] bool has_retired() const { return engine_.catalog.has_retired(); }
  /// One step of a walk through the table.
  [[nodiscard]] base::Status remove_retired(store::Store& store);

 private:
  void tell_damaged(const std::string& key);
  base::Status begin_walk(store::Writer& writer);

  engine::Engine& engine_;
  Transactions& transactions_;
  std::weak_ptr<store::Store> walking_in_;  // empty: no walk is under way
  std::int64_t at_row_ = 0;
  std::vector<std::int64_t> round_;  // the ids that were retired when the walk began
};

}  // namespace ashmemo::maintenance
