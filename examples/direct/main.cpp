// The cache by hand: keys and values without records. First the calls themselves, then the few
// lines that an application writes around them to have its own words. Prints, each time the same:
//
// == begin
// Values under keys
//   theme: dark; colours: nothing
//   sizes of a, b, c: 1 2 nothing
//   there are 3 keys: a b theme
// With an end
//   token, at once: secret; after 10 minutes: nothing
// Computed when missing
//   answer: 42 42, computed 1 time
//   squares of 1 2 3 4: 1 4 9 16, computed together: 4
//   squares of 3 4 5: 9 16 25, computed together: 1
// What is known of an entry
//   of theme, answer and colours there are 2
//   theme: 171 bytes, read 4 times
// Removed
//   theme: was there; once more: was not there
//   all that begins with square: 5 rows
// In an application's own words
//   user 7 sees 20 rows a page, in the dark
//   user 8 sees 50 rows a page, in the light
//   user 7 has signed out; of user 8 there are 2 settings
//   a greeting, remembered: Hello, Ada; made 1 time
// Limits, changed while it is open
//   3 entries; at most 1,000, and any number of bytes
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../arguments.hpp"
#include "../grouped.hpp"
#include "../temporary_directory.hpp"

using namespace std::chrono_literals;

namespace {

std::string or_nothing(const std::optional<std::string>& value) {
  return value.value_or("nothing");
}
std::string or_nothing(const std::optional<int>& value) {
  return value ? std::to_string(*value) : "nothing";
}

// --------------------------------------------------------------------------- the calls themselves

void values_under_keys(ashmemo::Cache& cache) {
  fmt::print("Values under keys\n");
  cache.put("theme", "dark");
  fmt::print("  theme: {}; colours: {}\n", or_nothing(cache.get<std::string>("theme")),
             or_nothing(cache.get<std::string>("colours")));
  // Many at once: one bulk write, one look-up.
  cache.put_many<int>({{"a", 1}, {"b", 2}});
  const std::vector<std::optional<int>> sizes = cache.get_many<int>({"a", "b", "c"});
  fmt::print("  sizes of a, b, c: {} {} {}\n", or_nothing(sizes[0]), or_nothing(sizes[1]),
             or_nothing(sizes[2]));
  std::vector<std::string> keys;
  cache.for_each("", [&](const ashmemo::EntryInfo& entry) { keys.push_back(entry.key); });
  fmt::print("  there are {} keys: {}\n", keys.size(), fmt::join(keys, " "));
}

void with_an_end(ashmemo::Cache& cache, ashmemo::ManualClock& clock) {
  fmt::print("With an end\n");
  cache.put("token", "secret", {.ttl = 10min});
  const std::string at_once = or_nothing(cache.get<std::string>("token"));
  clock.advance(10min);
  fmt::print("  token, at once: {}; after 10 minutes: {}\n", at_once,
             or_nothing(cache.get<std::string>("token")));
}

std::vector<int> squares(ashmemo::Cache& cache, const std::vector<int>& numbers,
                         std::size_t& computed) {
  std::vector<std::string> keys;
  for (const int number : numbers) keys.push_back("square:" + std::to_string(number));
  // Called once, with the keys that miss, whatever their number.
  return cache.get_or_compute_many<int>(keys, [&](auto missing) {
    computed = missing.size();
    std::vector<int> results;
    for (const std::string_view key : missing) {
      const int number = std::stoi(std::string(key.substr(key.find(':') + 1)));
      results.push_back(number * number);
    }
    return results;
  });
}

void computed_when_missing(ashmemo::Cache& cache) {
  fmt::print("Computed when missing\n");
  int computed = 0;
  const auto answer = [&] {
    ++computed;
    return 42;
  };
  const int first = cache.get_or_compute("answer", answer);
  const int second = cache.get_or_compute("answer", answer);
  fmt::print("  answer: {} {}, computed {} time\n", first, second, computed);
  for (const std::vector<int>& numbers : {std::vector<int>{1, 2, 3, 4}, {3, 4, 5}}) {
    std::size_t together = 0;
    const std::vector<int> results = squares(cache, numbers, together);
    fmt::print("  squares of {}: {}, computed together: {}\n", fmt::join(numbers, " "),
               fmt::join(results, " "), together);
  }
}

void what_is_known(ashmemo::Cache& cache) {
  fmt::print("What is known of an entry\n");
  cache.touch("theme");  // as if it had been read
  (void)cache.get<std::string>("theme");
  // A page that is kept elsewhere, with these in it, is shown again: they were of use, and would
  // else be the first to leave. One look-up; how many there are is told.
  const std::size_t touched = cache.touch_many({"theme", "answer", "colours"});
  fmt::print("  of theme, answer and colours there are {}\n", touched);
  cache.flush();  // reads are noted a while later, or now
  const ashmemo::EntryInfo entry = cache.entry("theme").value();
  fmt::print("  {}: {} bytes, read {} times\n", entry.key, entry.byte_size, entry.access_count);
}

void removed(ashmemo::Cache& cache) {
  const auto was = [](bool there) { return there ? "was there" : "was not there"; };
  fmt::print("Removed\n");
  const bool first = cache.erase("theme");
  const bool second = cache.erase("theme");
  fmt::print("  theme: {}; once more: {}\n", was(first), was(second));
  fmt::print("  all that begins with square: {} rows\n", cache.erase_prefix("square:"));
  cache.clear();
}

// --------------------------------------------------------------------- an application's own words

/// Keys are texts: where several parts of a program share a cache, each has a prefix of its own.
class UserSettings {
 public:
  UserSettings(ashmemo::Cache& cache, std::int64_t user)
      : cache_(cache), prefix_(fmt::format("user:{}:", user)) {}

  void set_rows(int rows) { cache_.put(prefix_ + "rows", rows); }
  [[nodiscard]] int rows() const { return cache_.get<int>(prefix_ + "rows").value_or(50); }
  void set_dark(bool dark) { cache_.put(prefix_ + "dark", dark); }
  [[nodiscard]] bool is_dark() const { return cache_.get<bool>(prefix_ + "dark").value_or(false); }

  [[nodiscard]] int count() const {
    int count = 0;
    cache_.for_each(prefix_, [&](const ashmemo::EntryInfo&) { ++count; });
    return count;
  }
  void forget() { cache_.erase_prefix(prefix_); }

 private:
  ashmemo::Cache& cache_;
  const std::string prefix_;
};

/// `remember(cache, {"greeting", name}, 1h, make)`: the parts of the key are joined here, once for
/// the whole program. (A Registry does that, too, and escapes the parts.)
template <class Make>
auto remember(ashmemo::Cache& cache, const std::vector<std::string>& parts, ashmemo::Duration ttl,
              Make make) {
  return cache.get_or_compute(fmt::format("{}", fmt::join(parts, ":")), make, {.ttl = ttl});
}

void show(std::int64_t user, const UserSettings& settings) {
  fmt::print("  user {} sees {} rows a page, in the {}\n", user, settings.rows(),
             settings.is_dark() ? "dark" : "light");
}

void in_own_words(ashmemo::Cache& cache) {
  fmt::print("In an application's own words\n");
  UserSettings seven(cache, 7);
  UserSettings eight(cache, 8);
  seven.set_rows(20);
  seven.set_dark(true);
  show(7, seven);
  show(8, eight);
  eight.set_rows(100);
  eight.set_dark(false);
  seven.forget();
  fmt::print("  user 7 has signed out; of user 8 there are {} settings\n", eight.count());

  int made = 0;
  std::string greeting;
  for (int i = 0; i < 3; ++i) {
    greeting = remember(cache, {"greeting", "Ada"}, 1h, [&] {
      ++made;
      return std::string("Hello, Ada");
    });
  }
  fmt::print("  a greeting, remembered: {}; made {} time\n", greeting, made);
}

void limits(ashmemo::Cache& cache) {
  fmt::print("Limits, changed while it is open\n");
  cache.set_limits({.max_entries = 1'000, .max_bytes = ashmemo::unlimited});
  const ashmemo::Limits limits = cache.limits();
  cache.flush();
  fmt::print("  {} entries; at most {}, and {} bytes\n", cache.stats().entries,
             example::grouped(limits.max_entries.count()),
             limits.max_bytes.is_unlimited() ? "any number of" : "so many");
}

void run() {
  const example::TemporaryDirectory directory;
  const auto clock = std::make_shared<ashmemo::ManualClock>();
  ashmemo::Cache cache(directory.file("direct.cache.db"),
                       {.hooks = {.clock = clock, .worker = ashmemo::WorkerMode::manual}});
  values_under_keys(cache);
  with_an_end(cache, *clock);
  computed_when_missing(cache);
  what_is_known(cache);
  removed(cache);
  in_own_words(cache);
  limits(cache);
}

}  // namespace

int main(int argc, char** argv) {
  const auto refused =
      example::refuse_arguments(argc, argv, "direct: keys and values in a cache, by hand");
  if (refused) return *refused;
  try {
    run();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "direct: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
