#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/mutex.hpp"

namespace ashmemo::engine {

/// The rows that did not match their checksums when they were read. The worker reads them again and
/// removes those that still do not match.
///
/// Bounded: a row that finds no space here is found again by its next read. A rowid may mean
/// another row by the time the worker looks. That does no harm, because the worker checks that row
/// too.
///
/// Threads: any.
class SuspectRows {
 public:
  static constexpr std::size_t kMaxRows = 256;

  SuspectRows() { rows_.reserve(kMaxRows); }

  /// Returns true if the row is the first one; the caller must then wake the worker.
  bool add(std::int64_t rowid) noexcept {
    const base::Lock lock(mutex_);
    const bool is_known = std::find(rows_.begin(), rows_.end(), rowid) != rows_.end();
    if (is_known || rows_.size() == kMaxRows) return false;
    rows_.push_back(rowid);
    return rows_.size() == 1;
  }

  [[nodiscard]] bool empty() const {
    const base::Lock lock(mutex_);
    return rows_.empty();
  }

  [[nodiscard]] std::vector<std::int64_t> take() {
    std::vector<std::int64_t> next;
    next.reserve(kMaxRows);
    const base::Lock lock(mutex_);
    return std::exchange(rows_, std::move(next));
  }

 private:
  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  std::vector<std::int64_t> rows_ ASHMEMO_GUARDED_BY(mutex_);
};

}  // namespace ashmemo::engine
