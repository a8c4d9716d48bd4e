#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <ashmemo/codec.hpp>

#include "codec_fast_math.hpp"

namespace {

using ashmemo::Codec;
using ashmemo::Value;
using ashmemo::ValueType;
using ashmemo::ValueView;

enum class Small : std::uint8_t { none = 0, some = 200 };
enum class Signed : std::int16_t { low = -30'000, high = 30'000 };
enum class Wide : std::uint64_t { all = std::numeric_limits<std::uint64_t>::max() };
enum class Flag : bool { off, on };
enum Plain { first, second };

template <class T>
std::optional<T> round_trip(T value) {
  return Codec<T>::decode(Codec<T>::encode(value).view());
}

template <class T>
void check_integer_limits() {
  using Limits = std::numeric_limits<T>;
  for (const T value : {Limits::min(), static_cast<T>(0), static_cast<T>(1), Limits::max()}) {
    CHECK(round_trip<T>(value) == value);
  }
}

// Returns true if `decode` refuses every value that is not a number.
template <class T>
bool refuses_non_numbers() {
  const std::vector<Value> others{
      Value::null(),          Value::text(""),        Value::text("1"),        Value::text("NaN"),
      Value::text("nan "),    Value::blob(""),        Value::blob("nan"),      Value::blob("1"),
      Value::text({"\0", 1}), Value::blob("1234567"), Value::blob("123456789")};
  for (const Value& other : others) {
    if (Codec<T>::decode(other.view())) return false;
  }
  return true;
}

template <class T>
bool same_bits(T a, T b) {
  return std::bit_cast<std::array<char, sizeof(T)>>(a) ==
         std::bit_cast<std::array<char, sizeof(T)>>(b);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE_TEMPLATE("an integer of any width survives encoding and decoding", T, signed char,
                     unsigned char, char, short, unsigned short, int, unsigned, long, unsigned long,
                     long long, unsigned long long, wchar_t, char8_t, char16_t, char32_t) {
    check_integer_limits<T>();
    CHECK(refuses_non_numbers<T>());
    CHECK_FALSE(Codec<T>::decode(ValueView::real(1.0)));
    CHECK(ashmemo::decodes_in_place<T>);
  }

  TEST_CASE("decode refuses an integer that is out of range") {
    CHECK_FALSE(Codec<std::int8_t>::decode(ValueView::integer(128)));
    CHECK_FALSE(Codec<std::int8_t>::decode(ValueView::integer(-129)));
    CHECK_FALSE(Codec<std::uint8_t>::decode(ValueView::integer(-1)));
    CHECK_FALSE(Codec<std::uint8_t>::decode(ValueView::integer(256)));
    CHECK_FALSE(Codec<int>::decode(ValueView::integer(2'147'483'648)));
    CHECK_FALSE(Codec<unsigned>::decode(ValueView::integer(4'294'967'296)));
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::integer(-1)));
    CHECK_FALSE(Codec<char16_t>::decode(ValueView::integer(65'536)));
  }

  TEST_CASE("an unsigned number above the signed range is stored as a big-endian blob") {
    constexpr std::uint64_t kAbove = std::uint64_t{1} << 63;
    CHECK(Codec<std::uint64_t>::encode(kAbove - 1).type() == ValueType::integer);
    CHECK(Codec<std::uint64_t>::encode(kAbove) ==
          Value::blob(std::string("\x80\0\0\0\0\0\0\0", 8)));
    CHECK(Codec<std::uint64_t>::encode(0xfedcba9876543210) ==
          Value::blob("\xfe\xdc\xba\x98\x76\x54\x32\x10"));
    CHECK(round_trip<std::uint64_t>(kAbove) == kAbove);
    CHECK(round_trip<std::uint64_t>(0xfedcba9876543210) == 0xfedcba9876543210);
    CHECK(Codec<std::uint64_t>::encode(kAbove).bytes() <
          Codec<std::uint64_t>::encode(kAbove + 256).bytes());
  }

  TEST_CASE("decode refuses a blob that is not the encoding of an unsigned number") {
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::blob({"\x7f\0\0\0\0\0\0\0", 8})));
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::blob({"\x80\0\0\0\0\0\0", 7})));
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::blob({"\x80\0\0\0\0\0\0\0\0", 9})));
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::text({"\x80\0\0\0\0\0\0\0", 8})));
    CHECK_FALSE(Codec<std::int64_t>::decode(ValueView::blob({"\x80\0\0\0\0\0\0\0", 8})));
    CHECK_FALSE(Codec<std::uint32_t>::decode(ValueView::blob({"\x80\0\0\0\0\0\0\0", 8})));
  }

  TEST_CASE("a bool is stored as 0 or 1 and decode refuses other numbers") {
    CHECK(Codec<bool>::encode(true) == Value::integer(1));
    CHECK(Codec<bool>::encode(false) == Value::integer(0));
    CHECK(round_trip(true) == true);
    CHECK(round_trip(false) == false);
    CHECK_FALSE(Codec<bool>::decode(ValueView::integer(2)));
    CHECK_FALSE(Codec<bool>::decode(ValueView::integer(-1)));
    CHECK_FALSE(Codec<bool>::decode(ValueView::integer(256)));
    CHECK_FALSE(Codec<bool>::decode(ValueView::real(1.0)));
    CHECK(refuses_non_numbers<bool>());
  }

  TEST_CASE_TEMPLATE("a floating-point number keeps its bits", T, float, double) {
    using Limits = std::numeric_limits<T>;
    for (const T value :
         {T{0}, -T{0}, T{1}, static_cast<T>(0.1), Limits::max(), Limits::lowest(), Limits::min(),
          Limits::denorm_min(), Limits::infinity(), -Limits::infinity()}) {
      CAPTURE(value);
      CHECK(Codec<T>::encode(value).type() == ValueType::real);
      CHECK(same_bits(round_trip<T>(value).value(), value));
    }
    CHECK(refuses_non_numbers<T>());
    CHECK(ashmemo::decodes_in_place<T>);
  }

  TEST_CASE_TEMPLATE("NaN is stored as a text because SQLite cannot store it as a number", T, float,
                     double) {
    CHECK(Codec<T>::encode(std::numeric_limits<T>::quiet_NaN()) == Value::text("nan"));
    CHECK(Codec<T>::encode(-std::numeric_limits<T>::quiet_NaN()) == Value::text("nan"));
    CHECK(std::isnan(Codec<T>::decode(ValueView::text("nan")).value()));
    CHECK(std::isnan(Codec<T>::decode(ValueView::real(std::nan(""))).value()));
  }

  TEST_CASE("real numbers that are not finite keep their meaning with -ffast-math") {
    constexpr std::uint64_t kNan = 0x7ff8'0000'0000'0000;
    constexpr std::uint64_t kInfinity = 0x7ff0'0000'0000'0000;
    constexpr std::uint64_t kSign = 0x8000'0000'0000'0000;
    for (const std::uint64_t nan : {kNan, kNan | kSign, kInfinity + 1}) {
      CHECK(fast_math::stored(nan) == "nan");
      CHECK(fast_math::decoded_as_float(nan) == "nan");
      CHECK(fast_math::key_part(nan) == "nan");
    }
    CHECK(fast_math::stored(kInfinity) == "real");
    CHECK(fast_math::decoded_as_float(kInfinity) == "inf");
    CHECK(fast_math::decoded_as_float(kInfinity | kSign) == "-inf");
    CHECK(fast_math::key_part(kInfinity | kSign) == "-inf");
    CHECK(fast_math::decoded_as_float(std::bit_cast<std::uint64_t>(1e300)) == "none");
    CHECK(fast_math::decoded_as_float(std::bit_cast<std::uint64_t>(0.5)) == "0.5");
  }

  TEST_CASE("an integer decodes as floating point only if the result is exact") {
    constexpr std::int64_t kTwoTo53 = std::int64_t{1} << 53;
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    CHECK(Codec<double>::decode(ValueView::integer(-3)) == -3.0);
    CHECK(Codec<double>::decode(ValueView::integer(kTwoTo53)) == 0x1p53);
    CHECK_FALSE(Codec<double>::decode(ValueView::integer(kTwoTo53 + 1)));
    CHECK(Codec<double>::decode(ValueView::integer(kTwoTo53 + 2)) == 0x1p53 + 2);
    CHECK_FALSE(Codec<double>::decode(ValueView::integer(kMax)));
    CHECK(Codec<double>::decode(ValueView::integer(-kMax - 1)) == -0x1p63);
    CHECK(Codec<float>::decode(ValueView::integer(1 << 24)) == 0x1p24F);
    CHECK_FALSE(Codec<float>::decode(ValueView::integer((1 << 24) + 1)));
    CHECK_FALSE(Codec<float>::decode(ValueView::integer(kMax)));
  }

  TEST_CASE("a real number decodes as float only if the result is exact") {
    CHECK(Codec<float>::decode(ValueView::real(0.5)) == 0.5F);
    CHECK_FALSE(Codec<float>::decode(ValueView::real(0.1)));
    CHECK_FALSE(Codec<float>::decode(ValueView::real(1e300)));
    CHECK_FALSE(Codec<float>::decode(ValueView::real(-1e300)));
    CHECK_FALSE(Codec<float>::decode(ValueView::real(1e-300)));
    CHECK_FALSE(Codec<float>::decode(
        ValueView::real(std::nextafter(std::numeric_limits<float>::max(), 1e300))));
  }

  TEST_CASE("an enum is stored as its number") {
    CHECK(Codec<Small>::encode(Small::some) == Value::integer(200));
    CHECK(round_trip(Small::some) == Small::some);
    CHECK(round_trip(Signed::low) == Signed::low);
    CHECK(round_trip(Wide::all) == Wide::all);
    CHECK(round_trip(Flag::on) == Flag::on);
    CHECK(round_trip(second) == second);
    CHECK(round_trip(std::byte{255}) == std::byte{255});
    CHECK(ashmemo::decodes_in_place<Small>);
  }

  TEST_CASE("decode refuses a number that does not fit an enum and accepts one without a name") {
    CHECK_FALSE(Codec<Small>::decode(ValueView::integer(256)));
    CHECK_FALSE(Codec<Small>::decode(ValueView::integer(-1)));
    CHECK_FALSE(Codec<Signed>::decode(ValueView::integer(32'768)));
    CHECK_FALSE(Codec<Flag>::decode(ValueView::integer(2)));
    CHECK_FALSE(Codec<Small>::decode(ValueView::text("200")));
    CHECK(refuses_non_numbers<Small>());
    CHECK(Codec<Small>::decode(ValueView::integer(77)) == static_cast<Small>(77));
  }
}
