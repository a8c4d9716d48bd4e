#pragma once

#include <cstddef>
#include <sstream>
#include <string>

namespace example {

/// The words in lines that a terminal has room for, indented.
inline std::string in_lines(const std::string& text) {
  constexpr std::size_t kMax = 80;
  std::string lines = "  ";
  std::size_t length = 2;
  std::istringstream words(text);
  for (std::string word; words >> word; length += word.size() + 1) {
    if (length + word.size() > kMax) {
      lines.replace(lines.size() - 1, 1, "\n    ");
      length = 4;
    }
    lines += word + ' ';
  }
  lines.back() = '\n';
  return lines;
}

}  // namespace example
