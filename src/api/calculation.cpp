#include "api/calculation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include <ashmemo/error.hpp>

#include "base/saturate.hpp"

namespace ashmemo::api {

namespace {

void require_not_negative(std::optional<Duration> window, std::string_view name,
                          std::string_view whose) {
  if (!window || window->count() >= 0) return;
  throw Error(ErrorCode::misuse,
              fmt::format("{}: {} is {}; it must not be negative", whose, name, to_string(*window)),
              std::string(name));
}

// A stale window has no effect without a ttl, because such results never become stale.
void require_ttl_for(std::optional<Duration> window, std::string_view name,
                     std::string_view whose) {
  if (!window || window->count() == 0) return;
  throw Error(
      ErrorCode::misuse,
      fmt::format("{}: {} is {}, but without a ttl it has no effect; set a ttl, or remove it",
                  whose, name, to_string(*window)),
      std::string(name));
}

// A calculation without a policy is reported after this many results. A cheap or rarely used
// calculation needs no policy.
constexpr std::int64_t kUncachedResults = 1'000;

}  // namespace

void require_possible(const CachePolicy& policy, std::string_view whose) {
  if (policy.ttl && policy.ttl->count() <= 0) {
    throw Error(ErrorCode::misuse,
                fmt::format("{}: ttl is {}, it must be positive", whose, to_string(*policy.ttl)),
                "ttl");
  }
  require_not_negative(policy.stale_while_revalidate, "stale_while_revalidate", whose);
  require_not_negative(policy.stale_if_error, "stale_if_error", whose);
  require_not_negative(policy.negative_ttl, "negative_ttl", whose);
  if (policy.eviction && *policy.eviction != Eviction::fifo) {
    throw Error(ErrorCode::misuse,
                fmt::format("{}: eviction is {}; for one calculation only fifo is possible", whose,
                            to_string(*policy.eviction)),
                "eviction");
  }
}

void require_effect(const CachePolicy& policy, bool optional, std::string_view whose) {
  if (policy.negative_ttl && !optional) {
    throw Error(ErrorCode::misuse,
                fmt::format("{}: negative_ttl has no effect, because the result is not a "
                            "std::optional; remove it",
                            whose),
                "negative_ttl");
  }
  if (!policy.ttl && (!policy.negative_ttl || policy.negative_ttl->count() == 0)) {
    require_ttl_for(policy.stale_while_revalidate, "stale_while_revalidate", whose);
    require_ttl_for(policy.stale_if_error, "stale_if_error", whose);
  }
}

engine::Lifetimes lifetimes_of(const CachePolicy& policy, std::optional<Duration> ttl) {
  const auto past = [](std::int64_t fresh, std::optional<Duration> window) {
    return base::add_saturated(fresh, window.value_or(Duration()).count());
  };
  engine::Lifetimes lifetimes;
  if (ttl) lifetimes.fresh = ttl->count();
  lifetimes.serve = past(lifetimes.fresh, policy.stale_while_revalidate);
  // RFC 5861 counts both windows from the end of freshness.
  lifetimes.keep = std::max(lifetimes.serve, past(lifetimes.fresh, policy.stale_if_error));
  return lifetimes;
}

PolicyLifetimes lifetimes_of(const CachePolicy& policy, bool optional) {
  PolicyLifetimes lifetimes;
  lifetimes.something = lifetimes_of(policy, policy.ttl);
  if (!policy.negative_ttl || !optional) {
    lifetimes.nothing = lifetimes.something;
  } else if (policy.negative_ttl->count() > 0) {
    lifetimes.nothing = lifetimes_of(policy, policy.negative_ttl);
  }
  return lifetimes;
}

}  // namespace ashmemo::api

namespace ashmemo::detail {

CalculationCore::CalculationCore(const ResourceCore& resource, const std::string& resource_name,
                                 engine::Engine& engine, const CalculationDeclaration& declaration)
    : resource_(resource),
      resource_name_(resource_name),
      engine_(engine),
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
  return fmt::format("calculation '{}' of '{}'", name_, resource_name_);
}

CalculationInfo CalculationCore::info() const { return {name_, version_, takes_batches_, policy_}; }

void CalculationCore::set_policy(const CachePolicy& policy, const RecordTraits& records) {
  const auto refuse = [this](std::string_view why) {
    throw Error(ErrorCode::misuse, fmt::format("{} {}", label(), why), name_);
  };
  if (policy_) refuse("is cached already; it can have only one policy");
  if (!storable_)
    refuse("cannot be cached: there is no ashmemo::Codec for its result; specialise one");
  if (!copyable_) refuse("cannot be cached: its result cannot be copied");
  api::require_possible(policy, label());
  api::require_effect(policy, optional_, label());
  if (policy.stale_while_revalidate && !records.copyable) {
    refuse("cannot have stale_while_revalidate: its records cannot be copied");
  }
  if (policy.stale_while_revalidate && records.polymorphic) {
    refuse(
        "cannot have stale_while_revalidate: its records are polymorphic, and a copy would lose "
        "their type");
  }
  policy_ = policy;
  lifetimes_ = api::lifetimes_of(policy, optional_);
}

engine::CalculationPtr CalculationCore::enter() const {
  const std::string policy = policy_ ? to_string(*policy_) : "not cached";
  auto calculation = engine_.catalog.add(resource_name_, name_, version_, policy, result_type_);
  calculation->is_touched = !policy_ || policy_->eviction != Eviction::fifo;
  return calculation;
}

void CalculationCore::enter_and_publish() {
  entered_ = enter();
  state_ = entered_.get();
}

void CalculationCore::count(std::int64_t computed, std::int64_t failed) {
  const auto add = [=](engine::CalculationCounters& counters) {
    counters.computed.add(computed);
    counters.failed.add(failed);
  };
  engine::CalculationState* const known = state();
  if (known == nullptr) {
    add(uncached_);
    return report_uncached();
  }
  add(known->since_open);
  add(known->unwritten);
}

void CalculationCore::report_uncached() {
  if (policy_ || is_uncached_reported_ || uncached_.computed.get() < api::kUncachedResults) return;
  if (engine_.process.is_forked_child()) return;
  engine_.notices.notify(
      NoticeKind::not_cached,
      fmt::format("{} has computed {} results, and none is stored, because it has no policy; call "
                  "cache_calculation, or ignore this if that is intended",
                  label(), uncached_.computed.get()),
      name_, is_uncached_reported_);
}

void CalculationCore::report_failure(std::string_view why) const noexcept try {
  engine::CalculationState* const known = state();
  if (known == nullptr || engine_.process.is_forked_child()) return;
  engine_.notices.notify(
      NoticeKind::calculation_failed,
      fmt::format("{} failed; older values are served, and it is tried again later: {}", label(),
                  why),
      name_, known->failure_reported);
} catch (const std::exception&) {  // no memory for the text
}

// Before the first load enters the calculation, its counters are only in the catalog's row.
store::CalculationRow CalculationCore::counted_before() const {
  if (!policy_ || engine_.process.is_forked_child()) return {};
  return engine_.catalog.row_of(resource_name_, name_);
}

CalculationStats stats_of(const store::CalculationCounts<std::int64_t>& counts) {
  return {.hits = counts.hits,
          .stale_hits = counts.stale_hits,
          .misses = counts.misses,
          .computed = counts.computed,
          .failed = counts.failed,
          .saved = Duration::microseconds(counts.saved_us)};
}

CalculationStats CalculationCore::stats() const {
  const engine::CalculationState* const known = state();
  const engine::CalculationCounters& counters = known != nullptr ? known->since_open : uncached_;
  store::CalculationRow row = known != nullptr ? known->at_open : counted_before();
  for (std::size_t i = 0; i < store::kCalculationCounts<engine::Counter>.size(); ++i) {
    const engine::Counter& since = counters.*store::kCalculationCounts<engine::Counter>[i];
    std::int64_t& count = row.*store::kCalculationCounts<std::int64_t>[i];
    count = base::add_saturated(count, since.get());
  }
  return stats_of(row);
}

}  // namespace ashmemo::detail
