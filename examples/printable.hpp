#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace example {

/// A text from outside, such as the name of a file, for the terminal: control characters, which can
/// be commands to it, stand as \xNN.
inline std::string printable(std::string_view text) {
  const auto byte = [text](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : static_cast<unsigned char>(0);
  };
  std::string shown;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (byte(at) < 0x20 || byte(at) == 0x7F) {
      shown += fmt::format("\\x{:02X}", byte(at));
    } else if (byte(at) == 0xC2 && byte(at + 1) >= 0x80 && byte(at + 1) < 0xA0) {
      shown += fmt::format("\\xC2\\x{:02X}", byte(++at));  // U+0080 to U+009F are commands, too
    } else {
      shown += text[at];
    }
  }
  return shown;
}

}  // namespace example
