#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace example {

inline constexpr int kExitUsage = 2;

/// For an example that takes no arguments: given any, it says so after `what`, a few words on what
/// it is. Returns the status that it then ends with.
inline std::optional<int> refuse_arguments(int count, const char* const* words,
                                           std::string_view what) {
  if (count < 2) return std::nullopt;
  const bool is_question = words[1] == std::string_view("--help");
  fmt::print(is_question ? stdout : stderr, "{}; it takes no arguments\n", what);
  return is_question ? EXIT_SUCCESS : kExitUsage;
}

}  // namespace example
