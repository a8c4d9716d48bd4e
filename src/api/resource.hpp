#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <ashmemo/detail/resource_core.hpp>

#include "api/calculation.hpp"
#include "api/core.hpp"
#include "base/mutex.hpp"
#include "base/thread_stack.hpp"

namespace ashmemo::detail {

/// One resource: its name, its scope and its calculations. It is constant after the first load, so
/// loads read it without a mutex. The first load enters its calculations in the catalog.
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

  // ---- registering: one thread, before the first load; later it is Error (misuse)

  CalculationCore& declare(const CalculationDeclaration& declaration);
  void cache(std::string_view calculation, const CachePolicy& policy);
  void claim_record_version();
  void set_scope(std::function<void(std::string&)> append_scope);

  // ---- any thread

  /// Ends the registration. The first call also enters the cached calculations in the catalog.
  void freeze();
  [[nodiscard]] std::deque<CalculationCore>& calculations() noexcept { return calculations_; }
  [[nodiscard]] const std::deque<CalculationCore>& calculations() const noexcept {
    return calculations_;
  }
  /// Throws Error (unknown_calculation) if there is no calculation of that name.
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
  base::Mutex entering_ ASHMEMO_LOCK_LEVEL(1);
  std::atomic<bool> loaded_{false};
  std::atomic<bool> entered_{false};
};

/// While it lives, loads of the resource on this thread use this scope and do not call the user's
/// scope function. A refresh runs on a thread that does not know the scope of its caller.
class CarriedScope : public base::ThreadStack<CarriedScope> {
 public:
  CarriedScope(const ResourceCore& resource, std::string_view scope)
      : resource_(resource), scope_(scope) {}

  /// The scope that loads of the resource must use; null: they call the scope function.
  [[nodiscard]] static const std::string_view* of(const ResourceCore& resource);

 private:
  const ResourceCore& resource_;
  const std::string_view scope_;  // "@acme"
};

}  // namespace ashmemo::detail
