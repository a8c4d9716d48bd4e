#include "api/load_run.hpp"

#include <utility>

namespace ashmemo::api {

namespace {

class Recorder final : public detail::RunObserver {
 public:
  using Completed = std::function<void(const Computed&)>;

  Recorder(const Clock& clock, std::size_t run, bool one_call, std::size_t asked,
           const Completed& completed)
      : clock_(clock),
        run_(run),
        one_call_(one_call),
        completed_(completed),
        last_(clock.steady_now()) {
    report_.computed.reserve(asked);
  }

  void done(std::size_t record) override {
    const Computed computed{run_, record, one_call_ ? 0 : lap()};
    if (!one_call_) completed_(computed);
    report_.computed.push_back(computed);  // only now: what cannot land was not computed
  }
  void failed(std::size_t record, std::string why) override {
    report_.failed.push_back({run_, record, std::move(why)});
  }

  [[nodiscard]] ComputeReport finish(std::size_t asked, std::exception_ptr thrown) {
    report_.failures = static_cast<std::int64_t>(report_.failed.size());
    if (one_call_ && thrown) {
      report_.computed.clear();
      report_.failed.clear();
      report_.failures = static_cast<std::int64_t>(asked);
    } else if (one_call_) {
      land_batch(asked);
    } else if (thrown) {
      ++report_.failures;
    }
    report_.thrown = std::move(thrown);
    return std::move(report_);
  }

 private:
  // Nobody can tell which record of a batch took how long.
  void land_batch(std::size_t asked) {
    const std::int64_t each = lap() / static_cast<std::int64_t>(asked);
    for (Computed& computed : report_.computed) {
      computed.cost_us = each;
      completed_(computed);
    }
  }
  [[nodiscard]] std::int64_t lap() {
    const std::int64_t now = clock_.steady_now();
    return now - std::exchange(last_, now);
  }

  const Clock& clock_;
  const std::size_t run_;
  const bool one_call_;
  const Completed& completed_;
  std::int64_t last_;
  ComputeReport report_;
};

}  // namespace

ComputeReport compute(const Clock& clock, const LoadRun& run, std::size_t number,
                      std::span<const std::size_t> records,
                      const std::function<void(const Computed&)>& completed) {
  Recorder recorder(clock, number, run.one_call, records.size(), completed);
  std::exception_ptr thrown;
  try {
    run.run->compute(records, recorder);
  } catch (...) {
    thrown = std::current_exception();
  }
  return recorder.finish(records.size(), std::move(thrown));
}

std::string what_is(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

}  // namespace ashmemo::api
