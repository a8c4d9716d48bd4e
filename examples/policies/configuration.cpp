#include "configuration.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
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
#include <vector>

namespace policies {
namespace {

using nlohmann::json;

/// A value in the file and its path: "calculations.price.ttl". The path of the whole file is empty.
struct Field {
  const json& value;
  std::string path;

  [[nodiscard]] Field member(const std::string& name) const {
    return {value.at(name), path.empty() ? name : path + "." + name};
  }
  [[noreturn]] void refuse(std::string_view allowed) const {
    throw std::runtime_error(fmt::format("{} is {}; allowed: {}", path.empty() ? "the file" : path,
                                         value.dump(), allowed));
  }
};

/// Calls the reader that belongs to the name of each member. Refuses a member without a reader,
/// because its name is probably a spelling mistake.
void read_members(const Field& object,
                  const std::map<std::string, std::function<void(const Field&)>>& readers) {
  if (!object.value.is_object()) object.refuse("an object: {...}");
  for (const auto& item : object.value.items()) {
    const Field member = object.member(item.key());
    const auto reader = readers.find(item.key());
    if (reader == readers.end()) {
      std::vector<std::string_view> known;
      for (const auto& one : readers) known.push_back(one.first);
      throw std::runtime_error(
          fmt::format("unknown field {}; allowed: {}", member.path, fmt::join(known, ", ")));
    }
    reader->second(member);
  }
}

/// "30m" or "64 MiB" as a number of the smallest unit. nullopt if it is something else or too
/// large.
std::optional<std::int64_t> read_amount(const json& value,
                                        const std::map<std::string, std::int64_t>& units) {
  if (!value.is_string()) return std::nullopt;
  const std::string text = value;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  std::string name = text.substr(static_cast<std::size_t>(end - text.data()));
  name.erase(0, name.find_first_not_of(' '));
  const auto unit = units.find(name);
  if (error != std::errc{} || count < 0 || unit == units.end()) return std::nullopt;
  if (count > std::numeric_limits<std::int64_t>::max() / unit->second) return std::nullopt;
  return count * unit->second;
}

ashmemo::Duration read_duration(const Field& field) {
  const auto milliseconds = read_amount(
      field.value, {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}});
  if (!milliseconds) field.refuse("a whole number and ms, s, m, h or d, such as \"30m\"");
  return std::chrono::milliseconds(*milliseconds);
}

ashmemo::Limit read_limit(const Field& field) {
  if (field.value == "unlimited") return ashmemo::unlimited;
  if (field.value.is_number_unsigned()) return field.value.get<std::uint64_t>();
  field.refuse("a whole number, or \"unlimited\"");
}

ashmemo::Limit read_bytes(const Field& field) {
  const auto bytes = read_amount(
      field.value, {{"KiB", ashmemo::KiB}, {"MiB", ashmemo::MiB}, {"GiB", ashmemo::GiB}});
  if (bytes) return *bytes;
  if (field.value.is_number_unsigned() || field.value == "unlimited") return read_limit(field);
  field.refuse("a whole number, also with KiB, MiB or GiB as in \"64 MiB\", or \"unlimited\"");
}

ashmemo::Eviction read_eviction(const Field& field) {
  if (field.value.is_string()) {
    if (const auto eviction = ashmemo::eviction_from(field.value.get<std::string>())) {
      return *eviction;
    }
  }
  field.refuse("\"none\", \"fifo\", \"lru\", \"clock\" or \"s3fifo\"");
}

ashmemo::CachePolicy read_policy(const Field& field) {
  ashmemo::CachePolicy policy;
  const auto duration = [](std::optional<ashmemo::Duration>& target) {
    return [&target](const Field& f) { target = read_duration(f); };
  };
  read_members(field, {{"ttl", duration(policy.ttl)},
                       {"stale_while_revalidate", duration(policy.stale_while_revalidate)},
                       {"stale_if_error", duration(policy.stale_if_error)},
                       {"negative_ttl", duration(policy.negative_ttl)},
                       {"eviction", [&](const Field& f) { policy.eviction = read_eviction(f); }}});
  return policy;
}

Configuration read(const json& tree) {
  Configuration result;
  const auto read_limits = [&](const Field& field) {
    read_members(
        field, {{"max_entries", [&](const Field& f) { result.limits.max_entries = read_limit(f); }},
                {"max_bytes", [&](const Field& f) { result.limits.max_bytes = read_bytes(f); }}});
  };
  const auto read_policies = [&](const Field& field) {
    if (!field.value.is_object()) field.refuse("an object: {\"name\": {...}}");
    for (const auto& item : field.value.items()) {
      result.calculations[item.key()] = read_policy(field.member(item.key()));
    }
  };
  read_members({tree, ""},
               {{"limits", read_limits},
                {"eviction", [&](const Field& f) { result.eviction = read_eviction(f); }},
                {"calculations", read_policies}});
  return result;
}

}  // namespace

Configuration read_configuration(const std::string& file) {
  try {
    if (std::filesystem::is_directory(file)) throw std::runtime_error("is a directory");
    std::ifstream text(file);
    if (!text) throw std::runtime_error("cannot read: " + std::generic_category().message(errno));
    constexpr bool kThrows = true;
    constexpr bool kIgnoresComments = true;
    return read(json::parse(text, nullptr, kThrows, kIgnoresComments));
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{}: {}", file, error.what()));
  }
}

}  // namespace policies
