#include "api/resource.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include <ashmemo/error.hpp>
#include <ashmemo/key_part.hpp>

#include "engine/submit.hpp"

namespace ashmemo::detail {

namespace {

std::string prefix_of(std::string_view resource) {
  std::string out;
  append_record_prefix(out, resource);
  return out;
}

std::string names_of(const std::deque<CalculationCore>& calculations) {
  std::string out;
  for (const CalculationCore& calculation : calculations) {
    out += (out.empty() ? "" : ", ") + calculation.name();
  }
  return out.empty() ? "none" : out;
}

engine::RangePtr removal_of(std::string prefix) {
  auto range = std::make_shared<engine::Range>();
  range->kind = engine::Range::Kind::erase_prefix;
  range->prefix = std::move(prefix);
  return range;
}

std::string prefix_of(const ResourceCore& resource, const RecordSource& record) {
  std::string out = resource.key_prefix();
  record.append_key(0, out);
  return out;
}

/// Also renews a calculation that is not cached now, because the file may have its older results.
void renew(engine::Engine& engine, const CalculationCore& calculation) {
  engine.catalog.renew(calculation.enter());
}

/// Writes in one commit everything that `renew_some` renews.
template <class F>
void renew_and_wait(ResourceCore& resource, F renew_some) {
  engine::Engine& engine = resource.engine();
  if (engine.options.access == Access::read_only) {
    // A renewal would hide the results from this process only.
    throw Error(ErrorCode::misuse, engine.path + " is open read-only: nothing can be removed",
                engine.path);
  }
  resource.freeze();
  if (engine.is_out_of_use()) return;
  auto range = std::make_shared<engine::Range>();
  range->kind = engine::Range::Kind::put_calculations;
  renew_some(engine);
  engine::run_range(engine, range);
}

}  // namespace

ResourceCore::ResourceCore(std::shared_ptr<Core> core, std::string_view name, RecordTraits traits)
    : core_(std::move(core)), name_(name), key_prefix_(prefix_of(name)), traits_(traits) {}

void ResourceCore::append_scope(std::string& out) const {
  if (append_scope_) append_scope_(out);
}

void ResourceCore::require_registering(std::string_view what) const {
  if (!loaded_.load()) return;
  throw Error(
      ErrorCode::misuse,
      fmt::format("{} of '{}' is too late: the first load ends the registration", what, name_),
      name_);
}

CalculationCore& ResourceCore::declare(const CalculationDeclaration& declaration) {
  const std::string_view name = declaration.name;
  require_registering(fmt::format("calculation '{}'", name));
  if (name.empty()) {
    throw Error(ErrorCode::misuse, fmt::format("a calculation of '{}' has an empty name", name_),
                name_);
  }
  const auto has_name = [name](const CalculationCore& known) { return known.name() == name; };
  if (std::any_of(calculations_.begin(), calculations_.end(), has_name)) {
    throw Error(ErrorCode::misuse,
                fmt::format("calculation '{}' of '{}' is registered already", name, name_),
                std::string(name));
  }
  return calculations_.emplace_back(*this, name_, engine(), declaration);
}

void ResourceCore::cache(std::string_view calculation, const CachePolicy& policy) {
  require_registering(fmt::format("cache_calculation(\"{}\")", calculation));
  const CalculationCore& known = find(calculation);
  for (CalculationCore& one : calculations_) {
    if (&one == &known) one.set_policy(policy, traits_);
  }
}

void ResourceCore::claim_record_version() {
  require_registering("record_version");
  if (has_record_version_) {
    throw Error(ErrorCode::misuse, fmt::format("record_version of '{}' is set already", name_),
                name_);
  }
  has_record_version_ = true;
}

void ResourceCore::set_scope(std::function<void(std::string&)> append_scope) {
  require_registering("scope");
  if (append_scope_) {
    throw Error(ErrorCode::misuse, fmt::format("scope of '{}' is set already", name_), name_);
  }
  append_scope_ = std::move(append_scope);
}

const CalculationCore& ResourceCore::find(std::string_view name) const {
  for (const CalculationCore& calculation : calculations_) {
    if (calculation.name() == name) return calculation;
  }
  throw Error(ErrorCode::unknown_calculation,
              fmt::format("'{}' has no calculation '{}'; known are: {}", name_, name,
                          names_of(calculations_)),
              std::string(name));
}

void ResourceCore::freeze() {
  if (!loaded_.load()) loaded_.store(true);
  // In a forked child the mutex may be locked by a thread that does not exist there.
  if (entered_.load() || engine().is_out_of_use()) return;
  base::Lock lock(entering_);
  if (entered_.load()) return;
  enter_calculations();
  entered_.store(true);
}

void ResourceCore::enter_calculations() {
  std::exception_ptr refused;
  for (CalculationCore& calculation : calculations_) {
    if (!calculation.is_cached()) continue;
    try {
      calculation.enter_and_publish();
    } catch (...) {
      refused = std::current_exception();
      break;
    }
  }
  // This is necessary after an exception too: the catalog has the calculations that were entered
  // before.
  if (engine().catalog.has_unwritten()) {
    auto range = std::make_shared<engine::Range>();
    range->kind = engine::Range::Kind::put_calculations;
    (void)engine::queue_range(engine(), range);
  }
  if (refused) std::rethrow_exception(refused);
}

const std::string_view* CarriedScope::of(const ResourceCore& resource) {
  // Only the innermost refresh counts. An outer refresh on this thread, and a hook that runs during
  // a refresh, work for another caller.
  const CarriedScope* const carried = innermost();
  const bool is_its = carried != nullptr && &carried->resource_ == &resource &&
                      !resource.engine().worker->is_in_hook();
  return is_its ? &carried->scope_ : nullptr;
}

// ---- the functions of detail/resource_core.hpp

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
  throw Error(ErrorCode::misuse, found.label() + " has a result or arguments of another type",
              found.name());
}

const std::string& name_of(const CalculationCore& calculation) noexcept {
  return calculation.name();
}

std::string label_of(const CalculationCore& calculation) { return calculation.label(); }

CalculationStats stats_of(const CalculationCore& calculation) { return calculation.stats(); }

// Invalidating one record removes its entries. Invalidating a whole calculation gives it a new id,
// which hides all its results at once.

void invalidate_record(ResourceCore& resource, const RecordSource& record) {
  engine::run_range(resource.engine(), removal_of(prefix_of(resource, record)));
}

void invalidate_record(ResourceCore& resource, const RecordSource& record,
                       const CalculationCore& calculation) {
  engine::Engine& engine = resource.engine();
  if (engine.is_out_of_use()) return;
  std::string key = prefix_of(resource, record);
  append_calculation(key, calculation.name());
  const std::array ranges{removal_of(key + '('), removal_of(key + '@')};
  const std::string_view plain = key;
  engine::erase(engine, std::span(&plain, 1), ranges);
}

void invalidate_all(ResourceCore& resource) {
  renew_and_wait(resource, [&](engine::Engine& engine) {
    for (const CalculationCore& calculation : resource.calculations()) renew(engine, calculation);
  });
}

void invalidate_all(ResourceCore& resource, CalculationCore& calculation) {
  renew_and_wait(resource, [&](engine::Engine& engine) { renew(engine, calculation); });
}

}  // namespace ashmemo::detail
