#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace example {

/// "1,234,567", in any locale.
inline std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) text.insert(at -= 3, 1, ',');
  return text;
}

/// "1 hit", "2,345 hits".
inline std::string counted(std::int64_t count, std::string_view one, std::string_view many) {
  return grouped(count).append(" ").append(count == 1 ? one : many);
}

}  // namespace example
