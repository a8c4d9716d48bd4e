#pragma once

#include <cstdint>
#include <string_view>

#include <ashmemo/value.hpp>

#include "store/rows.hpp"

namespace ashmemo::store {

/// The checksum of a row: XXH3 of 64 bits over the key, the value, the record version (both with
/// their types), the four deadlines and the calculation's id. That is everything that decides about
/// an answer. Columns for eviction and for people are not covered, so that they change without a
/// new checksum. It is the same on every machine. A change of it needs a new version of the format.
[[nodiscard]] std::int64_t checksum_of(std::string_view key, const EntryView& entry) noexcept;

/// Whether the column `checksum` allows this row. NULL means "not checked": the row is older than
/// format 2, or another program has written it.
[[nodiscard]] inline bool matches(ValueView stored, std::int64_t computed) noexcept {
  return stored.type() == ValueType::null || stored == ValueView::integer(computed);
}

}  // namespace ashmemo::store
