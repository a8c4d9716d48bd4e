#pragma once

#include <ashmemo/ashmemo.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "faults/document.hpp"

namespace ashmemo::test {

class Trial;

/// A second resource for documents. It has record versions and a scope, and its calculations take
/// arguments and batches and can fail. Their results must also be correct at all times.
class Drafts {
 public:
  explicit Drafts(Trial& trial) : trial_(trial) {}

  /// Declares the resource and its calculations, if they are not declared yet.
  Resource<Document>& resource();
  /// A calculation of a batch with an argument. While `failing`, every third document gets Failed.
  [[nodiscard]] const Calculation<Document, std::int64_t, std::int64_t>& scaled();
  /// Throws while `failing`. Expired results are then returned for another hour.
  [[nodiscard]] const Calculation<Document, std::int64_t>& backed();

  /// Loads both calculations for the whole page and checks the results.
  void load(const LoadOptions& options = {});
  /// Calls the handle of each calculation and checks the results.
  void call_handles();
  /// Checks the results that are already cached.
  void check_cached();
  /// Changes all results from now on. `invalidate` must invalidate all that the cache has stored.
  void change_results(const std::function<void()>& invalidate);
  void close();
  [[nodiscard]] bool was_declared() const { return was_declared_; }

  std::vector<Document> page = documents();  ///< the size of a document is its version
  std::string tenant = "acme";               ///< the scope
  bool failing = false;

 private:
  [[nodiscard]] std::int64_t result_of(const Document& each, std::int64_t factor) const;
  void expect_correct(const Document& each, std::int64_t factor, std::int64_t answer) const;
  /// Runs the call. Accepts the exceptions of failing calculations while `failing`.
  void unless_failing(const std::function<void()>& call) const;

  Trial& trial_;
  std::int64_t edition_ = 0;
  bool was_declared_ = false;
  Resource<Document>* resource_ = nullptr;
  Calculation<Document, std::int64_t, std::int64_t> scaled_;
  Calculation<Document, std::int64_t> backed_;
};

}  // namespace ashmemo::test
