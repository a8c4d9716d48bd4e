#include "base/printable.hpp"

#include <fmt/format.h>

#include <cstddef>

namespace ashmemo::base {
namespace {

constexpr unsigned char kDelete = 0x7F;

bool is_control(unsigned char byte) noexcept { return byte < 0x20 || byte == kDelete; }

// The characters U+0080 to U+009F in UTF-8: some terminals take them for commands.
bool begins_control(const std::string& text, std::size_t at) noexcept {
  if (text[at] != '\xC2' || at + 1 == text.size()) return false;
  const auto next = static_cast<unsigned char>(text[at + 1]);
  return next >= 0x80 && next < 0xA0;
}

// The number of bytes of the control character at this position; 0 if there is no control
// character.
std::size_t control_bytes(const std::string& text, std::size_t at) noexcept {
  if (begins_control(text, at)) return 2;
  return is_control(static_cast<unsigned char>(text[at])) ? 1 : 0;
}

}  // namespace

std::string printable(std::string text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t bytes = control_bytes(text, at);
    if (bytes == 0) continue;
    std::string escaped;
    for (const char byte : text.substr(at, bytes)) {
      escaped += fmt::format("\\x{:02X}", static_cast<unsigned char>(byte));
    }
    text.replace(at, bytes, escaped);
    at += escaped.size() - 1;
  }
  return text;
}

}  // namespace ashmemo::base
