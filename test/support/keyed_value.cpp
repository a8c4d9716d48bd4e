#include "support/keyed_value.hpp"

#include <cstdlib>

namespace ashmemo::test {

// KEY=GENERATION,BYTES;FILLER
std::string value_of(const std::string& key, std::uint32_t generation, std::size_t bytes) {
  std::string value = key + '=' + std::to_string(generation) + ',' + std::to_string(bytes) + ';';
  value.append(bytes, static_cast<char>('a' + generation % 26));
  return value;
}

bool is_value_of(const std::string& key, const std::string& value) {
  if (!value.starts_with(key + '=')) return false;
  char* end = nullptr;
  const auto generation = std::strtoul(value.c_str() + key.size() + 1, &end, 10);
  if (*end != ',') return false;
  const std::size_t bytes = std::strtoul(end + 1, nullptr, 10);
  if (bytes > value.size()) return false;
  return value == value_of(key, static_cast<std::uint32_t>(generation), bytes);
}

}  // namespace ashmemo::test
