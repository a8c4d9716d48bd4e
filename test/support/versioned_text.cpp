#include "support/versioned_text.hpp"

#include <cstdlib>

namespace ashmemo::test {
namespace {

std::uint64_t mixed(std::uint64_t number) {
  number ^= number >> 31U;
  number *= 0x9E3779B97F4A7C15U;
  return number ^ (number >> 29U);
}

}  // namespace

std::string text_of(std::uint32_t key, std::uint64_t version) {
  const std::uint64_t draw = mixed((version << 16U) ^ key);
  const std::size_t bytes = draw % 16 == 0 ? 3'000 + draw % 20'000 : draw % 300;
  const char filler = static_cast<char>('a' + draw % 26);
  return std::to_string(key) + '/' + std::to_string(version) + '/' + std::string(bytes, filler);
}

std::optional<std::uint64_t> version_of(std::uint32_t key, const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return std::nullopt;
  const std::uint64_t version = std::strtoull(text.c_str() + slash + 1, nullptr, 10);
  if (text != text_of(key, version)) return std::nullopt;
  return version;
}

}  // namespace ashmemo::test
