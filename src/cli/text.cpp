#include "cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace ashmemo::cli {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

// Control characters, and those that turn the direction of writing or begin a line.
constexpr std::array<Range, 8> kInvisible{{{0x00, 0x1F},
                                           {0x7F, 0x9F},
                                           {0x061C, 0x061C},
                                           {0x200B, 0x200F},
                                           {0x2028, 0x202E},
                                           {0x2060, 0x206F},
                                           {0xFEFF, 0xFEFF},
                                           {0xE0000, 0xE007F}}};

// Two columns wide, as std::format reckons.
constexpr std::array<Range, 11> kWide{{{0x1100, 0x115F},
                                       {0x2329, 0x232A},
                                       {0x2E80, 0x303E},
                                       {0x3040, 0xA4CF},
                                       {0xAC00, 0xD7A3},
                                       {0xF900, 0xFAFF},
                                       {0xFE30, 0xFE6F},
                                       {0xFF00, 0xFF60},
                                       {0x1F300, 0x1F64F},
                                       {0x1F900, 0x1F9FF},
                                       {0x20000, 0x3FFFD}}};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, std::uint32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [code](const Range& range) {
    return range.first <= code && code <= range.last;
  });
}

// One character of UTF-8, or a byte that is not of one.
struct Character {
  std::size_t bytes = 1;
  std::uint32_t code = 0;
  bool is_valid = false;
};

Character character_of(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, first, true};
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return {};
  std::uint32_t code = first & (0x7FU >> bytes);
  for (std::size_t at = 1; at < bytes; ++at) {
    if ((byte(at) & 0xC0U) != 0x80) return {};
    code = code << 6U | (byte(at) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> kMin{0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kMin[bytes] || code > 0x10FFFF || is_surrogate) return {};
  return {bytes, code, true};
}

std::size_t columns_of(const Character& character) { return is_in(kWide, character.code) ? 2 : 1; }

std::string hidden(std::string_view bytes) {
  if (bytes == "\n") return "\\n";
  if (bytes == "\t") return "\\t";
  if (bytes == "\r") return "\\r";
  std::string shown;
  for (const char byte : bytes) {
    shown += fmt::format("\\x{:02X}", static_cast<unsigned char>(byte));
  }
  return shown;
}

std::string visible(std::string_view text, bool doubles_backslashes) {
  std::string shown;
  while (!text.empty()) {
    const Character next = character_of(text);
    const std::string_view bytes = text.substr(0, next.bytes);
    if (!next.is_valid || is_in(kInvisible, next.code)) {
      shown += hidden(bytes);
    } else {
      shown += bytes;
      if (doubles_backslashes && next.code == '\\') shown += '\\';
    }
    text.remove_prefix(next.bytes);
  }
  return shown;
}

// How many bytes of the text fit into so many columns.
std::size_t bytes_within(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Character next = character_of(text.substr(bytes));
    if (columns_of(next) > columns) break;
    columns -= columns_of(next);
    bytes += next.bytes;
  }
  return bytes;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Character next = character_of(text);
    if (!next.is_valid) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

std::string printable(std::string_view text) { return visible(text, false); }

std::string escaped(std::string_view text) { return visible(text, true); }

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character next = character_of(text);
    columns += columns_of(next);
    text.remove_prefix(next.bytes);
  }
  return columns;
}

std::string shortened(std::string_view text, std::size_t columns, std::string_view omission) {
  if (columns_of(text) <= columns) return std::string(text);
  const std::size_t gap = columns_of(omission);
  if (columns <= gap) return std::string(omission.substr(0, bytes_within(omission, columns)));
  std::size_t room = columns - gap;
  std::string_view head = text.substr(0, text.find(':') + 1);  // none where there is no colon
  if (columns_of(head) > room / 3) head = {};
  room -= columns_of(head);
  std::string_view tail = text.substr(head.size());
  for (std::size_t width = columns_of(tail); width > room;) {
    const Character next = character_of(tail);
    width -= columns_of(next);
    tail.remove_prefix(next.bytes);
  }
  return fmt::format("{}{}{}", head, omission, tail);
}

}  // namespace ashmemo::cli
