#pragma once

#include <ashmemo/cache.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cli/terminal.hpp"

// How `list` and `show` describe one entry.

namespace ashmemo::cli {

/// The calculations in a cache, by their id.
using Calculations = std::map<std::int64_t, StoredCalculation>;
[[nodiscard]] Calculations calculations_of(const Cache& cache);

/// The calculation that an entry is a result of. Null if the entry was put directly.
[[nodiscard]] const StoredCalculation* calculation_of(const EntryInfo& entry,
                                                      const Calculations& calculations);

/// "Post:word_count", escaped.
[[nodiscard]] std::string name_of(const StoredCalculation& calculation);

/// "fresh", "stale", "kept" or "gone".
[[nodiscard]] std::string_view state_of(const EntryInfo& entry);

/// The time since the entry was stored: "3 h".
[[nodiscard]] std::string age_of(const EntryInfo& entry);

/// The entry with the column names of `cache_entries`. `key_hex` has the bytes of a key that is not
/// UTF-8.
[[nodiscard]] Json json_of(const EntryInfo& entry, const Calculations& calculations);

}  // namespace ashmemo::cli
