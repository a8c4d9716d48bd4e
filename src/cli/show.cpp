#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "cli/calculations.hpp"
#include "cli/commands.hpp"
#include "cli/entry_text.hpp"
#include "cli/format.hpp"
#include "cli/hexdump.hpp"
#include "cli/open.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace ashmemo::cli {

const char* const kShowHelp =
    R"(Of a long value only the beginning is shown: --raw and --json give all of it.

JSON: as an entry of 'list', then type (null, integer, real, text or blob),
length in bytes, and value; of a blob hex in its place.
Bytes of a text that are no UTF-8 are replaced: --raw has them.

Examples:
  ashmemo show blog.cache.db Post:42:word_count
  ashmemo show blog.cache.db thumbnail:7 --raw > 7.png
  ashmemo show blog.cache.db $'two\nlines')";

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTextShown = 4'096;
constexpr std::size_t kBlobShown = 256;

struct Found {
  EntryInfo info;
  Value value;
};

Found find(const Cache& cache, const ShowOptions& options) {
  std::optional<Found> found;
  // Nothing that begins with the key comes before the key itself.
  cache.for_each(options.key, [&](const EntryInfo& entry, ValueView value) {
    if (entry.key == options.key) found = Found{entry, Value(value)};
    return false;
  });
  require_read(cache);
  if (!found) {
    throw CommandError(Exit::not_found,
                       fmt::format("'{}' has no entry '{}'", options.file, escaped(options.key)));
  }
  return std::move(*found);
}

const char* type_name(ValueType type) {
  switch (type) {
    case ValueType::null:
      return "null";
    case ValueType::integer:
      return "integer";
    case ValueType::real:
      return "real";
    case ValueType::text:
      return "text";
    case ValueType::blob:
      return "blob";
  }
  return "?";
}

std::string number_text(ValueView value) {
  return value.type() == ValueType::integer ? fmt::to_string(value.as_integer())
                                            : fmt::format("{}", value.as_real());
}

// JSON has no infinite numbers: they stand as text.
Json json_value(const Value& value) {
  switch (value.type()) {
    case ValueType::integer:
      return value.as_integer();
    case ValueType::real:
      return std::isfinite(value.as_real()) ? Json(value.as_real()) : Json(number_text(value));
    case ValueType::text:
      return std::string(value.bytes());
    case ValueType::null:
    case ValueType::blob:
      return nullptr;
  }
  return nullptr;
}

std::string title_of(const StoredCalculation& calculation) {
  return fmt::format("{}, version {}", name_of(calculation), calculation.version);
}

std::string kind_of(ValueView value) {
  const bool has_length = value.type() == ValueType::text || value.type() == ValueType::blob;
  if (!has_length) return type_name(value.type());
  return fmt::format("{}, {}", type_name(value.type()),
                     bytes_text(static_cast<std::int64_t>(value.size_bytes())));
}

std::string facts_of(const Found& found, const StoredCalculation* calculation) {
  const EntryInfo& entry = found.info;
  const std::int64_t now = system_clock()->wall_now();
  Facts facts;
  facts.add("key", escaped(entry.key));
  facts.add("calculation", calculation == nullptr ? "none: put directly" : title_of(*calculation));
  facts.add("state", std::string(state_of(entry)));
  facts.add("stored",
            fmt::format("{}, {} ago", moment_text(entry.computed_at), age_text(entry, now)));
  if (entry.fresh_until) facts.add("fresh until", moment_text(*entry.fresh_until));
  facts.add("expires", entry.expires_at ? moment_text(*entry.expires_at) : "never");
  if (entry.keep_until) facts.add("kept until", moment_text(*entry.keep_until));
  facts.add("reads", grouped(entry.access_count));
  facts.add("cost", entry.cost ? cost_text(entry.cost->count()) : "not known");
  facts.add("size", bytes_text(entry.byte_size) + " in the file");
  facts.add("value", kind_of(found.value));
  return facts.text();
}

std::string rest_of(std::size_t bytes, std::size_t shown) {
  if (bytes <= shown) return {};
  return fmt::format("... {} more: --raw writes all\n",
                     counted(static_cast<std::int64_t>(bytes - shown), "byte", "bytes"));
}

std::string value_text(ValueView value) {
  const std::string_view bytes = value.bytes();
  switch (value.type()) {
    case ValueType::null:
      return "NULL\n";
    case ValueType::integer:
    case ValueType::real:
      return number_text(value) + '\n';
    case ValueType::text:
      return escaped(bytes.substr(0, kTextShown)) + '\n' + rest_of(bytes.size(), kTextShown);
    case ValueType::blob:
      return hexdump(bytes.substr(0, kBlobShown)) + rest_of(bytes.size(), kBlobShown);
  }
  return {};
}

void print_text(const Found& found, const StoredCalculation* calculation) {
  print(facts_of(found, calculation) + '\n' + value_text(found.value));
}

void print_json(const Found& found, const StoredCalculation* calculation) {
  Json json = json_of(found.info, calculation);
  json["type"] = type_name(found.value.type());
  json["length"] = found.value.size_bytes();
  if (found.value.type() == ValueType::blob) {
    json["hex"] = hex(found.value.bytes());
  } else {
    json["value"] = json_value(found.value);
  }
  write_json(json);
}

void print_raw(const Value& value) {
  const bool is_number = value.type() == ValueType::integer || value.type() == ValueType::real;
  if (is_number) return print(number_text(value));
  print(value.bytes());
}

}  // namespace

Exit show(const ShowOptions& options) {
  const Cache cache = open_for_reading(options.file);
  const Found found = find(cache, options);
  if (options.raw) {
    print_raw(found.value);
    return Exit::ok;
  }
  const Calculations calculations(cache);
  const StoredCalculation* const calculation = calculations.find(found.info);
  options.json ? print_json(found, calculation) : print_text(found, calculation);
  return Exit::ok;
}

}  // namespace ashmemo::cli
