// Every kind of value that can be kept, how it looks in the cache file, and whether it comes back;
// what cannot come back, or not be kept, is a miss and is told. Prints:
//
// == begin
//   put                            type    in the file                      back
//   std::int64_t -42               integer -42                              equal
//   std::int64_t, the least        integer -9223372036854775808             equal
//   std::uint64_t 2^63 - 1         integer 9223372036854775807              equal
//   std::uint64_t 2^63             blob    X'8000000000000000'              equal
//   std::uint8_t 200               integer 200                              equal
//   char 'a'                       integer 97                               equal
//   bool true                      integer 1                                equal
//   enum class Weekday::sunday     integer 7                                equal
//   double 0.1                     real    0.1                              equal
//   double 1                       real    1.0                              equal
//   double -0                      real    -0.0                             equal
//   double, infinity               real    inf                              equal
//   double, not a number           text    'nan'                            equal
//   float 0.1                      real    0.10000000149011612              equal
//   a literal "dark"               text    'dark'                           equal
//   std::string, empty             text    ''                               equal
//   std::string, accent and tab    text    'caf\xC3\xA9\x09'                equal
//   std::string, a NUL inside      text    'a\x00b'                         equal
//   std::string, not UTF-8         text    '\xFF\x1B[31m'                   equal
//   std::string of 1 MiB           text    'xxxxxxxx'... 1,048,576 B        equal
//   std::vector<std::byte>         blob    X'00FF'                          equal
//   std::vector<std::byte>, empty  blob    X''                              equal
//   std::vector<float> {1, -0.5}   blob    X'0000803F000000BF'              equal
//   std::vector<float> of 384      blob    X'0000803E0000803E'... 1,536 B   equal
//   std::vector<bool>              blob    X'010001'                        equal
//   std::optional<int> 5           integer 5                                equal
//   std::optional<int>, nothing    null    NULL                             equal
//   std::chrono, 90 s              integer 90                               equal
//   std::chrono, 1,500 ms          integer 1500                             equal
//   std::chrono, 0.25 of a second  real    0.25                             equal
//   std::chrono, a time point      integer 1700000000                       equal
//   Ingredient, by JsonCodec       text    '{"grams":250.5,"name":"flour"}' equal
//   Colour, by its own Codec       text    '#ff8000'                        equal
//   (a key that was never put)                                              a miss
//
// Asked for as something else
//   integer  300                             as std::int8_t    a miss
//   real     0.1                             as float          a miss
//   real     1.0                             as std::int64_t   a miss
//   integer  5                               as std::string    a miss
//   integer  1                               as double         equal
//
// Changed by another program
//   integer  2                               as bool           a miss
//   text     'five'                          as int            a miss
//   text     'orange'                        as Colour         a miss
//   blob     X'000080'                       as vector<float>  a miss
//
// JSON has no "not a number"
//   text     '{"grams":null,"name":"salt"}'  as Ingredient     a miss
//
// 9 were not of the type asked for; this is told once, and counted from then on
//   told: the value of setting is not of the type asked for; it counts as a miss
//
// A value whose codec throws
//   asked once: computed, equal; kept: no
//   asked again: computed, equal; kept: no
//   put: not taken
// 3 values were not kept; this is told once, too
//   told: the result for unwritable was returned and not kept: its Codec failed
//
// A value over the limit for one entry, here 2 MiB
//   put 1 MiB: taken; asked for: a hit
//   put 3 MiB: not taken; asked for: a miss
// 1 was refused; this is told once, too
//   told: large costs 3149891 bytes and was not kept: the limit for one entry is
//     2097152 (Limits::max_entry_bytes), for all 268435456
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "../arguments.hpp"
#include "../in_lines.hpp"
#include "../temporary_directory.hpp"
#include "in_file.hpp"
#include "types.hpp"

namespace values {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr std::int64_t kMaxEntryBytes = 2 * ashmemo::MiB;

/// -0.0 == 0.0, and "not a number" does not even equal itself: here it matters what the bits are,
/// but for the bits of "not a number", of which there are many.
template <class T>
bool is_same(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
  } else {
    return a == b;
  }
}

class Demonstration {
 public:
  explicit Demonstration(const std::string& file) : file_(file), cache_(file, options()) {}

  /// Puts a value, looks how it is kept, and gets it back. `what` is the key, too.
  template <class T>
  void show(std::string_view what, const T& value) {
    using Stored = ashmemo::stored_t<T>;  // of "a literal" a std::string, else T itself
    const std::string key(what);
    keep(key, value);
    const InFile in_file = look_into(file_, key);
    fmt::print("  {:<31}{:<8}{:<33}{}\n", what, in_file.type, in_file.form,
               answer<Stored>(key, Stored(value)));
  }
  /// Puts a value, and asks for it as a `T`.
  template <class T, class Put>
  void show_as(std::string_view name, const Put& value, const T& expected,
               const std::string& edited = {}) {
    const std::string key = "setting";
    keep(key, value);
    if (!edited.empty()) edit(file_, key, edited);
    const InFile in_file = look_into(file_, key);
    fmt::print("  {:<9}{:<32}as {:<15}{}\n", in_file.type, in_file.form, name,
               answer<T>(key, expected));
  }
  /// What was told since this was asked last, without the name of the file: it is another each
  /// time.
  void show_told() {
    cache_.flush();  // in manual mode on_error is called here
    for (const std::string& notice : told_) {
      const std::string name = file_ + ": ";
      const std::size_t from = notice.rfind(name, 0) == 0 ? name.size() : 0;
      fmt::print("{}", example::in_lines("told: " + notice.substr(from)));
    }
    told_.clear();
  }
  ashmemo::Cache& cache() { return cache_; }

 private:
  ashmemo::Options options() {
    return {.limits = {.max_entry_bytes = kMaxEntryBytes},
            .hooks = {.clock = std::make_shared<ashmemo::ManualClock>(),
                      .on_error = [this](const ashmemo::Notice& n) { told_.push_back(n.what); },
                      .worker = ashmemo::WorkerMode::manual},
            .memory_bytes = 0};  // so that all that is read comes from the file
  }
  template <class T>
  void keep(const std::string& key, const T& value) {
    (void)cache_.put(key, value);
    cache_.flush();
  }
  template <class T>
  [[nodiscard]] std::string_view answer(const std::string& key, const T& expected) const {
    const std::optional<T> got = cache_.get<T>(key);
    if (!got) return "a miss";
    return is_same(*got, expected) ? "equal" : "DIFFERENT";
  }

  std::string file_;
  std::vector<std::string> told_;
  ashmemo::Cache cache_;
};

void show_numbers(Demonstration& demo) {
  demo.show("std::int64_t -42", std::int64_t{-42});
  demo.show("std::int64_t, the least", std::numeric_limits<std::int64_t>::min());
  demo.show("std::uint64_t 2^63 - 1", (std::uint64_t{1} << 63U) - 1);
  demo.show("std::uint64_t 2^63", std::uint64_t{1} << 63U);
  demo.show("std::uint8_t 200", std::uint8_t{200});
  demo.show("char 'a'", 'a');
  demo.show("bool true", true);
  demo.show("enum class Weekday::sunday", Weekday::sunday);
  demo.show("double 0.1", 0.1);
  demo.show("double 1", 1.0);
  demo.show("double -0", -0.0);
  demo.show("double, infinity", std::numeric_limits<double>::infinity());
  demo.show("double, not a number", std::numeric_limits<double>::quiet_NaN());
  demo.show("float 0.1", 0.1F);
}

void show_bytes(Demonstration& demo) {
  demo.show("a literal \"dark\"", "dark");
  demo.show("std::string, empty", ""s);
  demo.show("std::string, accent and tab", "caf\xC3\xA9\t"s);
  demo.show("std::string, a NUL inside", "a\0b"s);
  demo.show("std::string, not UTF-8", "\xFF\x1B[31m"s);
  demo.show("std::string of 1 MiB", std::string(ashmemo::MiB, 'x'));
  demo.show("std::vector<std::byte>", std::vector<std::byte>{std::byte{0}, std::byte{255}});
  demo.show("std::vector<std::byte>, empty", std::vector<std::byte>{});
  demo.show("std::vector<float> {1, -0.5}", std::vector<float>{1, -0.5F});
  demo.show("std::vector<float> of 384", std::vector<float>(384, 0.25F));
  demo.show("std::vector<bool>", std::vector<bool>{true, false, true});
}

void show_others(Demonstration& demo) {
  demo.show("std::optional<int> 5", std::optional<int>(5));
  demo.show("std::optional<int>, nothing", std::optional<int>());
  demo.show("std::chrono, 90 s", 90s);
  demo.show("std::chrono, 1,500 ms", 1500ms);
  demo.show("std::chrono, 0.25 of a second", std::chrono::duration<double>(0.25));
  demo.show("std::chrono, a time point", std::chrono::sys_seconds(1'700'000'000s));
  demo.show("Ingredient, by JsonCodec", Ingredient{"flour", 250.5});
  demo.show("Colour, by its own Codec", Colour{0xff8000});
}

/// Whoever asks for another type than was put gets a miss, never a number that nobody computed.
void show_misses(Demonstration& demo) {
  const ashmemo::Stats before = demo.cache().stats();
  fmt::print("\nAsked for as something else\n");
  demo.show_as<std::int8_t>("std::int8_t", 300, 0);
  demo.show_as<float>("float", 0.1, 0);
  demo.show_as<std::int64_t>("std::int64_t", 1.0, 1);
  demo.show_as<std::string>("std::string", 5, "5");
  demo.show_as<double>("double", 1, 1);  // who writes with the sqlite3 program writes 1, not 1.0
  fmt::print("\nChanged by another program\n");
  demo.show_as<bool>("bool", true, true, "2");
  demo.show_as<int>("int", 5, 5, "'five'");
  demo.show_as<Colour>("Colour", Colour{0}, Colour{0}, "'orange'");
  demo.show_as<std::vector<float>>("vector<float>", std::vector<float>{1}, {1}, "X'000080'");
  fmt::print("\nJSON has no \"not a number\"\n");
  const Ingredient unknown{"salt", std::numeric_limits<double>::quiet_NaN()};
  demo.show_as<Ingredient>("Ingredient", unknown, unknown);
  fmt::print("\n{} were not of the type asked for; this is told once, and counted from then on\n",
             demo.cache().stats().undecodable - before.undecodable);
  demo.show_told();
}

/// JSON is UTF-8: this name has no form in it, and nlohmann-json throws. A result is a result all
/// the same: whoever asked for it gets it.
void show_throwing_codec(Demonstration& demo) {
  ashmemo::Cache& cache = demo.cache();
  const Ingredient unwritable{"\xFF\xFE", 1};
  fmt::print("\nA value whose codec throws\n");
  for (int round = 1; round <= 2; ++round) {
    bool computed = false;
    const Ingredient got = cache.get_or_compute("unwritable", [&] {
      computed = true;
      return unwritable;
    });
    fmt::print("  asked {}: {}, {}; kept: {}\n", round == 1 ? "once" : "again",
               computed ? "computed" : "a hit", got == unwritable ? "equal" : "DIFFERENT",
               cache.contains("unwritable") ? "yes" : "no");
  }
  fmt::print("  put: {}\n", cache.put("unwritable", unwritable) ? "taken" : "not taken");
  fmt::print("{} values were not kept; this is told once, too\n", cache.stats().unencodable);
  demo.show_told();
}

/// Nothing else leaves to make room for it. The older value of its key does: it is no longer true.
void show_too_large(Demonstration& demo) {
  ashmemo::Cache& cache = demo.cache();
  fmt::print("\nA value over the limit for one entry, here {} MiB\n",
             kMaxEntryBytes / ashmemo::MiB);
  for (const std::int64_t bytes : {1 * ashmemo::MiB, 3 * ashmemo::MiB}) {
    const std::string value(static_cast<std::size_t>(bytes), 'x');
    const bool is_taken = cache.put("large", value);
    fmt::print("  put {} MiB: {}; asked for: {}\n", bytes / ashmemo::MiB,
               is_taken ? "taken" : "not taken", cache.contains("large") ? "a hit" : "a miss");
  }
  fmt::print("{} was refused; this is told once, too\n", cache.stats().refused);
  demo.show_told();
}

void run(const std::string& file) {
  Demonstration demo(file);
  fmt::print("  {:<31}{:<8}{:<33}{}\n", "put", "type", "in the file", "back");
  show_numbers(demo);
  show_bytes(demo);
  show_others(demo);
  fmt::print("  {:<31}{:<8}{:<33}{}\n", "(a key that was never put)", "", "",
             demo.cache().get<std::string>("never put") ? "DIFFERENT" : "a miss");
  demo.show_told();  // nothing so far
  show_misses(demo);
  show_throwing_codec(demo);
  show_too_large(demo);
}

}  // namespace
}  // namespace values

int main(int argc, char** argv) {
  const auto refused =
      example::refuse_arguments(argc, argv, "values: every kind of value that a cache can keep");
  if (refused) return *refused;
  try {
    const example::TemporaryDirectory directory;
    values::run(directory.file("values.cache.db"));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "values: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
