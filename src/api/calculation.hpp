#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <ashmemo/calculation_options.hpp>
#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/duration.hpp>

#include "engine/engine.hpp"
#include "engine/freshness.hpp"

namespace ashmemo::api {

/// Throws Error (misuse), which names the window, if a window of the policy is not possible.
/// `whose` is the subject of the message.
void require_possible(const CachePolicy& policy, std::string_view whose);

/// Throws Error (misuse), which names the window, if a window has no effect. `optional`: whether
/// the type of the results has a "nothing".
void require_effect(const CachePolicy& policy, bool optional, std::string_view whose);

/// The lifetimes of a result whose ttl is `ttl`.
[[nodiscard]] engine::Lifetimes lifetimes_of(const CachePolicy& policy,
                                             std::optional<Duration> ttl);

/// The lifetimes of results with a value and of results that are "nothing".
struct PolicyLifetimes {
  engine::Lifetimes something;
  std::optional<engine::Lifetimes> nothing;  // nullopt: not stored
};
/// `optional`: whether the type of the results has a "nothing".
[[nodiscard]] PolicyLifetimes lifetimes_of(const CachePolicy& policy, bool optional);

}  // namespace ashmemo::api

namespace ashmemo::detail {

[[nodiscard]] CalculationStats stats_of(const store::CalculationCounts<std::int64_t>& counts);

/// One calculation of a resource: its declaration, its policy and its counters. It is constant
/// after the first load, except for counters, so loads read it without a mutex.
class CalculationCore {
 public:
  /// `resource_name` and `engine` are of the resource, which outlives this.
  CalculationCore(const ResourceCore& resource, const std::string& resource_name,
                  engine::Engine& engine, const CalculationDeclaration& declaration);

  [[nodiscard]] const ResourceCore& resource() const noexcept { return resource_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] bool takes_batches() const noexcept { return takes_batches_; }
  [[nodiscard]] bool is_of(std::type_index type) const noexcept { return type_ == type; }
  [[nodiscard]] const std::shared_ptr<void>& typed() const noexcept { return typed_; }
  [[nodiscard]] CalculationInfo info() const;
  /// For messages.
  [[nodiscard]] std::string label() const;

  /// Throws Error (misuse) if the results cannot be cached with this policy.
  void set_policy(const CachePolicy& policy, const RecordTraits& records);
  [[nodiscard]] bool is_cached() const noexcept { return policy_.has_value(); }
  [[nodiscard]] const api::PolicyLifetimes& lifetimes() const noexcept { return lifetimes_; }

  /// Adds the calculation to the catalog, or finds it there.
  engine::CalculationPtr enter() const;
  /// Enters a cached calculation and publishes its state. For one thread, once.
  void enter_and_publish();
  /// Null if the calculation is not cached. Also null if the cache was out of use at the first
  /// load, because the calculation was then not entered.
  [[nodiscard]] engine::CalculationState* state() const noexcept { return state_.load(); }

  void count(std::int64_t computed, std::int64_t failed);
  /// Reports once that older values answer because the calculation failed.
  void report_failure(std::string_view why) const noexcept;
  [[nodiscard]] CalculationStats stats() const;

 private:
  /// Reports once that a calculation without a policy was computed many times.
  void report_uncached();
  [[nodiscard]] store::CalculationRow counted_before() const;

  const ResourceCore& resource_;
  const std::string& resource_name_;
  engine::Engine& engine_;
  const std::string name_;
  const std::uint32_t version_;
  const bool takes_batches_;
  const bool storable_;
  const bool copyable_;
  const bool optional_;
  const std::string result_type_;
  const std::type_index type_;
  const std::shared_ptr<void> typed_;
  std::optional<CachePolicy> policy_;
  api::PolicyLifetimes lifetimes_;
  engine::CalculationPtr entered_;
  std::atomic<engine::CalculationState*> state_{nullptr};  // entered_.get()
  engine::CalculationCounters uncached_;                   // used while there is no state
  std::atomic<bool> is_uncached_reported_{false};
};

}  // namespace ashmemo::detail
