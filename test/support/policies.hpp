#pragma once

#include <ashmemo/options.hpp>

#include <vector>

namespace ashmemo::test {

/// The policies with a name in the enum, apart from `none`. Tests that hold for each policy visit
/// all of them.
inline const std::vector<Eviction> kPolicies = [] {
  std::vector<Eviction> found;
  for (int number = 1; to_string(Eviction(number)) != "?"; ++number) {
    found.push_back(Eviction(number));
  }
  return found;
}();

}  // namespace ashmemo::test
