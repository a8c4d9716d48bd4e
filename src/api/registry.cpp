#include <ashmemo/registry.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <ashmemo/detail/page.hpp>
#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/detail/typed.hpp>
#include <ashmemo/error.hpp>

namespace ashmemo {

Registry::Registry(Cache& cache) : core_(cache.core_) {
  if (core_ == nullptr)
    throw Error(ErrorCode::misuse, "a registry needs a cache, but this cache was moved from");
}

std::vector<std::string> Registry::resources() const {
  std::vector<std::string> names;
  for (const Known& known : resources_) names.push_back(known.name);
  return names;
}

void Registry::require_new(std::string_view name) const {
  if (name.empty()) throw Error(ErrorCode::misuse, "a resource has an empty name");
  const auto has_name = [name](const Known& known) { return known.name == name; };
  if (std::none_of(resources_.begin(), resources_.end(), has_name)) return;
  throw Error(ErrorCode::misuse, fmt::format("resource '{}' is registered already", name),
              std::string(name));
}

void* Registry::find(std::string_view name, std::type_index type) const {
  std::string names;
  for (const Known& known : resources_) {
    if (known.name == name && known.type == type) return known.resource.get();
    if (known.name == name) {
      throw Error(ErrorCode::misuse, fmt::format("resource '{}' has records of another type", name),
                  std::string(name));
    }
    names += (names.empty() ? "" : ", ") + known.name;
  }
  throw Error(
      ErrorCode::misuse,
      fmt::format("there is no resource '{}'; known are: {}", name, names.empty() ? "none" : names),
      std::string(name));
}

}  // namespace ashmemo

namespace ashmemo::detail {

void throw_empty_record(std::size_t index) {
  throw Error(
      ErrorCode::misuse,
      fmt::format("record {} of the page is empty: a null pointer or an optional of nothing",
                  index),
      std::to_string(index));
}

void throw_empty_handle() {
  throw Error(
      ErrorCode::misuse,
      "an empty Calculation was used: assign the result of Resource::calculation or find first");
}

void throw_foreign(const ResourceCore& resource, const CalculationCore& calculation) {
  throw Error(ErrorCode::misuse,
              fmt::format("{} was given to a load of another resource, '{}'", label_of(calculation),
                          name_of(resource)),
              name_of(calculation));
}

void throw_wrong_number(std::string_view who, std::size_t got, std::size_t asked) {
  throw Error(ErrorCode::wrong_number_of_results,
              fmt::format("{} returned {} results where {} were asked for", who, got, asked),
              std::string(who));
}

}  // namespace ashmemo::detail
