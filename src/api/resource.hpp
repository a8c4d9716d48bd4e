#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/detail/resource_core.hpp>

#include "api/core.hpp"
#include "api/resource_policy.hpp"
#include "base/mutex.hpp"
#include "engine/catalog.hpp"

// What the registry knows of a resource and its calculations. Both are constant from the first load
// on (but for counters), so that loads read them without a lock; that load tells the catalog about
// them.

namespace ashmemo::detail {

class CalculationCore {
 public:
  CalculationCore(const ResourceCore& resource, const CalculationDeclaration& declaration);

  [[nodiscard]] const ResourceCore& resource() const noexcept { return resource_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] bool takes_batches() const noexcept { return takes_batches_; }
  [[nodiscard]] bool is_of(std::type_index type) const noexcept { return type_ == type; }
  [[nodiscard]] const std::shared_ptr<void>& typed() const noexcept { return typed_; }
  [[nodiscard]] CalculationInfo info() const;
  /// For messages.
  [[nodiscard]] std::string label() const;

  /// Error (misuse) if the results cannot be kept in this way.
  void set_policy(const CachePolicy& policy, const RecordTraits& records);
  [[nodiscard]] bool is_cached() const noexcept { return policy_.has_value(); }
  [[nodiscard]] const api::PolicyLifetimes& lifetimes() const noexcept { return lifetimes_; }

  /// Tells the catalog about this calculation. Called under the lock of freezing, or where no state
  /// is kept.
  engine::CalculationPtr enter(engine::Catalog& catalog) const;
  void set_state(engine::CalculationPtr state) { state_ = std::move(state); }
  /// Null: not cached, or the cache was out of use at the first load already.
  [[nodiscard]] engine::CalculationState* state() const noexcept;

  void count(std::int64_t computed, std::int64_t failed);
  /// Tells the program that older values stand in for a failure, unless it knows.
  void report_failure(std::string_view why) const noexcept;
  [[nodiscard]] CalculationStats stats() const;

 private:
  [[nodiscard]] store::CalculationRow counted_before() const;

  const ResourceCore& resource_;
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
  engine::CalculationPtr state_;
  engine::CalculationCounters uncached_;  // in the place of state_'s
};

class ResourceCore {
 public:
  ResourceCore(std::shared_ptr<Core> core, std::string_view name, RecordTraits traits);

  [[nodiscard]] engine::Engine& engine() const noexcept { return core_->engine; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// "Post:".
  [[nodiscard]] const std::string& key_prefix() const noexcept { return key_prefix_; }
  [[nodiscard]] const RecordTraits& traits() const noexcept { return traits_; }
  /// Appends "@acme", or nothing. Runs the user's callable.
  void append_scope(std::string& out) const;

  // ---- registering: one thread, before the first load; Error (misuse) afterwards

  CalculationCore& declare(const CalculationDeclaration& declaration);
  void cache(std::string_view calculation, const CachePolicy& policy);
  void claim_record_version();
  void set_scope(std::function<void(std::string&)> append_scope);

  // ---- any thread

  /// Ends the registration. Of the first call also: enters the cached calculations in the catalog.
  void freeze();
  /// Whether the calculations' states may be read.
  [[nodiscard]] bool is_entered() const noexcept { return entered_.load(); }

  [[nodiscard]] std::deque<CalculationCore>& calculations() noexcept { return calculations_; }
  [[nodiscard]] const std::deque<CalculationCore>& calculations() const noexcept {
    return calculations_;
  }
  /// Error (unknown_calculation) if there is none.
  [[nodiscard]] const CalculationCore& find(std::string_view name) const;

 private:
  void require_registering(std::string_view what) const;
  void enter_calculations();

  const std::shared_ptr<Core> core_;
  const std::string name_;
  const std::string key_prefix_;
  const RecordTraits traits_;
  std::function<void(std::string&)> append_scope_;
  bool has_record_version_ = false;
  std::deque<CalculationCore> calculations_;
  base::Mutex entering_;
  std::atomic<bool> loaded_{false};
  std::atomic<bool> entered_{false};
};

}  // namespace ashmemo::detail
