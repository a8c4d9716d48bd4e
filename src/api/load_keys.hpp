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

/// The keys of a page: "Post:42:" of the record, "excerpt(80)@acme" of the run. Making one asks the
/// scope.
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
