#include "cli/entry_text.hpp"

#include <optional>

#include "cli/format.hpp"
#include "cli/hexdump.hpp"
#include "cli/text.hpp"

namespace ashmemo::cli {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const std::optional<std::int64_t>& number) { return number ? Json(*number) : Json(); }

}  // namespace

std::string_view state_of(const EntryInfo& entry) {
  switch (entry.freshness) {
    case Freshness::fresh:
      return "fresh";
    case Freshness::stale:
      return "stale";
    case Freshness::kept:
      return "kept";
    case Freshness::gone:
      return "gone";
  }
  return "?";
}

std::string age_text(const EntryInfo& entry, std::int64_t now) {
  return span_text(detail::subtract_saturated(now, entry.computed_at));
}

std::string time_left(const EntryInfo& entry, std::int64_t now) {
  if (!entry.expires_at) return "never";
  return *entry.expires_at > now ? span_text(detail::subtract_saturated(*entry.expires_at, now))
                                 : "over";
}

Json json_of(const EntryInfo& entry, const StoredCalculation* calculation) {
  const bool known = calculation != nullptr;
  Json json{
      {"cache_key", entry.key},
      {"resource", known ? Json(calculation->resource) : Json()},
      {"calculation", known ? Json(calculation->name) : Json()},
      {"version", known ? Json(calculation->version) : Json()},
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
