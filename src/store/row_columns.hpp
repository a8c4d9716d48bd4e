#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include "store/rows.hpp"
#include "store/statement.hpp"

// How columns become fields: the one place for what NULL means in them.

namespace ashmemo::store {

[[nodiscard]] inline std::int64_t integer_or(const Statement& row, int column,
                                             std::int64_t instead) noexcept {
  return row.is_null(column) ? instead : row.integer(column);
}

/// Throws unless the row was found and has this key. The index of keys led to the row, so another
/// key means that the index or the row is damaged.
inline void require_key(const Statement& row, int column, std::string_view key) {
  if (!row.is_null(column) && row.text(column) == key) return;
  throw SQLite::Exception("the index of keys names a row that has another key", SQLITE_CORRUPT);
}

/// A number that sums are made of, whatever the file claims: adding to it never overflows.
[[nodiscard]] inline std::int64_t summand(const Statement& row, int column) noexcept {
  return std::clamp<std::int64_t>(row.integer(column), 0, std::int64_t{1} << 61);
}

/// What an entry costs in the file, whatever that claims: no more than 4 GiB, so that nobody's sum
/// overflows, and not less than nothing, which would make room for others.
[[nodiscard]] inline std::int64_t believable_size(std::int64_t bytes) noexcept {
  return std::clamp<std::int64_t>(bytes, 0, std::int64_t{1} << 32);
}
[[nodiscard]] inline std::int64_t size_at(const Statement& row, int column) noexcept {
  return believable_size(row.integer(column));
}

/// What computing a value took, in microseconds: no more than eleven days, so that the sums of all
/// reads of a process do not overflow.
[[nodiscard]] inline std::int64_t cost_at(const Statement& row, int column) noexcept {
  return std::clamp<std::int64_t>(row.integer(column), 0, 1'000'000'000'000);
}

/// Four columns from `first` on: computed_at, fresh_until, expires_at, keep_until.
/// expires_at NULL: never. The two others NULL: as expires_at.
[[nodiscard]] inline Deadlines deadlines_at(const Statement& row, int first) noexcept {
  Deadlines moments;
  moments.computed_at = row.integer(first);
  moments.expires_at = integer_or(row, first + 2, base::kForever);
  moments.fresh_until = integer_or(row, first + 1, moments.expires_at);
  moments.keep_until = integer_or(row, first + 3, moments.expires_at);
  return moments;
}

/// The same four parameters from `first` on.
inline void bind_deadlines(Statement& statement, int first, const Deadlines& moments) {
  const auto bind_unless = [&](int index, std::int64_t moment, std::int64_t null_means) {
    moment == null_means ? statement.bind_null(index) : statement.bind(index, moment);
  };
  statement.bind(first, moments.computed_at);
  bind_unless(first + 1, moments.fresh_until, moments.expires_at);
  bind_unless(first + 2, moments.expires_at, base::kForever);
  bind_unless(first + 3, moments.keep_until, moments.expires_at);
}

/// calculation_id and cost_us: none is 0 here and NULL there.
inline void bind_unless_zero(Statement& statement, int index, std::int64_t value) {
  value == 0 ? statement.bind_null(index) : statement.bind(index, value);
}

}  // namespace ashmemo::store
