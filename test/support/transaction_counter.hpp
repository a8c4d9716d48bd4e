#pragma once

#include <sqlite3.h>

#include <cstdint>

namespace ashmemo::test {

/// Counts transactions on databases in WAL mode, by the locks that SQLite takes for them. It counts
/// on connections that are opened while it exists. Only one may exist at a time.
class TransactionCounter {
 public:
  TransactionCounter();
  ~TransactionCounter();
  TransactionCounter(const TransactionCounter&) = delete;
  TransactionCounter& operator=(const TransactionCounter&) = delete;

  /// The number of snapshots. A write transaction also takes one.
  [[nodiscard]] std::int64_t reads() const noexcept;
  [[nodiscard]] std::int64_t writes() const noexcept;

 private:
  sqlite3_vfs vfs_;
};

}  // namespace ashmemo::test
