#pragma once

#include <cstdint>
#include <string_view>

#include <ashmemo/value.hpp>

namespace ashmemo::store {

/// What an entry costs in the file, in bytes. Limits count this and nothing else, so that a limit
/// is a promise about the disk. Key plus value would be off by 6.5 for an integer and 2.7 for 100
/// bytes.
///
/// It is the sum of
///   - the row's share of its page. A small row shares it with as many as remain there when entries
///     come and go in no order: about six tenths of those that fit. From a quarter of a page on,
///     the whole numbers show: of two rows that fit, one and a half remain; a row of more than half
///     a page has it to itself. What does not fit into a page has overflow pages of its own, each
///     whole;
///   - the second copy of the key, in the index of the primary key (overflowing from 1 KB on);
///   - its entries in the queue's index and, if it expires, in the index of expiry.
///
/// The numbers were measured in files after random inserts, overwrites and removals had gone on
/// until nothing changed any more, and hold within 15 % there. A file that only grows, or loses the
/// oldest first, has fuller pages and is up to a third smaller than its sum.
///
/// Depends on the page size of 4096 and on the columns of cache_entries, so a change of it is a
/// change of the format's version.
[[nodiscard]] std::int64_t byte_size(std::string_view key, ValueView value,
                                     ValueView record_version, bool has_expiry) noexcept;

}  // namespace ashmemo::store
