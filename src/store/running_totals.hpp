#pragma once

#include <cstdint>

#include "store/rows.hpp"

namespace ashmemo::store {

/// The totals of the file, as the writer keeps them during a transaction. Threads: one at a time.
class RunningTotals {
 public:
  [[nodiscard]] const Totals& now() const noexcept { return now_; }
  /// Whether they differ from those that the file contains.
  [[nodiscard]] bool is_changed() const noexcept { return now_ != written_; }
  /// A deleted row had claimed an impossible size, and the rows were not counted since then.
  [[nodiscard]] bool must_be_counted() const noexcept { return is_doubtful_ && !is_counted_; }

  void loaded(const Totals& totals) noexcept;
  void add(std::int64_t bytes, std::int64_t queue) noexcept;
  void remove(std::int64_t bytes, std::int64_t queue) noexcept;
  void clear() noexcept { now_ = {}; }
  /// All rows were added again, after `clear`.
  void counted() noexcept;
  void committed() noexcept { written_ = now_; }
  void rolled_back() noexcept;

 private:
  void count(std::int64_t entries, std::int64_t bytes, std::int64_t queue) noexcept;

  Totals now_;
  Totals written_;            // in cache_totals since the last commit
  bool is_counted_ = false;   // the totals were counted from checked sizes
  bool is_doubtful_ = false;  // a deleted row had claimed an impossible size
};

/// `a` minus `b`.
[[nodiscard]] Totals difference(const Totals& a, const Totals& b) noexcept;

}  // namespace ashmemo::store
