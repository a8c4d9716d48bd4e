#include "cli/entry.hpp"

#include <array>
#include <cstddef>
#include <optional>

#include "cli/text.hpp"

namespace ashmemo::cli {
namespace {

Json json_of(const std::optional<std::int64_t>& number) { return number ? Json(*number) : Json(); }

}  // namespace

Calculations calculations_of(const Cache& cache) {
  Calculations by_id;
  for (StoredCalculation& each : cache.calculations()) by_id.emplace(each.id, std::move(each));
  return by_id;
}

const StoredCalculation* calculation_of(const EntryInfo& entry, const Calculations& calculations) {
  const auto found = calculations.find(entry.calculation_id.value_or(0));
  return found == calculations.end() ? nullptr : &found->second;
}

std::string name_of(const StoredCalculation& calculation) {
  return escaped(calculation.resource + ':' + calculation.name);
}

std::string_view state_of(const EntryInfo& entry) {
  constexpr std::array<std::string_view, 4> kNames{"fresh", "stale", "kept", "gone"};
  return kNames[static_cast<std::size_t>(entry.freshness)];
}

std::string age_of(const EntryInfo& entry) {
  return time_text(detail::subtract_saturated(system_clock()->wall_now(), entry.computed_at));
}

Json json_of(const EntryInfo& entry, const Calculations& calculations) {
  const StoredCalculation* const calculation = calculation_of(entry, calculations);
  const bool is_known = calculation != nullptr;
  Json json{
      {"cache_key", entry.key},
      {"resource", is_known ? Json(calculation->resource) : Json()},
      {"calculation", is_known ? Json(calculation->name) : Json()},
      {"version", is_known ? Json(calculation->version) : Json()},
      {"state", state_of(entry)},
      {"byte_size", entry.byte_size},
      {"inserted_at", entry.inserted_at},
      {"computed_at", entry.computed_at},
      {"fresh_until", json_of(entry.fresh_until)},
      {"expires_at", json_of(entry.expires_at)},
      {"keep_until", json_of(entry.keep_until)},
      {"accessed_at", entry.accessed_at},
      {"access_count", entry.access_count},
      {"calculation_id", json_of(entry.calculation_id)},
      {"cost_us", entry.cost ? Json(entry.cost->count()) : Json()},
  };
  if (!is_utf8(entry.key)) json["key_hex"] = hex(entry.key);
  return json;
}

}  // namespace ashmemo::cli
