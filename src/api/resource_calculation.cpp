#include <fmt/format.h>

#include <ashmemo/error.hpp>

#include "api/resource.hpp"
#include "base/saturate.hpp"

namespace ashmemo::detail {

CalculationCore::CalculationCore(const ResourceCore& resource,
                                 const CalculationDeclaration& declaration)
    : resource_(resource),
      name_(declaration.name),
      version_(declaration.version),
      takes_batches_(declaration.takes_batches),
      storable_(declaration.storable),
      copyable_(declaration.copyable),
      optional_(declaration.optional),
      result_type_(declaration.result_type),
      type_(declaration.type),
      typed_(declaration.typed) {}

std::string CalculationCore::label() const {
  return fmt::format("calculation '{}' of '{}'", name_, resource_.name());
}

CalculationInfo CalculationCore::info() const { return {name_, version_, takes_batches_, policy_}; }

void CalculationCore::set_policy(const CachePolicy& policy, const RecordTraits& records) {
  const auto refuse = [this](std::string_view why) {
    throw Error(ErrorCode::misuse, fmt::format("{} {}", label(), why), name_);
  };
  if (policy_) refuse("is cached already: it has one policy");
  if (!storable_) refuse("cannot be cached: there is no ashmemo::Codec for its result");
  if (!copyable_) refuse("cannot be cached: its result cannot be copied");
  api::require_possible(policy, label());
  if (policy.stale_while_revalidate && !records.copyable) {
    refuse("cannot have stale_while_revalidate: its records cannot be copied");
  }
  if (policy.stale_while_revalidate && records.polymorphic) {
    refuse(
        "cannot have stale_while_revalidate: its records are polymorphic, a copy would lose "
        "what they are");
  }
  policy_ = policy;
  lifetimes_ = api::lifetimes_of(policy, optional_);
}

engine::CalculationPtr CalculationCore::enter(engine::Catalog& catalog) const {
  const std::string policy = policy_ ? to_string(*policy_) : "not cached";
  auto calculation = catalog.add(resource_.name(), name_, version_, policy, result_type_);
  calculation->is_touched = !policy_ || policy_->eviction != Eviction::fifo;
  return calculation;
}

engine::CalculationState* CalculationCore::state() const noexcept {
  return resource_.is_entered() ? state_.get() : nullptr;
}

void CalculationCore::count(std::int64_t computed, std::int64_t failed) {
  const auto add = [=](engine::CalculationCounters& counters) {
    counters.computed.add(computed);
    counters.failed.add(failed);
  };
  engine::CalculationState* const known = state();
  if (known == nullptr) return add(uncached_);
  add(known->since_open);
  add(known->unwritten);
}

void CalculationCore::report_failure(std::string_view why) const noexcept try {
  engine::Engine& engine = resource_.engine();
  if (engine.process.is_forked_child()) return;
  engine::CalculationState* const known = state();
  if (known == nullptr) return;  // out of use: nobody is told anything
  engine.notices.notify(
      NoticeKind::calculation_failed,
      fmt::format("{} failed; older values are served, and it is tried again later: {}", label(),
                  why),
      name_, known->failure_reported);
} catch (const std::exception&) {  // no memory for words
}

// Until the first load enters the calculation, what the file has of it is not the catalog's state.
store::CalculationRow CalculationCore::counted_before() const {
  const engine::Engine& engine = resource_.engine();
  if (!policy_ || engine.process.is_forked_child()) return {};
  return engine.catalog.row_of(resource_.name(), name_);
}

CalculationStats CalculationCore::stats() const {
  const engine::CalculationState* const known = state();
  const engine::CalculationCounters& counters = known != nullptr ? known->since_open : uncached_;
  const store::CalculationRow before = known != nullptr ? known->at_open : counted_before();
  return {.hits = before.hits + counters.hits.get(),
          .stale_hits = before.stale_hits + counters.stale_hits.get(),
          .misses = before.misses + counters.misses.get(),
          .computed = before.computed + counters.computed.get(),
          .failed = before.failed + counters.failed.get(),
          .saved = Duration::microseconds(
              base::add_saturated(before.saved_us, counters.saved_us.get()))};
}

}  // namespace ashmemo::detail
