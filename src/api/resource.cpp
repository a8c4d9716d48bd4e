#include "api/resource.hpp"

#include <fmt/format.h>

#include <algorithm>
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
      fmt::format("{} of '{}' comes too late: registering ends with the first load", what, name_),
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
  return calculations_.emplace_back(*this, declaration);
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
  // In a forked child the lock may be held by a thread that is not there.
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
      calculation.set_state(calculation.enter(engine().catalog));
    } catch (...) {
      refused = std::current_exception();
      break;
    }
  }
  // Also what was entered before a refusal: the catalog has it by now.
  if (engine().catalog.has_unwritten()) {
    auto range = std::make_shared<engine::Range>();
    range->kind = engine::Range::Kind::put_calculations;
    (void)engine::queue_range(engine(), range);
  }
  if (refused) std::rethrow_exception(refused);
}

}  // namespace ashmemo::detail
