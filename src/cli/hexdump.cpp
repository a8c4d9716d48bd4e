#include "cli/hexdump.hpp"

#include <fmt/format.h>

#include <cstddef>

namespace ashmemo::cli {
namespace {

constexpr std::size_t kLine = 16;

char shown(char byte) { return byte >= ' ' && byte <= '~' ? byte : '.'; }

std::string line_of(std::size_t place, std::string_view bytes) {
  std::string numbers;
  std::string characters;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    numbers += fmt::format("{}{:02x}", at == kLine / 2 ? "  " : " ",
                           static_cast<unsigned char>(bytes[at]));
    characters += shown(bytes[at]);
  }
  constexpr std::size_t kWidth = 3 * kLine + 1;
  return fmt::format("{:08x} {:<{}}  |{}|\n", place, numbers, kWidth, characters);
}

}  // namespace

std::string hexdump(std::string_view bytes) {
  std::string lines;
  for (std::size_t at = 0; at < bytes.size(); at += kLine) {
    lines += line_of(at, bytes.substr(at, kLine));
  }
  return lines;
}

std::string hex(std::string_view bytes) {
  std::string digits;
  digits.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    fmt::format_to(std::back_inserter(digits), "{:02X}", static_cast<unsigned char>(byte));
  }
  return digits;
}

}  // namespace ashmemo::cli
