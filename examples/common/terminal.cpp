#include "terminal.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace example {

bool is_terminal(int file) {
  const char* const kind = std::getenv("TERM");
  return ::isatty(file) != 0 && (kind == nullptr || kind != std::string_view("dumb"));
}

std::string printable(std::string_view text) {
  std::string shown;
  bool after_c2 = false;  // in UTF-8, C2 80 to C2 9F are control characters as well
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_second_byte = after_c2 && byte >= 0x80 && byte < 0xA0;
    if (is_second_byte) shown.replace(shown.size() - 1, 1, "\\xC2");
    if (is_second_byte || byte < 0x20 || byte == 0x7F) {
      shown += fmt::format("\\x{:02X}", byte);
    } else {
      shown += c;
    }
    after_c2 = byte == 0xC2;
  }
  return shown;
}

std::string wrapped(std::string_view text, std::size_t columns) {
  std::string lines;
  std::string_view indent = "  ";
  while (indent.size() + text.size() > columns) {
    const std::size_t width = columns - indent.size();
    std::size_t end = text.rfind(' ', width);
    if (end == 0 || end == std::string_view::npos) end = width;  // a word longer than a line
    lines.append(indent).append(text.substr(0, end)) += '\n';
    text.remove_prefix(std::min(text.find_first_not_of(' ', end), text.size()));
    indent = "    ";
  }
  return lines.append(indent).append(text) + '\n';
}

}  // namespace example
