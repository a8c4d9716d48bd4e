// Calculations that ask for the results of others: an order's total needs its lines' prices, these
// need their customer's discount. A batch form asks for a whole level at once. Calculations that
// need each other are told with the path that leads around. Prints:
//
// == begin
// Three orders: a lookup and a batch for each level
//   customer discounts: 1 call for 2 records
//   line prices: 1 call for 5 records
//   order totals: 1 call for 3 records
//   totals 108 72 40: 0 hits, 13 misses
// Once more: totals that are kept need nothing else
//   totals 108 72 40: 3 hits, 0 misses
// A task after another; two tasks after each other
//   starts on day 2
// cycle: these calculations need each other's results:
//   Task:3:start -> Task:4:start -> Task:3:start
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "../arguments.hpp"
#include "../grouped.hpp"
#include "../temporary_directory.hpp"

namespace {

struct Customer {
  std::int64_t id = 0;
  std::int64_t orders_so_far = 0;
};
struct Line {
  std::int64_t id = 0;
  std::int64_t list_price = 0;
  const Customer* customer = nullptr;
};
struct Order {
  std::int64_t id = 0;
  std::vector<Line> lines;
};
struct Task {
  std::int64_t id = 0;
  int days = 1;
  const Task* after = nullptr;  ///< the one that must be done before
};

using example::counted;
using Numbers = std::vector<std::int64_t>;

struct Shop {
  explicit Shop(const std::string& file) : cache(file) {
    customers.cache_calculation("discount", {});
    lines.cache_calculation("price", {});
    orders.cache_calculation("total", {});
    tasks.cache_calculation("start", {});
  }

  static Numbers compute_discounts(ashmemo::Records<Customer> batch) {
    fmt::print("  customer discounts: 1 call for {} records\n", batch.size());
    Numbers percents;
    for (const Customer& customer : batch)
      percents.push_back(customer.orders_so_far >= 10 ? 10 : 0);
    return percents;
  }
  [[nodiscard]] Numbers compute_prices(ashmemo::Records<Line> batch) const {
    std::vector<const Customer*> wanted;
    for (const Line& line : batch) wanted.push_back(line.customer);
    const Numbers percents = discount(wanted);  // the whole level; each customer once
    fmt::print("  line prices: 1 call for {} records\n", batch.size());
    Numbers prices;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      prices.push_back(batch[i].list_price * (100 - percents[i]) / 100);
    }
    return prices;
  }
  [[nodiscard]] Numbers compute_totals(ashmemo::Records<Order> batch) const {
    std::vector<const Line*> wanted;
    for (const Order& order : batch) {
      for (const Line& line : order.lines) wanted.push_back(&line);
    }
    const Numbers prices = price(wanted);
    fmt::print("  order totals: 1 call for {} records\n", batch.size());
    Numbers totals;
    auto next = prices.begin();
    for (const Order& order : batch) {
      totals.push_back(0);
      for (std::size_t i = 0; i < order.lines.size(); ++i) totals.back() += *next++;
    }
    return totals;
  }
  [[nodiscard]] int compute_start(const Task& task) const {
    return task.after == nullptr ? 0 : start(*task.after) + task.after->days;
  }

  ashmemo::Cache cache;
  ashmemo::Registry registry{cache};
  ashmemo::Resource<Customer>& customers = registry.resource<Customer>("Customer", &Customer::id);
  ashmemo::Resource<Line>& lines = registry.resource<Line>("Line", &Line::id);
  ashmemo::Resource<Order>& orders = registry.resource<Order>("Order", &Order::id);
  ashmemo::Resource<Task>& tasks = registry.resource<Task>("Task", &Task::id);
  ashmemo::Calculation<Customer, std::int64_t> discount =
      customers.calculation("discount", compute_discounts);
  ashmemo::Calculation<Line, std::int64_t> price = lines.calculation(
      "price", [this](ashmemo::Records<Line> batch) { return compute_prices(batch); });
  ashmemo::Calculation<Order, std::int64_t> total = orders.calculation(
      "total", [this](ashmemo::Records<Order> batch) { return compute_totals(batch); });
  ashmemo::Calculation<Task, int> start =
      tasks.calculation("start", [this](const Task& task) { return compute_start(task); });
};

void show_totals(Shop& shop, const std::vector<Order>& page) {
  const ashmemo::Stats before = shop.cache.stats();
  const Numbers totals = shop.total(page);
  const ashmemo::Stats after = shop.cache.stats();
  fmt::print("  totals {} {} {}: {}, {}\n", totals[0], totals[1], totals[2],
             counted(after.hits - before.hits, "hit", "hits"),
             counted(after.misses - before.misses, "miss", "misses"));
}

/// The path that leads around in a line of its own: it may be long.
std::string in_two_lines(std::string text) {
  const std::size_t path = text.find(": ");
  return path == std::string::npos ? text : text.replace(path, 2, ":\n  ");
}

void show_cycle(const Shop& shop) {
  const Task pack{1, 2};
  const Task send{2, 1, &pack};
  fmt::print("  starts on day {}\n", shop.start(send));
  Task order{3};
  const Task pay{4, 1, &order};
  order.after = &pay;
  try {
    (void)shop.start(order);
  } catch (const ashmemo::Error& error) {
    fmt::print("{}: {}\n", to_string(error.code()), in_two_lines(error.what()));
  }
}

void run(const std::string& file) {
  Shop shop(file);
  const Customer regular{1, 12};
  const Customer recent{2, 1};
  const std::vector<Order> page = {{1, {{1, 100, &regular}, {2, 20, &regular}}},
                                   {2, {{3, 80, &regular}}},
                                   {3, {{4, 30, &recent}, {5, 10, &recent}}}};
  fmt::print("Three orders: a lookup and a batch for each level\n");
  show_totals(shop, page);
  fmt::print("Once more: totals that are kept need nothing else\n");
  show_totals(shop, page);
  fmt::print("A task after another; two tasks after each other\n");
  show_cycle(shop);
}

}  // namespace

int main(int argc, char** argv) {
  const auto refused = example::refuse_arguments(
      argc, argv, "nested: calculations that ask for the results of others");
  if (refused) return *refused;
  try {
    const example::TemporaryDirectory directory;
    run(directory.file("shop.cache.db"));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "nested: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
