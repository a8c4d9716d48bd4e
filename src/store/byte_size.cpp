#include "store/byte_size.hpp"

#include <algorithm>
#include <array>

namespace ashmemo::store {
namespace {

// From SQLite's file format, for pages of 4096 bytes.
constexpr std::int64_t kPage = 4096;
constexpr std::int64_t kPageCapacity = kPage - 8;      // without the header of a leaf
constexpr std::int64_t kOverflowCapacity = kPage - 4;  // without the number of the next page
constexpr std::int64_t kMaxInTablePage = kPage - 35;   // of one row; a longer one overflows
constexpr std::int64_t kMaxInIndexPage = 1002;         // of one key
constexpr std::int64_t kMinInPage = 489;               // of a record that overflows

// A row without its key, value and record version: a header of 17 bytes, three or four times of 8
// bytes, a checksum of 8, and 6 bytes for byte_size, calculation_id and cost_us together.
constexpr std::int64_t kSmallColumns = 17 + 3 * 8 + 8 + 6;
constexpr std::int64_t kExpiryColumn = 8;
// The overhead of a record in a page: its length, its rowid and its offset.
constexpr std::int64_t kAroundRow = 7;
constexpr std::int64_t kAroundKey = 9;

// Measured sizes of index entries in pages of the usual fill. Keys are inserted anywhere, so the
// index of keys is three quarters full. Times are appended at the end of their index.
constexpr std::int64_t kKeyFillPercent = 76;
constexpr std::int64_t kQueueEntry = 49;
constexpr std::int64_t kExpiryEntry = 30;

// If at most 1, 2, ... 9 rows fit into a page: the average number of rows in a page, in hundredths.
// Measured. The steps exist because SQLite merges pages that are less than a third full.
constexpr std::array<std::int64_t, 9> kRowsThatStay{100, 148, 251, 289, 332, 431, 468, 510, 605};

std::int64_t hundredths_that_stay(std::int64_t rows_that_fit) noexcept {
  const auto few = static_cast<std::int64_t>(kRowsThatStay.size());
  if (rows_that_fit > few) return rows_that_fit * 60 + 30;
  return kRowsThatStay[static_cast<std::size_t>(std::max<std::int64_t>(rows_that_fit, 1) - 1)];
}

// How a record of this length is stored: bytes in the page of the b-tree, and whole overflow pages.
struct Spread {
  std::int64_t in_page;
  std::int64_t overflow_bytes;
};

Spread spread(std::int64_t length, std::int64_t max_in_page) noexcept {
  if (length <= max_in_page) return {length, 0};
  const std::int64_t even = kMinInPage + (length - kMinInPage) % kOverflowCapacity;
  const std::int64_t in_page = even <= max_in_page ? even : kMinInPage;
  const std::int64_t pages = (length - in_page + kOverflowCapacity - 1) / kOverflowCapacity;
  return {in_page, pages * kPage};
}

std::int64_t row_cost(std::int64_t length) noexcept {
  const Spread row = spread(length, kMaxInTablePage);
  const std::int64_t rows_that_fit = kPageCapacity / (row.in_page + kAroundRow);
  return row.overflow_bytes + kPage * 100 / hundredths_that_stay(rows_that_fit);
}

std::int64_t key_cost(std::int64_t key_bytes) noexcept {
  const Spread key = spread(key_bytes, kMaxInIndexPage);
  return key.overflow_bytes + (key.in_page + kAroundKey) * 100 / kKeyFillPercent;
}

// The stored size of a value. SQLite stores integers in 0 to 8 bytes.
std::int64_t stored_bytes(ValueView value) noexcept {
  if (value.type() != ValueType::integer) return static_cast<std::int64_t>(value.size_bytes());
  const std::int64_t number = value.as_integer();
  const std::int64_t magnitude = number < 0 ? ~number : number;
  if (number == 0 || number == 1) return 0;
  for (const int bytes : {1, 2, 3, 4, 6}) {
    if (magnitude < std::int64_t{1} << (bytes * 8 - 1)) return bytes;
  }
  return 8;
}

}  // namespace

std::int64_t byte_size(std::string_view key, ValueView value, ValueView record_version,
                       bool has_expiry) noexcept {
  const auto key_bytes = static_cast<std::int64_t>(key.size());
  const std::int64_t row = kSmallColumns + (has_expiry ? kExpiryColumn : 0) + key_bytes +
                           stored_bytes(record_version) + stored_bytes(value);
  return row_cost(row) + key_cost(key_bytes) + kQueueEntry + (has_expiry ? kExpiryEntry : 0);
}

}  // namespace ashmemo::store
