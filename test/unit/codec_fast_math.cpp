#include "codec_fast_math.hpp"

#include <bit>
#include <optional>

#include <ashmemo/codec.hpp>
#include <ashmemo/key_part.hpp>

namespace fast_math {
namespace {

double number_of(std::uint64_t bits) {
  const volatile std::uint64_t read = bits;  // the compiler does not know the number
  return std::bit_cast<double>(std::uint64_t{read});
}

}  // namespace

std::string stored(std::uint64_t bits) {
  const ashmemo::Value value = ashmemo::Codec<double>::encode(number_of(bits));
  return value.type() == ashmemo::ValueType::text ? std::string(value.bytes()) : "real";
}

std::string decoded_as_float(std::uint64_t bits) {
  const ashmemo::ValueView given = ashmemo::ValueView::real(number_of(bits));
  const std::optional<float> decoded = ashmemo::Codec<float>::decode(given);
  return decoded ? key_part(std::bit_cast<std::uint64_t>(static_cast<double>(*decoded))) : "none";
}

std::string key_part(std::uint64_t bits) {
  std::string out;
  ashmemo::detail::append_real(out, number_of(bits));
  return out;
}

}  // namespace fast_math
