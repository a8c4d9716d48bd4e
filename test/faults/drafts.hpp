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

/// Documents as a second kind of record: with versions and in a scope, under calculations that take
/// arguments and batches, and may fail. Their results must always be right, too.
class Drafts {
 public:
  explicit Drafts(Trial& trial) : trial_(trial) {}

  /// Declares them, if they are not yet declared.
  Resource<Document>& resource();
  /// Of a batch, with an argument. While `failing` it answers Failed for every third document.
  [[nodiscard]] const Calculation<Document, std::int64_t, std::int64_t>& scaled();
  /// Throws while `failing`; what is over answers then for another hour.
  [[nodiscard]] const Calculation<Document, std::int64_t>& backed();

  /// Both for the whole page.
  void load(const LoadOptions& options = {});
  /// One by one, each by its handle.
  void ask();
  /// What is there already.
  void look();
  /// Results are others from now on: as much as the cache has kept must be invalidated.
  void edit(const std::function<void()>& invalidate);
  void close();
  [[nodiscard]] bool was_declared() const { return was_declared_; }

  std::vector<Document> page = documents();  ///< their sizes are their versions
  std::string tenant = "acme";               ///< the scope
  bool failing = false;

 private:
  [[nodiscard]] std::int64_t result_of(const Document& each, std::int64_t factor) const;
  void expect_right(const Document& each, std::int64_t factor, std::int64_t answer) const;
  /// What calculations that fail may answer with.
  void unless_failing(const std::function<void()>& call) const;

  Trial& trial_;
  std::int64_t edition_ = 0;
  bool was_declared_ = false;
  Resource<Document>* resource_ = nullptr;
  Calculation<Document, std::int64_t, std::int64_t> scaled_;
  Calculation<Document, std::int64_t> backed_;
};

}  // namespace ashmemo::test
