#include "store/checksum.hpp"

#include <xxhash.h>

#include <array>
#include <bit>
#include <cstddef>

namespace ashmemo::store {
namespace {

// Numbers are hashed with their lowest byte first.
constexpr std::uint64_t lowest_first(std::uint64_t number) noexcept {
  if constexpr (std::endian::native == std::endian::little) return number;
  std::uint64_t turned = 0;
  for (std::size_t i = 0; i < sizeof(number); ++i) turned = turned << 8 | (number >> 8 * i & 0xFF);
  return turned;
}

constexpr std::uint64_t bits(std::int64_t number) noexcept {
  return static_cast<std::uint64_t>(number);
}

std::uint64_t hash(std::string_view bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

// Hashes the value without its type.
std::uint64_t content(ValueView value) noexcept {
  switch (value.type()) {
    case ValueType::null:
      return 0;
    case ValueType::integer:
      return bits(value.as_integer());
    case ValueType::real:
      return std::bit_cast<std::uint64_t>(value.as_real());
    case ValueType::text:
    case ValueType::blob:
      return hash(value.bytes());
  }
  return 0;
}

constexpr std::uint64_t types(ValueView value, ValueView record_version) noexcept {
  return static_cast<std::uint64_t>(value.type()) |
         static_cast<std::uint64_t>(record_version.type()) << 8;
}

}  // namespace

std::int64_t checksum_of(std::string_view key, const EntryView& entry) noexcept {
  std::array<std::uint64_t, 9> row{hash(key),
                                   types(entry.value, entry.record_version),
                                   content(entry.value),
                                   content(entry.record_version),
                                   bits(entry.deadlines.computed_at),
                                   bits(entry.deadlines.fresh_until),
                                   bits(entry.deadlines.expires_at),
                                   bits(entry.deadlines.keep_until),
                                   bits(entry.calculation_id)};
  for (std::uint64_t& number : row) number = lowest_first(number);
  return static_cast<std::int64_t>(XXH3_64bits(row.data(), sizeof(row)));
}

}  // namespace ashmemo::store
