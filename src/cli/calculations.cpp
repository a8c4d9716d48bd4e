#include "cli/calculations.hpp"

#include "cli/text.hpp"

namespace ashmemo::cli {

Calculations::Calculations(const Cache& cache) {
  for (StoredCalculation& each : cache.calculations()) by_id_.emplace(each.id, std::move(each));
}

const StoredCalculation* Calculations::find(const EntryInfo& entry) const {
  const auto found = by_id_.find(entry.calculation_id.value_or(0));
  return found == by_id_.end() ? nullptr : &found->second;
}

std::string name_of(const StoredCalculation& calculation) {
  return escaped(calculation.resource + ':' + calculation.name);
}

}  // namespace ashmemo::cli
