#pragma once

#include <sqlite3.h>

#include <cstdint>

namespace ashmemo::test {

/// Counts the transactions on databases in WAL mode while it lives, by the locks that SQLite takes
/// for them: for connections opened meanwhile. One at a time.
class TransactionCounter {
 public:
  TransactionCounter();
  ~TransactionCounter();
  TransactionCounter(const TransactionCounter&) = delete;
  TransactionCounter& operator=(const TransactionCounter&) = delete;

  /// Snapshots taken. A write transaction takes one, too.
  [[nodiscard]] std::int64_t reads() const noexcept;
  [[nodiscard]] std::int64_t writes() const noexcept;

 private:
  sqlite3_vfs vfs_;
};

}  // namespace ashmemo::test
