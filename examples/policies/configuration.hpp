#pragma once

#include <ashmemo/ashmemo.hpp>

#include <map>
#include <string>

namespace policies {

/// What the file says. The names of calculations are checked by the library, which knows them.
struct Configuration {
  ashmemo::Limits limits;
  ashmemo::Eviction eviction = ashmemo::Options{}.eviction;
  std::map<std::string, ashmemo::CachePolicy> calculations;
};

/// Throws std::runtime_error that names the file, the field, what it says and what is allowed.
[[nodiscard]] Configuration read_configuration(const std::string& file);

}  // namespace policies
