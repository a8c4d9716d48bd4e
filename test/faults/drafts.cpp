#include "faults/drafts.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "faults/trial.hpp"

namespace ashmemo::test {
namespace {

constexpr std::int64_t kFactor = 3;
constexpr std::int64_t kEdition = 1'000'000;
constexpr std::chrono::hours kHour{1};

/// The exception that `backed` throws.
struct NoAnswer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace

Resource<Document>& Drafts::resource() {
  if (resource_ != nullptr) return *resource_;
  was_declared_ = true;
  resource_ = &trial_.registry().resource<Document>("Draft", &Document::id);
  resource_->record_version(&Document::size);
  resource_->scope([this] { return tenant; });
  scaled_ = resource_->calculation("scaled", [this](Records<Document> batch, std::int64_t factor) {
    std::vector<Outcome<std::int64_t>> results(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      results[i] = result_of(batch[i], factor);
      if (failing && batch[i].id % 3 == 0) results[i] = Failed{"not today"};
    }
    return results;
  });
  backed_ = resource_->calculation("backed", [this](const Document& each) {
    return failing ? throw NoAnswer("not today") : result_of(each, 1);
  });
  resource_->cache_calculation("scaled", {.ttl = 24 * kHour});
  resource_->cache_calculation("backed", {.ttl = kHour, .stale_if_error = kHour});
  return *resource_;
}

const Calculation<Document, std::int64_t, std::int64_t>& Drafts::scaled() {
  (void)resource();
  return scaled_;
}

const Calculation<Document, std::int64_t>& Drafts::backed() {
  (void)resource();
  return backed_;
}

void Drafts::close() { resource_ = nullptr; }

std::int64_t Drafts::result_of(const Document& each, std::int64_t factor) const {
  const auto scope = static_cast<std::int64_t>(tenant.size());
  return edition_ * kEdition + (each.id * 1'000 + each.size) * factor + scope * 100'000;
}

void Drafts::expect_correct(const Document& each, std::int64_t factor, std::int64_t answer) const {
  const std::int64_t right = result_of(each, factor);
  const bool is_earlier = answer < right && (right - answer) % kEdition == 0;
  CHECK_MESSAGE((answer == right || (is_earlier && trial_.may_have_returned())),
                "draft " << each.id << ": " << answer << " instead of " << right);
}

// ------------------------------------------------------------------------------------------------
// calls

void Drafts::unless_failing(const std::function<void()>& call) const {
  try {
    call();
  } catch (const NoAnswer&) {
    CHECK(failing);
  } catch (const CalculationFailed& error) {
    CHECK(failing);
    for (const CalculationFailed::Record& each : error.records()) {
      CHECK(page.at(each.index).id % 3 == 0);
    }
  }
}

void Drafts::load(const LoadOptions& options) {
  unless_failing([&] {
    const auto [scaled_ones, backed_ones] =
        resource().load(page, options, scaled().with(kFactor), backed());
    REQUIRE(scaled_ones.size() == page.size());
    REQUIRE(backed_ones.size() == page.size());
    for (std::size_t i = 0; i < page.size(); ++i) {
      expect_correct(page[i], kFactor, scaled_ones[i]);
      expect_correct(page[i], 1, backed_ones[i]);
    }
  });
}

void Drafts::call_handles() {
  const Document& first = page.front();
  unless_failing([&] { expect_correct(first, 1, backed()(first)); });
  unless_failing([&] {
    const std::vector<std::int64_t> answers = scaled()(page, kFactor);
    REQUIRE(answers.size() == page.size());
    for (std::size_t i = 0; i < page.size(); ++i) expect_correct(page[i], kFactor, answers[i]);
  });
}

void Drafts::check_cached() {
  const auto answers = scaled().cached(page, kFactor);
  REQUIRE(answers.size() == page.size());
  for (std::size_t i = 0; i < page.size(); ++i) {
    if (answers[i]) expect_correct(page[i], kFactor, *answers[i]);
  }
  const Document& first = page.front();
  const std::optional<std::int64_t> one = backed().cached(first);
  if (one) expect_correct(first, 1, *one);
}

void Drafts::change_results(const std::function<void()>& invalidate) {
  ++edition_;
  invalidate();
}

}  // namespace ashmemo::test
