#pragma once

#include <cstdint>
#include <string_view>

#include <ashmemo/value.hpp>

namespace ashmemo::store {

/// The cost of an entry in the file, in bytes. Limits count only this, so that a limit is a promise
/// about the disk. The size of key plus value would be too small by a factor of 6.5 for an integer
/// and of 2.7 for 100 bytes.
///
/// It is the sum of
///   - the row's share of its page. When entries are inserted and deleted in random order, a page
///     has about six tenths of the small rows that fit. For rows of a quarter of a page and more
///     this is stepwise: of two rows that fit, one and a half remain; a row of more than half a
///     page has the page for itself. Bytes that do not fit use whole overflow pages;
///   - the second copy of the key, in the index of the primary key (overflowing from 1 KB on);
///   - its entries in the queue's index and, if it expires, in the index of expiry.
///
/// The numbers were measured after random inserts, overwrites and deletions, until they did not
/// change any more; they are correct within 15 %. A file that only grows, or whose oldest rows are
/// deleted first, has fuller pages and is up to a third smaller than the sum.
///
/// Depends on the page size of 4096 and on the columns of cache_entries, so a change of it is a
/// change of the format's version.
[[nodiscard]] std::int64_t byte_size(std::string_view key, ValueView value,
                                     ValueView record_version, bool has_expiry) noexcept;

}  // namespace ashmemo::store
