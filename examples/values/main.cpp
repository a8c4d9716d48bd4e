// Plain keys and values. First the calls of a cache; then every kind of value: how the cache file
// contains it, and whether the cache returns an equal value. Last, values that the cache cannot
// return or store: each of them is a miss, counted and reported to `on_error`.

#include <ashmemo/ashmemo.hpp>

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "../common/program.hpp"
#include "../common/temporary_directory.hpp"
#include "../common/terminal.hpp"
#include "calls.hpp"
#include "types.hpp"

namespace values {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kMaxEntryBytes = 2 * ashmemo::MiB;

/// Compares the sign of zero too, and regards all forms of "not a number" as equal.
template <class T>
bool is_same(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
  } else {
    return a == b;
  }
}

/// A stored value as in SQL. In a text, bytes that are not plain ASCII are shown as \xNN. Only the
/// beginning of a long value is shown.
std::string form_of(const SQLite::Column& column) {
  if (column.isNull()) return "NULL";
  if (column.isInteger()) return column.getString();
  if (column.isFloat()) return fmt::format("{:#}", column.getDouble());  // as short as is exact
  const std::string bytes = column.getString();
  const bool is_long = bytes.size() > 32;
  std::string shown;
  for (const char c : bytes.substr(0, is_long ? 8 : bytes.size())) {
    const bool is_plain = c >= ' ' && c <= '~' && c != '\\' && c != '\'';
    if (column.isBlob() || !is_plain) {
      shown += fmt::format("{}{:02X}", column.isBlob() ? "" : "\\x", static_cast<unsigned char>(c));
    } else {
      shown += c;
    }
  }
  return fmt::format("{}'{}'{}", column.isBlob() ? "X" : "", shown,
                     is_long ? fmt::format("... {:L} B", bytes.size()) : "");
}

class Demonstration {
 public:
  explicit Demonstration(const std::string& file)
      : file_(file),
        cache_(file, {.limits = {.max_entry_bytes = kMaxEntryBytes},
                      .hooks = {.clock = std::make_shared<ashmemo::ManualClock>(),
                                .on_error = report,
                                .worker = ashmemo::WorkerMode::manual},
                      .memory_bytes = 0}) {}  // so that all reads come from the file

  /// Stores a value, shows its form in the file, and reads it. `name` is the key too.
  template <class T>
  void show(const std::string& name, const T& value) {
    using Stored = ashmemo::stored_t<T>;  // std::string for a literal, otherwise T
    store(name, value);
    fmt::print("  {:<31}{:<41}{}\n", name, in_file(name), answer<Stored>(name, Stored(value)));
  }
  /// Stores a value and reads it as a `T`. In between, another program may change it to `edited`.
  template <class T, class Put>
  void show_as(std::string_view type, const Put& value, const T& expected,
               const std::string& edited = {}) {
    const std::string key = "setting";
    store(key, value);
    if (!edited.empty()) {
      SQLite::Database(file_, SQLite::OPEN_READWRITE)
          .exec("UPDATE cache_entries SET value = " + edited + " WHERE cache_key = '" + key + "'");
    }
    fmt::print("  {:<41} as {:<15}{}\n", in_file(key), type, answer<T>(key, expected));
  }
  ashmemo::Cache& cache() { return cache_; }

 private:
  template <class T>
  void store(const std::string& key, const T& value) {
    (void)cache_.put(key, value);
    cache_.flush();  // in manual mode, this also calls on_error
  }
  /// Type and form of the value in the file, by a second connection that can only read.
  [[nodiscard]] std::string in_file(const std::string& key) const {
    const SQLite::Database database(file_, SQLite::OPEN_READONLY);
    SQLite::Statement query(database,
                            "SELECT typeof(value), value FROM cache_entries WHERE cache_key = ?");
    query.bind(1, key);
    if (!query.executeStep()) throw std::runtime_error("the file has no entry " + key);
    return fmt::format("{:<8}{}", query.getColumn(0).getString(), form_of(query.getColumn(1)));
  }
  template <class T>
  [[nodiscard]] std::string_view answer(const std::string& key, const T& expected) const {
    const std::optional<T> got = cache_.get<T>(key);
    if (!got) return "a miss";
    return is_same(*got, expected) ? "equal" : "DIFFERENT";
  }
  static void report(const ashmemo::Notice& notice) {
    fmt::print("{}",
               example::wrapped(fmt::format("notice {}: {}", to_string(notice.kind), notice.what)));
  }

  std::string file_;
  ashmemo::Cache cache_;
};

void show_numbers(Demonstration& demo) {
  demo.show("std::int64_t -42", std::int64_t{-42});
  demo.show("std::int64_t, the minimum", std::numeric_limits<std::int64_t>::min());
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
  demo.show("double, not a number", kNotANumber);
  demo.show("float 0.1", 0.1F);
}

void show_texts_and_bytes(Demonstration& demo) {
  demo.show("a literal \"dark\"", "dark");
  demo.show("std::string, empty", ""s);
  demo.show("std::string, accent and tab", "caf\xC3\xA9\t"s);
  demo.show("std::string with a NUL", "a\0b"s);
  demo.show("std::string, not UTF-8", "\xFF\x1B[31m"s);
  demo.show("std::string of 1 MiB", std::string(ashmemo::MiB, 'x'));
  demo.show("std::vector<std::byte>", std::vector<std::byte>{std::byte{0}, std::byte{255}});
  demo.show("std::vector<std::byte>, empty", std::vector<std::byte>{});
  demo.show("std::vector<float> {1, -0.5}", std::vector<float>{1, -0.5F});
  demo.show("std::vector<float> of 384", std::vector<float>(384, 0.25F));
  demo.show("std::vector<bool>", std::vector<bool>{true, false, true});
}

void show_other_types(Demonstration& demo) {
  demo.show("std::optional<int> 5", std::optional<int>(5));
  demo.show("std::optional<int>, empty", std::optional<int>());
  demo.show("std::chrono, 90 s", 90s);
  demo.show("std::chrono, 1,500 ms", 1500ms);
  demo.show("std::chrono, 0.25 s", std::chrono::duration<double>(0.25));
  demo.show("std::chrono, a time point", std::chrono::sys_seconds(1'700'000'000s));
  demo.show("Ingredient, by JsonCodec", Ingredient{"flour", 250.5});
  demo.show("Colour, by its own Codec", Colour{0xff8000});
}

/// A value that was stored as another type is a miss. The cache never returns a changed number.
void show_misses(Demonstration& demo) {
  fmt::print("\nRead as another type\n");
  demo.show_as<std::int8_t>("std::int8_t", 300, 0);
  demo.show_as<float>("float", 0.1, 0);
  demo.show_as<std::int64_t>("std::int64_t", 1.0, 1);
  demo.show_as<std::string>("std::string", 5, "5");
  demo.show_as<double>("double", 1, 1);  // a person with the sqlite3 program writes 1, not 1.0
  fmt::print("\nChanged by another program\n");
  demo.show_as<bool>("bool", true, true, "2");
  demo.show_as<int>("int", 5, 5, "'five'");
  demo.show_as<Colour>("Colour", Colour{0}, Colour{0}, "'orange'");
  demo.show_as<std::vector<float>>("vector<float>", std::vector<float>{1}, {1}, "X'000080'");
  fmt::print("\nJSON cannot express \"not a number\"\n");
  demo.show_as<Ingredient>("Ingredient", Ingredient{"salt", kNotANumber}, Ingredient{});
  fmt::print("\nundecodable values: {}; the cache reports the first of them only\n",
             demo.cache().stats().undecodable);
}

/// JSON is UTF-8, so nlohmann-json throws for this name. The caller gets the result all the same.
void show_unencodable(Demonstration& demo) {
  ashmemo::Cache& cache = demo.cache();
  const Ingredient unwritable{"\xFF\xFE", 1};
  fmt::print("\nA value that its codec cannot encode\n");
  for (int i = 0; i < 2; ++i) {
    bool is_computed = false;
    const Ingredient got = cache.get_or_compute("unwritable", [&] {
      is_computed = true;
      return unwritable;
    });
    fmt::print("  get_or_compute: computed {}, equal {}, stored {}\n", is_computed,
               got == unwritable, cache.contains("unwritable"));
  }
  fmt::print("  put: {}\n", cache.put("unwritable", unwritable));
  fmt::print("unencodable values: {}\n", cache.stats().unencodable);
  cache.flush();
}

/// The cache evicts nothing for a value that is too large. But the older value of the same key is
/// removed, because it is no longer true.
void show_too_large(Demonstration& demo) {
  ashmemo::Cache& cache = demo.cache();
  fmt::print("\nA value over the limit for one entry, here {} MiB\n",
             kMaxEntryBytes / ashmemo::MiB);
  for (const std::int64_t mib : {1, 3}) {
    const bool is_accepted =
        cache.put("large", std::string(static_cast<std::size_t>(mib * ashmemo::MiB), 'x'));
    fmt::print("  put {} MiB: {}; contains: {}\n", mib, is_accepted, cache.contains("large"));
  }
  fmt::print("refused values: {}\n", cache.stats().refused);
  cache.flush();
}

void run() {
  const example::TemporaryDirectory directory;
  show_calls(directory.file("calls.cache.db"));
  Demonstration demo(directory.file("values.cache.db"));
  fmt::print("\n  {:<31}{:<8}{:<33}{}\n", "value", "type", "in the file", "read");
  show_numbers(demo);
  show_texts_and_bytes(demo);
  show_other_types(demo);
  fmt::print("  {:<72}{}\n", "(a key that was never stored)",
             demo.cache().get<std::string>("never stored") ? "DIFFERENT" : "a miss");
  show_misses(demo);
  show_unencodable(demo);
  show_too_large(demo);
}

}  // namespace
}  // namespace values

int main(int argc, char** argv) {
  return example::run_program("values", "The calls of a cache, and every kind of value.", argc,
                              argv, values::run);
}
