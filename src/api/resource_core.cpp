#include <ashmemo/detail/resource_core.hpp>

#include <fmt/format.h>

#include <utility>

#include <ashmemo/error.hpp>

#include "api/resource.hpp"

// The seam's functions that only ask or register; loads and invalidations have files of their own.

namespace ashmemo::detail {

std::shared_ptr<ResourceCore> make_resource(const std::shared_ptr<Core>& core,
                                            std::string_view name, RecordTraits traits) {
  return std::make_shared<ResourceCore>(core, name, traits);
}

CalculationCore& declare(ResourceCore& resource, const CalculationDeclaration& declaration) {
  return resource.declare(declaration);
}

void cache(ResourceCore& resource, std::string_view calculation, const CachePolicy& policy) {
  resource.cache(calculation, policy);
}

void claim_record_version(ResourceCore& resource) { resource.claim_record_version(); }

void set_scope(ResourceCore& resource, std::function<void(std::string&)> append_scope) {
  resource.set_scope(std::move(append_scope));
}

const std::string& name_of(const ResourceCore& resource) noexcept { return resource.name(); }

std::vector<CalculationInfo> calculations_of(const ResourceCore& resource) {
  std::vector<CalculationInfo> out;
  for (const CalculationCore& calculation : resource.calculations()) {
    out.push_back(calculation.info());
  }
  return out;
}

std::shared_ptr<void> find(const ResourceCore& resource, std::string_view calculation,
                           std::type_index type) {
  const CalculationCore& found = resource.find(calculation);
  if (found.is_of(type)) return found.typed();
  throw Error(ErrorCode::misuse,
              found.label() + " has another result or other arguments than were asked for",
              found.name());
}

const std::string& name_of(const CalculationCore& calculation) noexcept {
  return calculation.name();
}

std::string label_of(const CalculationCore& calculation) { return calculation.label(); }

CalculationStats stats_of(const CalculationCore& calculation) { return calculation.stats(); }

}  // namespace ashmemo::detail
