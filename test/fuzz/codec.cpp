// Fuzz target: decodes any SQLite value as any type with the codecs.

#include <ashmemo/codec.hpp>
#include <ashmemo/json.hpp>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/input.hpp"
#include "fuzz/require.hpp"

namespace {

enum class Narrow : std::int8_t {};
enum class Wide : std::uint64_t {};

struct Tags {
  std::vector<std::string> names;
  std::map<std::string, double> weights;
  std::optional<int> missing;  // absent from the text
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Tags, names, weights)

}  // namespace

template <>
struct ashmemo::Codec<Tags> : ashmemo::JsonCodec<Tags> {};
template <>
struct ashmemo::Codec<nlohmann::json> : ashmemo::JsonCodec<nlohmann::json> {};

namespace {

using namespace ashmemo;

// Decoding returns a value or nullopt. A decoded value must not change when it is encoded and
// decoded.
template <class T>
void decode(ValueView stored) {
  const std::optional<T> value = Codec<T>::decode(stored);
  if (!value) return;
  const Value encoded = Codec<T>::encode(*value);
  const std::optional<T> again = Codec<T>::decode(encoded);
  fuzz::require(again.has_value(), "an encoded value can be decoded");
  fuzz::require(Codec<T>::encode(*again) == encoded,
                "a value does not change when it is encoded and decoded");
}

template <class... T>
void decode_as(ValueView stored) {
  (decode<T>(stored), ...);
  (decode<std::optional<T>>(stored), ...);
}

void decode_as_any(ValueView stored) {
  using namespace std::chrono;
  decode_as<bool, char, char16_t, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
            std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, float, double>(stored);
  decode_as<Narrow, Wide, std::string>(stored);
  decode_as<std::vector<std::byte>, std::vector<unsigned char>, std::vector<bool>,
            std::vector<std::int16_t>, std::vector<std::int32_t>, std::vector<std::uint64_t>,
            std::vector<float>, std::vector<double>>(stored);
  decode_as<nanoseconds, hours, duration<float>, duration<std::uint8_t>, system_clock::time_point,
            steady_clock::time_point, time_point<system_clock, duration<double>>>(stored);
  decode_as<Tags, nlohmann::json>(stored);
}

ValueView stored_value(ValueType type, fuzz::Input input, std::string_view bytes) {
  switch (type) {
    case ValueType::null:
      return ValueView::null();
    case ValueType::integer:
      return ValueView::integer(static_cast<std::int64_t>(input.number(8)));
    case ValueType::real:
      return ValueView::real(std::bit_cast<double>(input.number(8)));
    case ValueType::text:
      return ValueView::text(bytes);
    case ValueType::blob:
      return ValueView::blob(bytes);
  }
  return ValueView::null();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto type = static_cast<ValueType>(input.byte() % 5);
  // A copy with the exact size, so that the sanitizer detects a read beyond the end.
  const std::vector<char> bytes(input.rest().begin(), input.rest().end());
  decode_as_any(stored_value(type, input, {bytes.data(), bytes.size()}));
  return 0;
}
