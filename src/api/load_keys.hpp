#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/value.hpp>

#include "api/resource.hpp"
#include "engine/reading.hpp"

namespace ashmemo::api {

/// While it lives, loads of the resource on this thread have this scope and do not ask for it: a
/// refresh runs on a thread that knows nothing of the caller it works for.
class CarriedScope {
 public:
  CarriedScope(const detail::ResourceCore& resource, std::string_view scope);
  ~CarriedScope();
  CarriedScope(const CarriedScope&) = delete;
  CarriedScope& operator=(const CarriedScope&) = delete;

  /// Null: there is none.
  [[nodiscard]] static const std::string_view* of(const detail::ResourceCore& resource);

 private:
  static thread_local const CarriedScope* innermost_;
  const detail::ResourceCore& resource_;
  const std::string_view scope_;  // "@acme"
  const CarriedScope* const outer_;
};

/// The keys of a page: "Post:42:" of the record, "excerpt(80)@acme" of the run. Making one asks the
/// scope, unless a refresh carries it.
///
/// All queries' keys stand one after another in one string, so that a key costs no allocation; they
/// are good for as long as this object.
class PageKeys {
 public:
  PageKeys(const detail::ResourceCore& resource, const detail::RecordSource& records);
  PageKeys(const PageKeys&) = delete;
  PageKeys& operator=(const PageKeys&) = delete;

  /// One query for each record of each run: all of the first run, then all of the next.
  [[nodiscard]] std::vector<engine::Query> queries(
      const std::vector<detail::CalculationRun*>& runs);
  [[nodiscard]] std::string key(const detail::CalculationRun& run, std::size_t record) const;
  [[nodiscard]] std::string_view scope() const noexcept { return scope_; }

 private:
  void build_records();
  void build_keys(const std::vector<detail::CalculationRun*>& runs);
  [[nodiscard]] std::string call_of(const detail::CalculationRun& run) const;
  [[nodiscard]] std::string_view record_key(std::size_t record) const;

  const detail::ResourceCore& resource_;
  const detail::RecordSource& records_;
  std::string scope_;              // "@acme"
  std::string record_keys_;        // "Post:42:Post:43:"
  std::vector<std::size_t> ends_;  // of each record's in it
  std::vector<Value> versions_;    // of each record; empty: there are none
  std::string keys_;
};

}  // namespace ashmemo::api
