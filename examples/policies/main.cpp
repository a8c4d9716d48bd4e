// A configuration file says how long each calculation's results are kept, how much is kept at all,
// and what leaves first. Then the same requests to each way of choosing what leaves. Run as
// `policies examples/policies/policies.json` it prints, each time the same:
//
// == begin
// limits: entries unlimited, bytes 67,108,864; eviction s3fifo
//   price        ttl 30s
//   rating       ttl 10m, stale_while_revalidate 1h
//   export_line  ttl 1d, eviction fifo
//   stock        not cached
//
// Of three products, so many are hits
//   at first     price 0, rating 0, stock 0
//   at once      price 3, rating 3, stock 0
//   after 31 s   price 0, rating 3, stock 0
//
// 14,000 requests for 5,000 records, 2,000 of them by scans; room for 500
//   eviction   hit ratio      hits  computed   evicted
//   none         43.69 %     6,117     7,883         0
//   fifo         50.44 %     7,061     6,939     6,393
//   lru          53.38 %     7,473     6,527     5,981
//   clock        54.03 %     7,564     6,436     5,890
//   s3fifo       54.80 %     7,672     6,328     5,782
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../arguments.hpp"
#include "../grouped.hpp"
#include "../printable.hpp"
#include "../temporary_directory.hpp"
#include "configuration.hpp"

namespace policies {
namespace {

using namespace std::chrono_literals;
using example::grouped;

// ------------------------------------------------------------------------------- what it is set to

struct Product {
  std::int64_t id = 0;
};

std::string with_count(const ashmemo::Limit& limit) {
  if (!limit.is_set()) return "as by default";
  return limit.is_unlimited() ? "unlimited" : grouped(limit.count());
}

/// The calculations are the program's; the file names them.
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
    const auto hits = [&](const char* name) {
      const auto calculation = products_.find<std::int64_t>(name);
      const std::int64_t before = cache_.stats().hits;
      (void)calculation(page);
      return cache_.stats().hits - before;
    };
    fmt::print("  {:<13}price {}, rating {}, stock {}\n", when, hits("price"), hits("rating"),
               hits("stock"));
  }
  void wait(ashmemo::Duration length) { clock_->advance(length); }

 private:
  std::shared_ptr<ashmemo::ManualClock> clock_ = std::make_shared<ashmemo::ManualClock>();
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Product>& products_ = registry_.resource<Product>("Product", &Product::id);
};

void show_configuration(const Configuration& configuration, const std::string& file) {
  Shop shop(file, configuration);
  fmt::print("limits: entries {}, bytes {}; eviction {}\n",
             with_count(configuration.limits.max_entries),
             with_count(configuration.limits.max_bytes), to_string(configuration.eviction));
  shop.show_policies();
  fmt::print("\nOf three products, so many are hits\n");
  shop.show_hits("at first");
  shop.show_hits("at once");
  shop.wait(31s);
  shop.show_hits("after 31 s");
}

// ----------------------------------------------------------------------------- what leaves first

constexpr std::int64_t kRecords = 5000;
constexpr std::int64_t kRoom = 500;
constexpr std::int64_t kRequests = 12'000;
constexpr std::int64_t kDrift = 50;      // requests, until the next record is the most popular one
constexpr std::int64_t kBetween = 6000;  // requests, until somebody reads through many records
constexpr std::int64_t kScanned = 1000;  // so many, one after the other

/// Few records are asked for often and most hardly ever (Zipf): the nth most popular one is asked
/// for 1/n as often as the first, and which these are changes slowly. Scans read many records once.
std::vector<std::int64_t> make_requests() {
  std::vector<double> up_to;
  for (std::int64_t n = 1; n <= kRecords; ++n) {
    up_to.push_back((up_to.empty() ? 0 : up_to.back()) + 1.0 / static_cast<double>(n));
  }
  std::mt19937_64 random(7);  // seeded: the standard says what it answers, on any machine
  std::vector<std::int64_t> requests;
  for (std::int64_t i = 0; i < kRequests; ++i) {
    const double share = static_cast<double>(random() >> 11U) / static_cast<double>(1ULL << 53U);
    const auto rank = std::upper_bound(up_to.begin(), up_to.end() - 1, share * up_to.back());
    requests.push_back((rank - up_to.begin() + i / kDrift) % kRecords);
    if ((i + 1) % kBetween != 0) continue;
    for (std::int64_t id = 0; id < kScanned; ++id) requests.push_back(kRecords - kScanned + id);
  }
  return requests;
}

ashmemo::Stats serve(const std::vector<std::int64_t>& requests, ashmemo::Eviction eviction) {
  const example::TemporaryDirectory directory;
  const auto clock = std::make_shared<ashmemo::ManualClock>();
  ashmemo::Cache cache(directory.file("requests.cache.db"),
                       {.limits = {.max_entries = kRoom},
                        .hooks = {.clock = clock, .worker = ashmemo::WorkerMode::manual},
                        .eviction = eviction});
  for (std::size_t i = 0; i < requests.size(); ++i) {
    (void)cache.get_or_compute(std::to_string(requests[i]), [&] { return requests[i]; });
    clock->advance(10ms);
    if (i % 50 == 0) cache.flush();  // else what was put would wait, and answer, beyond the limit
  }
  return cache.stats();
}

void show_strategies() {
  const std::vector<std::int64_t> requests = make_requests();
  fmt::print("\n{} requests for {} records, {} of them by scans; room for {}\n",
             grouped(std::ssize(requests)), grouped(kRecords),
             grouped(std::ssize(requests) - kRequests), grouped(kRoom));
  fmt::print("  {:<10}{:>10}{:>10}{:>10}{:>10}\n", "eviction", "hit ratio", "hits", "computed",
             "evicted");
  using ashmemo::Eviction;
  for (const Eviction eviction :
       {Eviction::none, Eviction::fifo, Eviction::lru, Eviction::clock, Eviction::s3fifo}) {
    const ashmemo::Stats stats = serve(requests, eviction);
    fmt::print("  {:<10}{:>8.2f} %{:>10}{:>10}{:>10}\n", to_string(eviction),
               100.0 * static_cast<double>(stats.hits) / static_cast<double>(requests.size()),
               grouped(stats.hits), grouped(stats.computed), grouped(stats.evicted));
  }
}

void run(const std::string& configuration_file) {
  const example::TemporaryDirectory directory;
  const Configuration configuration = read_configuration(configuration_file);
  try {
    show_configuration(configuration, directory.file("shop.cache.db"));
  } catch (const ashmemo::Error& error) {  // what the library does not take: it says what and why
    throw std::runtime_error(configuration_file + ": " + error.what());
  }
  show_strategies();
}

}  // namespace
}  // namespace policies

int main(int argc, char** argv) {
  const bool is_question = argc > 1 && argv[1] == std::string_view("--help");
  if (argc != 2 || is_question) {
    fmt::print(is_question ? stdout : stderr,
               "usage: policies FILE, such as examples/policies/policies.json\n");
    return is_question ? EXIT_SUCCESS : example::kExitUsage;
  }
  try {
    policies::run(argv[1]);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "policies: {}\n", example::printable(error.what()));
    return EXIT_FAILURE;
  }
}
