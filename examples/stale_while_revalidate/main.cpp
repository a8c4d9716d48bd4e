// Results that are past their time answer while newer ones are fetched, and when the source fails.
// The clock is moved by hand, the background runs when it is told. Prints, each time the same:
//
// == begin
// rate: ttl 10m, stale_while_revalidate 10m, stale_if_error 1h
//
// A stale page is answered at once; a batch in the background brings it up to date
//  00:00  rates 1 1 1, calls of the source: 1
//  10:00  rates 1 1 1, calls of the source: 1
//  10:00  rates 1 1 1, calls of the source: 1
//         background: 1 task
//  10:00  rates 2 2 2, calls of the source: 2
//
// The source is down, somebody asks each second: old values, fewer and fewer calls
//  20:00  called
//  20:01  called
//  20:03  called
//  20:07  called
//  20:15  called
//  20:31  called
//  21:03  called
//  22:03  called
//  23:03  called
//  24:00  rates 2 2 2, calls of the source: 11
//
// Past stale_while_revalidate a load calls the source; it has the old values still
//  40:00  rates 2 2 2, calls of the source: 12
//  told: calculation 'rate' of 'Currency' failed;
//        older values are served, and it is tried again later: no connection
//
// The source is back, as the first load finds that asks after the pause
//  41:00  rates 3 3 3, calls of the source: 13
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../arguments.hpp"
#include "../temporary_directory.hpp"

namespace {

using namespace std::chrono_literals;

struct Currency {
  std::string code;
};

/// Runs tasks when it is told: what a program's own tests can give the cache as its background.
class WhenTold final : public ashmemo::Executor {
 public:
  void post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  std::size_t run() {
    std::deque<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
    return tasks.size();
  }

 private:
  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
};

struct Rates {
  explicit Rates(const std::string& file)
      : cache(file, {.hooks = {.clock = clock,
                               .executor = background,
                               .on_error = [this](const ashmemo::Notice& n) { last = n.what; },
                               .worker = ashmemo::WorkerMode::manual}}) {
    currencies.cache_calculation(
        "rate", {.ttl = 10min, .stale_while_revalidate = 10min, .stale_if_error = 1h});
  }

  std::vector<int> fetch(ashmemo::Records<Currency> batch) {
    ++calls;
    if (is_down) throw std::runtime_error("no connection");
    return std::vector<int>(batch.size(), published);
  }
  [[nodiscard]] std::string time() const {
    const std::int64_t seconds = clock->steady_now() / 1'000'000;
    return fmt::format("{:02}:{:02}", seconds / 60, seconds % 60);
  }
  void show() const {
    const std::vector<int> got = rate({{"CHF"}, {"EUR"}, {"JPY"}});
    fmt::print(" {}  rates {} {} {}, calls of the source: {}\n", time(), got[0], got[1], got[2],
               calls);
  }

  int calls = 0;
  int published = 1;
  bool is_down = false;
  std::string last;  ///< what the cache told last
  std::shared_ptr<ashmemo::ManualClock> clock = std::make_shared<ashmemo::ManualClock>();
  std::shared_ptr<WhenTold> background = std::make_shared<WhenTold>();
  ashmemo::Cache cache;
  ashmemo::Registry registry{cache};
  ashmemo::Resource<Currency>& currencies =
      registry.resource<Currency>("Currency", &Currency::code);
  ashmemo::Calculation<Currency, int> rate = currencies.calculation(
      "rate", [this](ashmemo::Records<Currency> batch) { return fetch(batch); });
};

std::string in_two_lines(std::string text) {
  const std::size_t half = text.find("; ");
  return half == std::string::npos ? text : text.replace(half, 2, ";\n       ");
}

void show_refresh(Rates& rates) {
  fmt::print(
      "\nA stale page is answered at once; a batch in the background brings it up to date\n");
  rates.show();
  rates.clock->advance(10min);
  rates.published = 2;
  rates.show();
  rates.show();  // a refresh is under way: no second one
  fmt::print("        background: {} task\n", rates.background->run());
  rates.show();
}

void show_pauses(Rates& rates) {
  fmt::print(
      "\nThe source is down, somebody asks each second: old values, fewer and fewer calls\n");
  rates.clock->advance(10min);
  rates.is_down = true;
  for (int second = 0; second < 240; ++second, rates.clock->advance(1s)) {
    (void)rates.rate(Currency{"EUR"});
    if (rates.background->run() != 0) fmt::print(" {}  called\n", rates.time());
  }
  rates.show();
}

void show_failure(Rates& rates) {
  fmt::print(
      "\nPast stale_while_revalidate a load calls the source; it has the old values still\n");
  rates.clock->advance(16min);
  rates.show();
  (void)rates.cache.run_maintenance();  // the worker is who tells
  fmt::print(" told: {}\n", in_two_lines(rates.last));
}

void show_recovery(Rates& rates) {
  fmt::print("\nThe source is back, as the first load finds that asks after the pause\n");
  rates.is_down = false;
  rates.published = 3;
  rates.clock->advance(1min);
  rates.show();
}

}  // namespace

int main(int argc, char** argv) {
  const auto refused = example::refuse_arguments(
      argc, argv, "stale_while_revalidate: old results until new ones come");
  if (refused) return *refused;
  try {
    const example::TemporaryDirectory directory;
    Rates rates(directory.file("rates.cache.db"));
    const ashmemo::CalculationInfo info = rates.currencies.calculations().front();
    fmt::print("{}: {}\n", info.name, to_string(*info.policy));
    show_refresh(rates);
    show_pauses(rates);
    show_failure(rates);
    show_recovery(rates);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "stale_while_revalidate: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
