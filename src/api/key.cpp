#include <ashmemo/key_part.hpp>

#include <array>
#include <charconv>
#include <cstddef>
#include <string_view>

#include "base/is_nan.hpp"

namespace ashmemo::detail {
namespace {

// A table by character code, because a key has up to 4,096 characters.
constexpr std::array<bool, 256> kNeedsEscape = [] {
  std::array<bool, 256> needs{};
  for (std::size_t control = 0; control < 0x20; ++control) needs[control] = true;
  needs[0x7f] = true;
  for (const char separator : std::string_view("%:(),@;[]~")) {
    needs[static_cast<unsigned char>(separator)] = true;
  }
  return needs;
}();

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

// Longer than any 64-bit integer, and than the shortest form of any double.
constexpr std::size_t kNumberBytes = 32;

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, kNumberBytes> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

template <class Real>
void append_real_of(std::string& out, Real number) {
  if (base::is_nan(static_cast<double>(number))) {
    out += "nan";
  } else {
    append_number(out, number);
  }
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (!kNeedsEscape[byte]) continue;
    out.append(text, start, at - start);
    out += '%';
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 0xf];
    start = at + 1;
  }
  out.append(text, start);
}

void append_integer(std::string& out, std::int64_t number) { append_number(out, number); }
void append_unsigned(std::string& out, std::uint64_t number) { append_number(out, number); }
void append_real(std::string& out, double number) { append_real_of(out, number); }
void append_real(std::string& out, float number) { append_real_of(out, number); }

}  // namespace ashmemo::detail
