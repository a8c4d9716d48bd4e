#include "configuration.hpp"

#include <fmt/core.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace policies {
namespace {

using nlohmann::json;

/// A value of the file, with where it stands: "calculations.price.ttl".
struct Field {
  const json& value;
  std::string path;

  [[noreturn]] void refuse(std::string_view allowed) const {
    throw std::runtime_error(fmt::format("{} is {}; allowed is {}",
                                         path.empty() ? "the file" : path, value.dump(), allowed));
  }
};

using Reader = std::function<void(const Field&)>;

/// Each member is read by the reader of its name; a name without one is likely a slip of the pen.
void read_members(const Field& object, const std::map<std::string, Reader>& readers) {
  if (!object.value.is_object()) object.refuse("an object: {...}");
  for (const auto& [name, value] : object.value.items()) {
    const std::string path = object.path.empty() ? name : object.path + "." + name;
    const auto reader = readers.find(name);
    if (reader == readers.end()) {
      std::vector<std::string_view> known;
      for (const auto& one : readers) known.push_back(one.first);
      throw std::runtime_error(
          fmt::format("there is no {}; allowed is {}", path, fmt::join(known, ", ")));
    }
    reader->second({value, path});
  }
}

struct Amount {
  std::int64_t count = 0;
  std::string unit;
};

/// "30m" or "64 MiB"; nullopt where it is not a number and a unit.
std::optional<Amount> amount_of(const json& value) {
  if (!value.is_string()) return std::nullopt;
  const std::string text = value;
  Amount amount;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount.count);
  if (error != std::errc{} || amount.count < 0) return std::nullopt;
  amount.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  amount.unit.erase(0, amount.unit.find_first_not_of(' '));
  return amount;
}

/// The amount in the smallest unit, if its unit is one of these and it is not too much.
std::optional<std::int64_t> in_units(const json& value,
                                     const std::map<std::string, std::int64_t>& units) {
  const std::optional<Amount> amount = amount_of(value);
  if (!amount) return std::nullopt;
  const auto unit = units.find(amount->unit);
  if (unit == units.end()) return std::nullopt;
  if (amount->count > std::numeric_limits<std::int64_t>::max() / unit->second) return std::nullopt;
  return amount->count * unit->second;
}

ashmemo::Duration read_duration(const Field& field) {
  static const std::map<std::string, std::int64_t> kUnits = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const auto milliseconds = in_units(field.value, kUnits);
  if (!milliseconds) field.refuse("a whole number and ms, s, m, h or d, such as \"30m\"");
  return std::chrono::milliseconds(*milliseconds);
}

ashmemo::Limit read_limit(const Field& field, bool has_units) {
  if (field.value == "unlimited") return ashmemo::unlimited;
  if (field.value.is_number_unsigned()) return field.value.get<std::uint64_t>();
  static const std::map<std::string, std::int64_t> kUnits = {
      {"KiB", ashmemo::KiB}, {"MiB", ashmemo::MiB}, {"GiB", ashmemo::GiB}};
  const auto bytes = has_units ? in_units(field.value, kUnits) : std::nullopt;
  if (bytes) return *bytes;
  field.refuse(has_units ? "a whole number, perhaps with KiB, MiB or GiB as in \"64 MiB\", or "
                           "\"unlimited\""
                         : "a whole number, or \"unlimited\"");
}

ashmemo::Eviction read_eviction(const Field& field) {
  if (field.value.is_string()) {
    if (const auto eviction = ashmemo::eviction_from(field.value.get<std::string>())) {
      return *eviction;
    }
  }
  field.refuse("\"none\", \"fifo\", \"lru\", \"clock\" or \"s3fifo\"");
}

ashmemo::Limits read_limits(const Field& field) {
  ashmemo::Limits limits;
  read_members(field,
               {{"max_entries", [&](const Field& f) { limits.max_entries = read_limit(f, false); }},
                {"max_bytes", [&](const Field& f) { limits.max_bytes = read_limit(f, true); }}});
  return limits;
}

ashmemo::CachePolicy read_policy(const Field& field) {
  ashmemo::CachePolicy policy;
  const auto duration = [](std::optional<ashmemo::Duration>* to) {
    return [to](const Field& f) { *to = read_duration(f); };
  };
  read_members(field, {{"ttl", duration(&policy.ttl)},
                       {"stale_while_revalidate", duration(&policy.stale_while_revalidate)},
                       {"stale_if_error", duration(&policy.stale_if_error)},
                       {"negative_ttl", duration(&policy.negative_ttl)},
                       {"eviction", [&](const Field& f) { policy.eviction = read_eviction(f); }}});
  return policy;
}

Configuration read(const json& tree) {
  Configuration read;
  const auto read_policies = [&](const Field& calculations) {
    if (!calculations.value.is_object()) calculations.refuse("an object: {\"name\": {...}}");
    for (const auto& [name, value] : calculations.value.items()) {
      read.calculations[name] = read_policy({value, calculations.path + "." + name});
    }
  };
  read_members({tree, ""}, {{"limits", [&](const Field& f) { read.limits = read_limits(f); }},
                            {"eviction", [&](const Field& f) { read.eviction = read_eviction(f); }},
                            {"calculations", read_policies}});
  return read;
}

}  // namespace

Configuration read_configuration(const std::string& file) {
  try {
    if (std::filesystem::is_directory(file)) throw std::runtime_error("it is a directory");
    std::ifstream text(file);
    if (!text) {
      throw std::runtime_error("it cannot be read: " + std::generic_category().message(errno));
    }
    constexpr bool kThrows = true;
    constexpr bool kIgnoresComments = true;
    return read(json::parse(text, nullptr, kThrows, kIgnoresComments));
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{}: {}", file, error.what()));
  }
}

}  // namespace policies
