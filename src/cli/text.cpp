#include "cli/text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

namespace ashmemo::cli {
namespace {

constexpr char32_t kInvalid = 0xFFFF'FFFF;

struct CodePoint {
  char32_t code = kInvalid;
  std::size_t bytes = 1;
};

/// Decodes the first code point of a text that is not empty.
CodePoint first_of(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  char32_t code = lead & (0x7FU >> bytes);
  for (std::size_t at = 1; at < bytes; ++at) {
    if ((byte(at) & 0xC0U) != 0x80) return {};
    code = code << 6U | (byte(at) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kMinCode{0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kMinCode[bytes] || code > 0x10FFFF || is_surrogate) return {};
  return {code, bytes};
}

bool is_visible(char32_t code) {
  struct Range {
    char32_t first;
    char32_t last;
  };
  constexpr std::array<Range, 9> kInvisible{{{0x00, 0x1F},        // control characters
                                             {0x7F, 0x9F},        // control characters
                                             {0x061C, 0x061C},    // direction of writing
                                             {0x200B, 0x200F},    // no width, direction
                                             {0x2028, 0x202E},    // line breaks, direction
                                             {0x2060, 0x206F},    // no width, direction
                                             {0xFEFF, 0xFEFF},    // byte order mark
                                             {0xE0000, 0xE007F},  // tags
                                             {kInvalid, kInvalid}}};
  return std::none_of(kInvisible.begin(), kInvisible.end(), [code](const Range& range) {
    return range.first <= code && code <= range.last;
  });
}

void append_hidden(std::string& shown, std::string_view bytes) {
  if (bytes == "\n") {
    shown += "\\n";
  } else if (bytes == "\t") {
    shown += "\\t";
  } else if (bytes == "\r") {
    shown += "\\r";
  } else {
    for (const char byte : bytes) {
      shown += fmt::format("\\x{:02X}", static_cast<unsigned char>(byte));
    }
  }
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const CodePoint next = first_of(text);
    if (is_visible(next.code)) {
      shown += text.substr(0, next.bytes);
      if (next.code == '\\') shown += '\\';
    } else {
      append_hidden(shown, text.substr(0, next.bytes));
    }
    text.remove_prefix(next.bytes);
  }
  return shown;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint next = first_of(text);
    if (next.code == kInvalid) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

std::string hex(std::string_view bytes) {
  const auto* const first = reinterpret_cast<const unsigned char*>(bytes.data());
  return fmt::format("{:02X}", fmt::join(first, first + bytes.size(), ""));
}

// fmt pads a text to a width in columns. So the padding is the difference between the width and the
// columns of the text, which has at least as many bytes as columns.
std::size_t columns_of(std::string_view text) {
  return 2 * text.size() - fmt::formatted_size("{:<{}}", text, text.size());
}

std::string shortened(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  constexpr std::string_view kOmission = "...";
  const auto is_inside_code_point = [text](std::size_t at) { return (text[at] & 0xC0) == 0x80; };
  std::size_t start = text.size();
  for (std::size_t at = start; kOmission.size() + columns_of(text.substr(at)) <= columns;) {
    start = at--;
    while (is_inside_code_point(at)) --at;
  }
  return fmt::format("{}{}", kOmission, text.substr(start));
}

std::string grouped(std::int64_t number) {
  std::string text = fmt::to_string(number);
  const std::size_t first_digit = number < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > first_digit + 3;) text.insert(at -= 3, ",");
  return text;
}

std::string counted(std::int64_t number, const char* singular, const char* plural) {
  return fmt::format("{} {}", grouped(number), number == 1 ? singular : plural);
}

std::string size_text(std::int64_t bytes) {
  if (bytes < 1'024) return fmt::format("{} B", bytes);
  double amount = static_cast<double>(bytes) / 1'024;
  std::string_view units = "KMGTPE";
  while (amount >= 1'023.95) {
    amount /= 1'024;
    units.remove_prefix(1);
  }
  return fmt::format("{:.1f} {}iB", amount, units.front());
}

std::string bytes_text(std::int64_t bytes) {
  const std::string exact = counted(bytes, "byte", "bytes");
  return bytes < 1'024 ? exact : fmt::format("{} ({})", exact, size_text(bytes));
}

std::string time_text(std::int64_t microseconds) {
  struct Unit {
    double microseconds;
    const char* name;
  };
  constexpr std::array<Unit, 7> kUnits{{{365 * 86'400e6, "y"},
                                        {86'400e6, "d"},
                                        {3'600e6, "h"},
                                        {60e6, "min"},
                                        {1e6, "s"},
                                        {1e3, "ms"},
                                        {1, "us"}}};
  for (const Unit& unit : kUnits) {
    const double amount = static_cast<double>(microseconds) / unit.microseconds;
    if (std::abs(amount) >= 9.95) return fmt::format("{:.0f} {}", amount, unit.name);
    if (std::abs(amount) >= 1) return fmt::format("{:.2g} {}", amount, unit.name);
  }
  return "0 s";
}

std::string moment_text(std::int64_t microseconds_since_1970) {
  const std::time_t seconds = microseconds_since_1970 / 1'000'000;
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(seconds));
}

}  // namespace ashmemo::cli
