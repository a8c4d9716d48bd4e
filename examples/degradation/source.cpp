#include "source.hpp"

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "../common/terminal.hpp"

namespace degradation {
namespace {

using namespace std::chrono_literals;

struct Currency {
  std::string code;
};

/// Keeps the tasks of the cache until the program runs them. The tests of an application can use
/// such an executor too. It is for one thread.
class ManualExecutor final : public ashmemo::Executor {
 public:
  void post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  /// Returns the number of tasks.
  std::size_t run() {
    const auto tasks = std::exchange(tasks_, {});
    for (const auto& task : tasks) task();
    return tasks.size();
  }

 private:
  std::deque<std::function<void()>> tasks_;
};

/// Exchange rates from a service on the network.
struct Rates {
  explicit Rates(const std::string& file)
      : cache(file, {.hooks = {.clock = clock,
                               .executor = background,
                               .on_error = report,
                               .worker = ashmemo::WorkerMode::manual}}) {
    currencies.cache_calculation(
        "rate", {.ttl = 10min, .stale_while_revalidate = 10min, .stale_if_error = 1h});
  }

  static void report(const ashmemo::Notice& notice) {
    fmt::print("{}",
               example::wrapped(fmt::format("notice {}: {}", to_string(notice.kind), notice.what)));
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
  void load() const {
    const std::vector<int> rates = rate({{"CHF"}, {"EUR"}, {"JPY"}});
    fmt::print("  {}  rates {}, calls of the source {}\n", time(), fmt::join(rates, " "), calls);
  }

  int calls = 0;
  int published = 1;
  bool is_down = false;
  std::shared_ptr<ashmemo::ManualClock> clock = std::make_shared<ashmemo::ManualClock>();
  std::shared_ptr<ManualExecutor> background = std::make_shared<ManualExecutor>();
  ashmemo::Cache cache;
  ashmemo::Registry registry{cache};
  ashmemo::Resource<Currency>& currencies =
      registry.resource<Currency>("Currency", &Currency::code);
  ashmemo::Calculation<Currency, int> rate = currencies.calculation(
      "rate", [this](ashmemo::Records<Currency> batch) { return fetch(batch); });
};

void show_refresh(Rates& rates) {
  fmt::print("Stale results answer at once; one batch in the background fetches new ones\n");
  rates.load();
  rates.clock->advance(10min);
  rates.published = 2;
  rates.load();
  rates.load();  // a refresh is waiting already, so the cache does not start a second one
  fmt::print("  tasks in the background: {}\n", rates.background->run());
  rates.load();
}

void show_pauses(Rates& rates) {
  fmt::print("\nThe source is down; a load each second calls it less and less often\n");
  rates.clock->advance(10min);
  rates.is_down = true;
  for (int second = 0; second < 240; ++second, rates.clock->advance(1s)) {
    (void)rates.rate(Currency{"EUR"});
    if (rates.background->run() != 0) fmt::print("  {}  called\n", rates.time());
  }
  rates.load();
}

void show_failure(Rates& rates) {
  fmt::print("\nAfter stale_while_revalidate a load calls the source itself; it fails\n");
  rates.clock->advance(16min);
  rates.load();
  (void)rates.cache.run_maintenance();  // in manual mode, this calls on_error
}

void show_recovery(Rates& rates) {
  fmt::print("\nThe source works again; the first load after the pause gets new results\n");
  rates.is_down = false;
  rates.published = 3;
  rates.clock->advance(1min);
  rates.load();
}

}  // namespace

void show_failing_source(const std::string& cache_file) {
  Rates rates(cache_file);
  fmt::print("rate: {}\n", to_string(*rates.currencies.calculations().front().policy));
  show_refresh(rates);
  show_pauses(rates);
  show_failure(rates);
  show_recovery(rates);
}

}  // namespace degradation
