// A configuration file sets how long each calculation's results are kept, how much the cache keeps,
// and which eviction policy chooses the entries to evict. Then the same requests go to a cache with
// each of the eviction policies. The output is the same in each run.
//
//     policies examples/policies/policies.json

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../common/program.hpp"
#include "../common/temporary_directory.hpp"
#include "configuration.hpp"

namespace policies {
namespace {

using namespace std::chrono_literals;

struct Product {
  std::int64_t id = 0;
};

/// The program declares its calculations. The file names those that are cached.
class Shop {
 public:
  Shop(const std::string& file, const Configuration& configuration)
      : cache_(file, {.limits = configuration.limits,
                      .hooks = {.clock = clock_, .worker = ashmemo::WorkerMode::manual},
                      .eviction = configuration.eviction}) {
    products_.calculation("price", [](const Product& product) { return product.id * 100; });
    products_.calculation("rating", [](const Product& product) { return product.id % 5 + 1; });
    products_.calculation("export_line", [](const Product& product) { return product.id; });
    products_.calculation("stock", [](const Product& product) { return product.id % 7; });
    for (const auto& [name, policy] : configuration.calculations) {
      products_.cache_calculation(name, policy);
    }
  }

  void show_policies() const {
    for (const ashmemo::CalculationInfo& info : products_.calculations()) {
      fmt::print("  {:<13}{}\n", info.name, info.policy ? to_string(*info.policy) : "not cached");
    }
  }
  void show_hits(std::string_view when) const {
    const std::vector<Product> page = {{1}, {2}, {3}};
    fmt::print("  {:<12}", when);
    for (const char* name : {"price", "rating", "stock"}) {
      const std::int64_t before = cache_.stats().hits;
      (void)products_.find<std::int64_t>(name)(page);
      fmt::print(" {} {}", name, cache_.stats().hits - before);
    }
    fmt::print("\n");
  }
  void wait(ashmemo::Duration length) { clock_->advance(length); }

 private:
  std::shared_ptr<ashmemo::ManualClock> clock_ = std::make_shared<ashmemo::ManualClock>();
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Product>& products_ = registry_.resource<Product>("Product", &Product::id);
};

std::string text_of(const ashmemo::Limit& limit) {
  if (!limit.is_set()) return "default";
  return limit.is_unlimited() ? "unlimited" : fmt::format("{:L}", limit.count());
}

void show_configuration(const Configuration& configuration, const std::string& cache_file) {
  Shop shop(cache_file, configuration);
  fmt::print("max_entries {}, max_bytes {}, eviction {}\n",
             text_of(configuration.limits.max_entries), text_of(configuration.limits.max_bytes),
             to_string(configuration.eviction));
  shop.show_policies();
  fmt::print("\nHits for a page of three products\n");
  shop.show_hits("first");
  shop.show_hits("again");
  shop.wait(31s);
  shop.show_hits("after 31 s");
}

// -------------------------------------------------------------------------- eviction policies

constexpr std::int64_t kRecords = 5000;
constexpr std::int64_t kMaxEntries = 500;
constexpr std::int64_t kRequests = 12'000;
constexpr std::int64_t kDrift = 50;  // requests until the next record becomes the most popular one
constexpr std::int64_t kScanInterval = 6000;  // requests between scans
constexpr std::int64_t kScanLength = 1000;    // records that a scan reads, one after the other

/// Few records are popular: the most popular one is asked for n times as often as the nth (Zipf's
/// law). Which records are popular changes slowly. From time to time a scan reads many records
/// once.
std::vector<std::int64_t> make_requests() {
  std::vector<double> sums;
  for (std::int64_t n = 1; n <= kRecords; ++n) {
    sums.push_back((sums.empty() ? 0 : sums.back()) + 1.0 / static_cast<double>(n));
  }
  std::mt19937_64 random(7);  // its numbers are the same on every machine
  std::vector<std::int64_t> requests;
  for (std::int64_t i = 0; i < kRequests; ++i) {
    const double share = static_cast<double>(random() >> 11U) / static_cast<double>(1ULL << 53U);
    const auto rank = std::upper_bound(sums.begin(), sums.end() - 1, share * sums.back());
    requests.push_back((rank - sums.begin() + i / kDrift) % kRecords);
    if ((i + 1) % kScanInterval != 0) continue;
    for (std::int64_t id = kRecords - kScanLength; id < kRecords; ++id) requests.push_back(id);
  }
  return requests;
}

ashmemo::Stats serve(const std::vector<std::int64_t>& requests, ashmemo::Eviction eviction) {
  const example::TemporaryDirectory directory;
  const auto clock = std::make_shared<ashmemo::ManualClock>();
  ashmemo::Cache cache(directory.file("requests.cache.db"),
                       {.limits = {.max_entries = kMaxEntries},
                        .hooks = {.clock = clock, .worker = ashmemo::WorkerMode::manual},
                        .eviction = eviction});
  for (std::size_t i = 0; i < requests.size(); ++i) {
    (void)cache.get_or_compute(std::to_string(requests[i]), [&] { return requests[i]; });
    clock->advance(10ms);
    if (i % 50 == 0) cache.flush();  // otherwise queued writes answer too, in excess of the limit
  }
  return cache.stats();
}

void show_eviction_policies() {
  const std::vector<std::int64_t> requests = make_requests();
  fmt::print("\n{:L} requests for {:L} records, {:L} of them by scans; max_entries {}\n",
             requests.size(), kRecords, std::ssize(requests) - kRequests, kMaxEntries);
  fmt::print("  {:<10}{:>10}{:>10}{:>10}{:>10}\n", "eviction", "hit ratio", "hits", "computed",
             "evicted");
  using ashmemo::Eviction;
  for (const Eviction eviction :
       {Eviction::none, Eviction::fifo, Eviction::lru, Eviction::clock, Eviction::s3fifo}) {
    const ashmemo::Stats stats = serve(requests, eviction);
    fmt::print("  {:<10}{:>8.2f} %{:>10L}{:>10L}{:>10L}\n", to_string(eviction),
               100.0 * static_cast<double>(stats.hits) / static_cast<double>(requests.size()),
               stats.hits, stats.computed, stats.evicted);
  }
}

void run(const std::string& configuration_file) {
  const example::TemporaryDirectory directory;
  const Configuration configuration = read_configuration(configuration_file);
  try {
    show_configuration(configuration, directory.file("shop.cache.db"));
  } catch (const ashmemo::Error& error) {  // unknown calculation or impossible value
    throw std::runtime_error(configuration_file + ": " + error.what());
  }
  show_eviction_policies();
}

}  // namespace
}  // namespace policies

int main(int argc, char** argv) {
  CLI::App app("Policies from a configuration file, and a comparison of eviction policies.",
               "policies");
  std::string file;
  app.add_option("FILE", file, "for example examples/policies/policies.json")->required();
  return example::run_program(app, argc, argv, [&] { policies::run(file); });
}
