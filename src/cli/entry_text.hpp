#pragma once

#include <ashmemo/entry.hpp>
#include <ashmemo/stats.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace ashmemo::cli {

[[nodiscard]] std::string_view state_of(const EntryInfo& entry);

[[nodiscard]] std::string age_text(const EntryInfo& entry, std::int64_t now);

/// How long it still answers: "3 h"; "never" ends; "over" where it only stands in for a failure.
[[nodiscard]] std::string time_left(const EntryInfo& entry, std::int64_t now);

/// The entry under the names of the columns of `cache_entries`; `key_hex` besides where the key is
/// no UTF-8, and JSON cannot hold it. `calculation`: of which it is a
/// result; null: put directly.
[[nodiscard]] nlohmann::ordered_json json_of(const EntryInfo& entry,
                                             const StoredCalculation* calculation);

}  // namespace ashmemo::cli
