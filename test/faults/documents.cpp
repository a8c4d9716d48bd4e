#include <doctest/doctest.h>

#include "faults/trial.hpp"

// The parts of Trial that declare and use calculations.

namespace ashmemo::test {

std::vector<Document> documents() {
  std::vector<Document> all;
  for (std::int64_t id = 1; id <= 12; ++id) all.push_back({id, 100 + id});
  return all;
}

Registry& Trial::registry() {
  if (!registry_) registry_ = std::make_unique<Registry>(cache());
  return *registry_;
}

Resource<Document>& Trial::resource() {
  if (resource_ != nullptr) return *resource_;
  was_declared_ = true;
  resource_ = &registry().resource<Document>("Document", &Document::id);
  sum_ = resource_->calculation("sum", [](const Document& each) { return each.id + each.size; },
                                {.version = version});
  product_ = resource_->calculation(
      "product", [](const Document& each) { return each.id * each.size; }, {.version = version});
  resource_->cache_calculation("sum", {.ttl = std::chrono::hours(24)});
  resource_->cache_calculation(
      "product", {.ttl = std::chrono::hours(1), .stale_while_revalidate = std::chrono::hours(1)});
  return *resource_;
}

const Calculation<Document, std::int64_t>& Trial::sum() {
  (void)resource();
  return sum_;
}

const Calculation<Document, std::int64_t>& Trial::product() {
  (void)resource();
  return product_;
}

void Trial::load(const std::vector<Document>& page) {
  const auto [sums, products] = resource().load(page, sum(), product());
  REQUIRE(sums.size() == page.size());
  for (std::size_t i = 0; i < page.size(); ++i) {
    CHECK(sums[i] == page[i].id + page[i].size);
    CHECK(products[i] == page[i].id * page[i].size);
  }
}

// Results that a load computed must be found by the next load.
void Trial::expect_results_kept() {
  if (drafts_.was_declared()) drafts_.load();
  if (!was_declared_) return;
  load(documents());
  const std::int64_t computed = sum().stats().computed;
  load(documents());
  CHECK(sum().stats().computed == computed);
}

}  // namespace ashmemo::test
