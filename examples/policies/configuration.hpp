#pragma once

#include <ashmemo/ashmemo.hpp>

#include <map>
#include <string>

namespace policies {

/// The content of a configuration file. The library checks the names of the calculations.
struct Configuration {
  ashmemo::Limits limits;
  ashmemo::Eviction eviction = ashmemo::Options{}.eviction;
  std::map<std::string, ashmemo::CachePolicy> calculations;
};

/// Throws std::runtime_error with the file, the field, its value and the allowed values.
[[nodiscard]] Configuration read_configuration(const std::string& file);

}  // namespace policies
