#include "calls.hpp"

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace values {
namespace {

using namespace std::chrono_literals;

template <class T>
std::string shown(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : "nothing";
}

void show_put_and_get(ashmemo::Cache& cache) {
  fmt::print("Put and get\n");
  cache.put("theme", "dark");
  fmt::print("  theme: {}; colours: {}\n", shown(cache.get<std::string>("theme")),
             shown(cache.get<std::string>("colours")));
  // Many keys at once: one bulk write, one lookup.
  cache.put_many<int>({{"a", 1}, {"b", 2}});
  const std::vector<std::optional<int>> sizes = cache.get_many<int>({"a", "b", "c"});
  fmt::print("  a: {}; b: {}; c: {}\n", shown(sizes[0]), shown(sizes[1]), shown(sizes[2]));
  std::vector<std::string> keys;
  cache.for_each("", [&](const ashmemo::EntryInfo& entry) { keys.push_back(entry.key); });
  fmt::print("  keys: {}\n", fmt::join(keys, " "));
}

void show_ttl(ashmemo::Cache& cache, ashmemo::ManualClock& clock) {
  fmt::print("A value that expires after ten minutes\n");
  cache.put("token", "secret", {.ttl = 10min});
  fmt::print("  at once: {}\n", shown(cache.get<std::string>("token")));
  clock.advance(10min);
  fmt::print("  after ten minutes: {}\n", shown(cache.get<std::string>("token")));
}

/// Computes the squares that are missing, all of them in one call of the function.
void show_squares(ashmemo::Cache& cache, const std::vector<int>& numbers) {
  std::vector<std::string> keys;
  for (const int number : numbers) keys.push_back(fmt::format("square:{}", number));
  std::size_t computed = 0;
  const auto squares = cache.get_or_compute_many<int>(keys, [&](auto missing) {
    computed = missing.size();
    std::vector<int> results;
    for (const std::string_view key : missing) {
      const int number = std::stoi(std::string(key.substr(key.find(':') + 1)));
      results.push_back(number * number);
    }
    return results;
  });
  fmt::print("  squares of {}: {}; computed: {}\n", fmt::join(numbers, " "),
             fmt::join(squares, " "), computed);
}

void show_get_or_compute(ashmemo::Cache& cache) {
  fmt::print("Get or compute\n");
  int computed = 0;
  int answer = 0;
  for (int i = 0; i < 2; ++i)
    answer = cache.get_or_compute("answer", [&] { return 41 + ++computed; });
  fmt::print("  answer: {}; computed: {}\n", answer, computed);
  show_squares(cache, {1, 2, 3, 4});
  show_squares(cache, {3, 4, 5});
}

void show_entry(ashmemo::Cache& cache) {
  fmt::print("What the cache knows about an entry\n");
  cache.touch("theme");  // counts as a read, but does not read the value
  (void)cache.get<std::string>("theme");
  // The application shows these values from its own memory. Without touches the cache would evict
  // them first, because it sees no reads.
  fmt::print("  touched: {} of 3\n", cache.touch_many({"theme", "answer", "colours"}));
  cache.flush();  // writes the reads that are not recorded yet
  const ashmemo::EntryInfo entry = cache.entry("theme").value();
  fmt::print("  {}: {} bytes, reads {}\n", entry.key, entry.byte_size, entry.access_count);
}

void show_erase(ashmemo::Cache& cache) {
  fmt::print("Erase\n");
  const bool first = cache.erase("theme");
  fmt::print("  theme: {}; again: {}\n", first, cache.erase("theme"));
  fmt::print("  keys that begin with 'square:': {}\n", cache.erase_prefix("square:"));
  cache.clear();
}

/// Functions of an application around the cache. Parts of a program that share a cache use keys
/// with different prefixes.
class UserSettings {
 public:
  UserSettings(ashmemo::Cache& cache, std::int64_t user)
      : cache_(cache), prefix_(fmt::format("user:{}:", user)) {}

  void set(int rows, bool is_dark) {
    cache_.put(prefix_ + "rows", rows);
    cache_.put(prefix_ + "dark", is_dark);
  }
  void remove() { cache_.erase_prefix(prefix_); }
  [[nodiscard]] int rows() const { return cache_.get<int>(prefix_ + "rows").value_or(50); }
  [[nodiscard]] bool is_dark() const { return cache_.get<bool>(prefix_ + "dark").value_or(false); }
  [[nodiscard]] int count() const {
    int count = 0;
    cache_.for_each(prefix_, [&](const ashmemo::EntryInfo&) { ++count; });
    return count;
  }

 private:
  ashmemo::Cache& cache_;
  const std::string prefix_;
};

/// Joins the parts of a key, in one place for the whole application. (A Registry does this too, and
/// escapes the parts.)
template <class F>
auto remember(ashmemo::Cache& cache, const std::vector<std::string>& parts, ashmemo::Duration ttl,
              F compute) {
  return cache.get_or_compute(fmt::format("{}", fmt::join(parts, ":")), compute, {.ttl = ttl});
}

void show_own_functions(ashmemo::Cache& cache) {
  fmt::print("Functions of an application around the cache\n");
  UserSettings seven(cache, 7);
  UserSettings eight(cache, 8);
  seven.set(20, true);
  fmt::print("  user 7: rows {}, dark {}\n", seven.rows(), seven.is_dark());
  fmt::print("  user 8: rows {}, dark {}\n", eight.rows(), eight.is_dark());
  eight.set(100, false);
  seven.remove();
  fmt::print("  user 7 is removed; settings of user 7: {}, of user 8: {}\n", seven.count(),
             eight.count());

  int computed = 0;
  std::string greeting;
  for (int i = 0; i < 3; ++i) {
    greeting = remember(cache, {"greeting", "Ada"}, 1h, [&] {
      ++computed;
      return std::string("Hello, Ada");
    });
  }
  fmt::print("  greeting: {}; computed: {}\n", greeting, computed);
}

void show_limits(ashmemo::Cache& cache) {
  fmt::print("Limits, changed while the cache is open\n");
  cache.set_limits({.max_entries = 1'000, .max_bytes = ashmemo::unlimited});
  cache.flush();
  const ashmemo::Limits limits = cache.limits();
  fmt::print("  entries {}, max_entries {:L}, max_bytes {}\n", cache.stats().entries,
             limits.max_entries.count(), limits.max_bytes.is_unlimited() ? "unlimited" : "set");
}

}  // namespace

void show_calls(const std::string& file) {
  const auto clock = std::make_shared<ashmemo::ManualClock>();
  ashmemo::Cache cache(file, {.hooks = {.clock = clock, .worker = ashmemo::WorkerMode::manual}});
  show_put_and_get(cache);
  show_ttl(cache, *clock);
  show_get_or_compute(cache);
  show_entry(cache);
  show_erase(cache);
  show_own_functions(cache);
  show_limits(cache);
}

}  // namespace values
