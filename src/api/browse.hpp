#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <ashmemo/detail/typed.hpp>
#include <ashmemo/entry.hpp>
#include <ashmemo/stats.hpp>

#include "engine/engine.hpp"

// Entries as they are stored, without their types. For Cache::entry, for_each and calculations.

namespace ashmemo::detail {

[[nodiscard]] std::optional<EntryInfo> find_entry(engine::Engine& engine, std::string_view key);
void visit_entries(engine::Engine& engine, std::string_view prefix, const EntryVisitor& visit);
[[nodiscard]] std::vector<StoredCalculation> stored_calculations(engine::Engine& engine);

}  // namespace ashmemo::detail
