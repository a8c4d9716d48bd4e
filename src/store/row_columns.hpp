#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include "store/rows.hpp"
#include "store/statement.hpp"

// Converts columns to fields. Only this file knows what NULL means in a column.

namespace ashmemo::store {

[[nodiscard]] inline std::int64_t integer_or(const Statement& row, int column,
                                             std::int64_t instead) noexcept {
  return row.is_null(column) ? instead : row.integer(column);
}

/// Whether the row exists and has this key.
[[nodiscard]] inline bool has_key(const Statement& row, int column, std::string_view key) noexcept {
  return !row.is_null(column) && row.text(column) == key;
}

/// The index of keys led to a row that does not exist or has another key. So the index or the row
/// is damaged.
[[noreturn]] inline void fail_by_key() {
  throw SQLite::Exception("the index of keys names a row that has another key", SQLITE_CORRUPT);
}
inline void require_key(const Statement& row, int column, std::string_view key) {
  if (!has_key(row, column, key)) fail_by_key();
}

/// A number from the file, clamped so that adding to it never overflows.
[[nodiscard]] inline std::int64_t summand(const Statement& row, int column) noexcept {
  return std::clamp<std::int64_t>(row.integer(column), 0, std::int64_t{1} << 61);
}

/// The size of an entry, clamped to 0 to 4 GiB: sums of it cannot overflow, and a negative size
/// cannot raise the limits.
[[nodiscard]] inline std::int64_t believable_size(std::int64_t bytes) noexcept {
  return std::clamp<std::int64_t>(bytes, 0, std::int64_t{1} << 32);
}
[[nodiscard]] inline std::int64_t size_at(const Statement& row, int column) noexcept {
  return believable_size(row.integer(column));
}

/// The time to compute a value in microseconds, clamped to eleven days, so that the sum over all
/// reads of a process does not overflow.
[[nodiscard]] inline std::int64_t cost_at(const Statement& row, int column) noexcept {
  return std::clamp<std::int64_t>(row.integer(column), 0, 1'000'000'000'000);
}

/// Reads four columns, beginning with `first`: computed_at, fresh_until, expires_at, keep_until.
/// NULL means "never" in expires_at, and "the same as expires_at" in fresh_until and keep_until.
[[nodiscard]] inline Deadlines deadlines_at(const Statement& row, int first) noexcept {
  Deadlines moments;
  moments.computed_at = row.integer(first);
  moments.expires_at = integer_or(row, first + 2, base::kForever);
  moments.fresh_until = integer_or(row, first + 1, moments.expires_at);
  moments.keep_until = integer_or(row, first + 3, moments.expires_at);
  return moments;
}

/// Binds the same four parameters, beginning with `first`.
inline void bind_deadlines(Statement& statement, int first, const Deadlines& moments) {
  const auto bind_unless = [&](int index, std::int64_t moment, std::int64_t null_means) {
    moment == null_means ? statement.bind_null(index) : statement.bind(index, moment);
  };
  statement.bind(first, moments.computed_at);
  bind_unless(first + 1, moments.fresh_until, moments.expires_at);
  bind_unless(first + 2, moments.expires_at, base::kForever);
  bind_unless(first + 3, moments.keep_until, moments.expires_at);
}

/// Reads nine columns, beginning with 0: rowid, the four deadlines, calculation_id, record_version,
/// cost_us, value.
[[nodiscard]] inline EntryView entry_at(const Statement& row) noexcept {
  EntryView entry;
  entry.rowid = row.integer(0);
  entry.deadlines = deadlines_at(row, 1);
  entry.calculation_id = row.integer(5);  // NULL reads as 0: put directly
  entry.record_version = row.value(6);
  entry.cost_us = cost_at(row, 7);
  entry.value = row.value(8);
  return entry;
}

/// For calculation_id and cost_us: 0 in a field is NULL in the column.
inline void bind_unless_zero(Statement& statement, int index, std::int64_t value) {
  value == 0 ? statement.bind_null(index) : statement.bind(index, value);
}

}  // namespace ashmemo::store
