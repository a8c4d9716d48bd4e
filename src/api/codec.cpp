#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include <ashmemo/codec.hpp>
#include <ashmemo/detail/type_name.hpp>
#include <ashmemo/duration.hpp>

#include "base/is_nan.hpp"

namespace ashmemo::detail {
namespace {

constexpr std::string_view kNan = "nan";
constexpr auto kMaxInt64 = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
constexpr int kBitsPerByte = 8;

static_assert(std::numeric_limits<double>::is_iec559 && std::numeric_limits<float>::is_iec559,
              "stored reals are IEEE 754");
static_assert(std::endian::native == std::endian::little || std::endian::native == std::endian::big,
              "blobs of numbers know two byte orders");

std::uint64_t read_big_endian(std::string_view bytes) noexcept {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << kBitsPerByte | static_cast<unsigned char>(byte);
  return number;
}

std::optional<double> exact_double(std::int64_t number) noexcept {
  // The largest integers round up to 2^63, which does not convert back.
  constexpr double kTwoTo63 = 0x1p63;
  const auto real = static_cast<double>(number);
  if (real >= kTwoTo63 || static_cast<std::int64_t>(real) != number) return std::nullopt;
  return real;
}

std::optional<float> exact_float(double real) noexcept {
  if (base::is_nan(real)) return std::numeric_limits<float>::quiet_NaN();
  // Outside a float's range the conversion itself is undefined.
  constexpr auto kMax = static_cast<double>(std::numeric_limits<float>::max());
  if (is_finite(real) && std::abs(real) > kMax) return std::nullopt;
  const auto narrow = static_cast<float>(real);
  if (static_cast<double>(narrow) != real) return std::nullopt;
  return narrow;
}

// Used only on a big-endian machine, but compiled on every machine, so that the compiler checks it.
void reverse_each(char* numbers, std::size_t size, std::size_t width) noexcept {
  for (char* number = numbers; number != numbers + size; number += width) {
    std::reverse(number, number + width);
  }
}

}  // namespace

Value encode_unsigned(std::uint64_t value) {
  if (value <= kMaxInt64) return Value::integer(static_cast<std::int64_t>(value));
  std::string bytes(sizeof value, '\0');
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, value >>= kBitsPerByte) {
    *byte = static_cast<char>(value & 0xff);
  }
  return Value::blob(std::move(bytes));
}

std::optional<std::uint64_t> decode_unsigned(ValueView stored) noexcept {
  if (stored.type() == ValueType::integer) {
    if (stored.as_integer() < 0) return std::nullopt;
    return static_cast<std::uint64_t>(stored.as_integer());
  }
  const std::string_view bytes = stored.bytes();
  if (stored.type() != ValueType::blob || bytes.size() != sizeof(std::uint64_t)) {
    return std::nullopt;
  }
  const std::uint64_t number = read_big_endian(bytes);
  if (number <= kMaxInt64) return std::nullopt;
  return number;
}

Value encode_real(double value) {
  if (base::is_nan(value)) return Value::text(std::string(kNan));
  return Value::real(value);
}

std::optional<double> decode_double(ValueView stored) noexcept {
  switch (stored.type()) {
    case ValueType::real:
      return stored.as_real();
    case ValueType::integer:
      return exact_double(stored.as_integer());
    case ValueType::text:
      if (stored.bytes() == kNan) return std::numeric_limits<double>::quiet_NaN();
      return std::nullopt;
    case ValueType::null:
    case ValueType::blob:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<float> decode_float(ValueView stored) noexcept {
  const std::optional<double> real = decode_double(stored);
  if (!real) return std::nullopt;
  return exact_float(*real);
}

std::string to_little_endian(const void* numbers, std::size_t count, std::size_t width) {
  if (count == 0) return {};
  std::string bytes(static_cast<const char*>(numbers), count * width);
  if (std::endian::native == std::endian::big) {
    reverse_each(bytes.data(), bytes.size(), width);
  }
  return bytes;
}

void from_little_endian(std::string_view bytes, void* numbers, std::size_t width) {
  if (bytes.empty()) return;
  std::memcpy(numbers, bytes.data(), bytes.size());
  if (std::endian::native == std::endian::big) {
    reverse_each(static_cast<char*>(numbers), bytes.size(), width);
  }
}

std::string type_in_signature(std::string_view signature) {
  constexpr std::string_view kBefore = "T = ";
  const std::size_t from = signature.find(kBefore) + kBefore.size();
  std::string name(signature.substr(from, signature.rfind(']') - from));
  for (const std::string_view unnamed : {"{anonymous}", "(anonymous namespace)"}) {
    for (std::size_t at = name.find(unnamed); at != std::string::npos;
         at = name.find(unnamed, at)) {
      name.replace(at, unnamed.size(), "(anonymous)");
    }
  }
  return name;
}

}  // namespace ashmemo::detail
