#include <doctest/doctest.h>

#include <ashmemo/clock.hpp>
#include <new>
#include <optional>
#include <span>
#include <vector>

#include "api/load_run.hpp"

// No memory at any point of a load: the load fails, others do not.

using namespace ashmemo;

namespace {

/// A run whose records are all computed.
class AllDone final : public detail::PageRun {
 public:
  bool decode(std::size_t, ValueView) override { return false; }
  [[nodiscard]] bool decodes_in_place() const noexcept override { return true; }
  void compute(std::span<const std::size_t> records, detail::RunObserver& observer) override {
    for (const std::size_t record : records) observer.done(record);
  }
  [[nodiscard]] std::optional<Value> encode(std::size_t) const override { return Value(); }
  [[nodiscard]] bool is_nothing(std::size_t) const override { return false; }
  void copy(std::size_t, std::size_t) override {}
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a result that cannot land was not computed") {
    const std::vector<std::size_t> records = {4, 5, 6};
    for (std::size_t last = 0; last < records.size(); ++last) {
      AllDone all_done;
      api::LoadRun run;
      run.run = &all_done;
      run.one_call = false;
      const auto land = [&](const api::Computed& computed) {
        if (computed.record == records[last]) throw std::bad_alloc();
      };
      const api::ComputeReport report = api::compute(ManualClock(), run, 0, records, land);
      CHECK(report.computed.size() == last);
      CHECK(report.thrown);
      CHECK(report.failures == 1);
    }
  }
}
