#include <ashmemo/registry.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <ashmemo/error.hpp>

namespace ashmemo {

Registry::Registry(Cache& cache) : core_(cache.core_) {
  if (core_ == nullptr)
    throw Error(ErrorCode::misuse, "a registry needs a cache: this one was moved from");
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
      throw Error(ErrorCode::misuse,
                  fmt::format("resource '{}' is of another type than was asked for", name),
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
