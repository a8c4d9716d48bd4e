#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cli/cache_file.hpp"
#include "cli/commands.hpp"
#include "cli/entry.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace ashmemo::cli {

const char* const kShowHelp =
    R"(A blob is printed as hex digits. Only the beginning of a long value is printed;
--raw and --json print all of it.

JSON: the fields of an entry of 'list', then type (null, integer, real, text
or blob), length in bytes, and value, or hex for a blob. Bytes of a text that
are not UTF-8 are replaced; --raw writes them.

Examples:
  ashmemo show blog.cache.db Post:42:word_count
  ashmemo show blog.cache.db thumbnail:7 --raw > 7.png
  ashmemo show blog.cache.db $'two\nlines')";

namespace {

struct Found {
  EntryInfo info;
  Value value;
};

Found find(const Cache& cache, const Arguments& arguments) {
  std::optional<Found> found;
  // Keys come in order, so the key itself comes before all longer keys that begin with it.
  cache.for_each(arguments.key, [&](const EntryInfo& entry, ValueView value) {
    if (entry.key == arguments.key) found = Found{entry, Value(value)};
    return false;
  });
  require_complete(cache);
  if (!found) {
    throw CommandError(Exit::not_found,
                       fmt::format("'{}' has no entry '{}'; 'ashmemo list' shows its keys",
                                   arguments.file, arguments.key));
  }
  return std::move(*found);
}

std::string_view type_name(ValueType type) {
  constexpr std::array<std::string_view, 5> kNames{"null", "integer", "real", "text", "blob"};
  return kNames[static_cast<std::size_t>(type)];
}

bool has_bytes(ValueView value) {
  return value.type() == ValueType::text || value.type() == ValueType::blob;
}

/// The value as --raw writes it.
std::string raw_text(ValueView value) {
  if (value.type() == ValueType::integer) return fmt::to_string(value.as_integer());
  if (value.type() == ValueType::real) return fmt::to_string(value.as_real());
  return std::string(value.bytes());
}

Json value_json(ValueView value) {
  if (value.type() == ValueType::null) return nullptr;
  if (value.type() == ValueType::integer) return value.as_integer();
  const bool is_finite = value.type() == ValueType::real && std::isfinite(value.as_real());
  if (is_finite) return value.as_real();
  return raw_text(value);  // JSON has no infinite numbers
}

void print_value(ValueView value) {
  constexpr std::size_t kMaxText = 4'096;
  constexpr std::size_t kMaxBlob = 256;
  const std::size_t limit = value.type() == ValueType::blob ? kMaxBlob : kMaxText;
  const std::string_view shown = value.bytes().substr(0, limit);
  switch (value.type()) {
    case ValueType::null:
      fmt::print("NULL\n");
      break;
    case ValueType::text:
      fmt::print("{}\n", escaped(shown));
      break;
    case ValueType::blob:
      fmt::print("{}\n", hex(shown));
      break;
    default:
      fmt::print("{}\n", raw_text(value));
  }
  if (const std::size_t rest = value.bytes().size() - shown.size(); rest > 0) {
    fmt::print("... {} more; --raw writes all\n",
               counted(static_cast<std::int64_t>(rest), "byte", "bytes"));
  }
}

void print_text(const Found& found, const StoredCalculation* calculation) {
  const EntryInfo& entry = found.info;
  print_property("key", escaped(entry.key));
  print_property("calculation",
                 calculation == nullptr
                     ? "none: put directly"
                     : fmt::format("{}, version {}", name_of(*calculation), calculation->version));
  print_property("state", state_of(entry));
  print_property("stored",
                 fmt::format("{}, {} ago", moment_text(entry.computed_at), age_of(entry)));
  if (entry.fresh_until) print_property("fresh until", moment_text(*entry.fresh_until));
  print_property("expires", entry.expires_at ? moment_text(*entry.expires_at) : "never");
  if (entry.keep_until) print_property("kept until", moment_text(*entry.keep_until));
  print_property("reads", grouped(entry.access_count));
  print_property("cost", entry.cost ? time_text(entry.cost->count()) : "unknown");
  print_property("size", bytes_text(entry.byte_size) + " in the file");
  const auto length = static_cast<std::int64_t>(found.value.size_bytes());
  print_property("value", fmt::format("{}{}", type_name(found.value.type()),
                                      has_bytes(found.value) ? ", " + bytes_text(length) : ""));
  fmt::print("\n");
  print_value(found.value);
}

void print_as_json(const Found& found, const Calculations& calculations) {
  Json json = json_of(found.info, calculations);
  json["type"] = type_name(found.value.type());
  json["length"] = found.value.size_bytes();
  if (found.value.type() == ValueType::blob) {
    json["hex"] = hex(found.value.bytes());
  } else {
    json["value"] = value_json(found.value);
  }
  print_json(json);
}

}  // namespace

Exit show(const Arguments& arguments) {
  const Cache cache = open_for_reading(arguments.file);
  const Found found = find(cache, arguments);
  if (arguments.raw) {
    fmt::print("{}", raw_text(found.value));
  } else if (arguments.json) {
    print_as_json(found, calculations_of(cache));
  } else {
    const Calculations calculations = calculations_of(cache);
    print_text(found, calculation_of(found.info, calculations));
  }
  return Exit::ok;
}

}  // namespace ashmemo::cli
