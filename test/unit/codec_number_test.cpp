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
std::optional<T> there_and_back(T value) {
  return Codec<T>::decode(Codec<T>::encode(value).view());
}

template <class T>
void check_integer_limits() {
  using Limits = std::numeric_limits<T>;
  for (const T value : {Limits::min(), static_cast<T>(0), static_cast<T>(1), Limits::max()}) {
    CHECK(there_and_back<T>(value) == value);
  }
}

// Whether every value that is not a number in some form is refused.
template <class T>
bool refuses_what_is_no_number() {
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
  TEST_CASE_TEMPLATE("6 integers of every width round-trip", T, signed char, unsigned char, char,
                     short, unsigned short, int, unsigned, long, unsigned long, long long,
                     unsigned long long, wchar_t, char8_t, char16_t, char32_t) {
    check_integer_limits<T>();
    CHECK(refuses_what_is_no_number<T>());
    CHECK_FALSE(Codec<T>::decode(ValueView::real(1.0)));
    CHECK(ashmemo::decodes_in_place<T>);
  }

  TEST_CASE("an integer out of range is refused") {
    CHECK_FALSE(Codec<std::int8_t>::decode(ValueView::integer(128)));
    CHECK_FALSE(Codec<std::int8_t>::decode(ValueView::integer(-129)));
    CHECK_FALSE(Codec<std::uint8_t>::decode(ValueView::integer(-1)));
    CHECK_FALSE(Codec<std::uint8_t>::decode(ValueView::integer(256)));
    CHECK_FALSE(Codec<int>::decode(ValueView::integer(2'147'483'648)));
    CHECK_FALSE(Codec<unsigned>::decode(ValueView::integer(4'294'967'296)));
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::integer(-1)));
    CHECK_FALSE(Codec<char16_t>::decode(ValueView::integer(65'536)));
  }

  TEST_CASE("an unsigned number above the signed range is a blob, the highest byte first") {
    constexpr std::uint64_t kAbove = std::uint64_t{1} << 63;
    CHECK(Codec<std::uint64_t>::encode(kAbove - 1).type() == ValueType::integer);
    CHECK(Codec<std::uint64_t>::encode(kAbove) ==
          Value::blob(std::string("\x80\0\0\0\0\0\0\0", 8)));
    CHECK(Codec<std::uint64_t>::encode(0xfedcba9876543210) ==
          Value::blob("\xfe\xdc\xba\x98\x76\x54\x32\x10"));
    CHECK(there_and_back<std::uint64_t>(kAbove) == kAbove);
    CHECK(there_and_back<std::uint64_t>(0xfedcba9876543210) == 0xfedcba9876543210);
    CHECK(Codec<std::uint64_t>::encode(kAbove).bytes() <
          Codec<std::uint64_t>::encode(kAbove + 256).bytes());
  }

  TEST_CASE("a blob that no unsigned number makes is refused") {
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::blob({"\x7f\0\0\0\0\0\0\0", 8})));
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::blob({"\x80\0\0\0\0\0\0", 7})));
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::blob({"\x80\0\0\0\0\0\0\0\0", 9})));
    CHECK_FALSE(Codec<std::uint64_t>::decode(ValueView::text({"\x80\0\0\0\0\0\0\0", 8})));
    CHECK_FALSE(Codec<std::int64_t>::decode(ValueView::blob({"\x80\0\0\0\0\0\0\0", 8})));
    CHECK_FALSE(Codec<std::uint32_t>::decode(ValueView::blob({"\x80\0\0\0\0\0\0\0", 8})));
  }

  TEST_CASE("bool is 0 or 1 and nothing else") {
    CHECK(Codec<bool>::encode(true) == Value::integer(1));
    CHECK(Codec<bool>::encode(false) == Value::integer(0));
    CHECK(there_and_back(true) == true);
    CHECK(there_and_back(false) == false);
    CHECK_FALSE(Codec<bool>::decode(ValueView::integer(2)));
    CHECK_FALSE(Codec<bool>::decode(ValueView::integer(-1)));
    CHECK_FALSE(Codec<bool>::decode(ValueView::integer(256)));
    CHECK_FALSE(Codec<bool>::decode(ValueView::real(1.0)));
    CHECK(refuses_what_is_no_number<bool>());
  }

  TEST_CASE_TEMPLATE("6 floating point keeps its bits", T, float, double) {
    using Limits = std::numeric_limits<T>;
    for (const T value :
         {T{0}, -T{0}, T{1}, static_cast<T>(0.1), Limits::max(), Limits::lowest(), Limits::min(),
          Limits::denorm_min(), Limits::infinity(), -Limits::infinity()}) {
      CAPTURE(value);
      CHECK(Codec<T>::encode(value).type() == ValueType::real);
      CHECK(same_bits(there_and_back<T>(value).value(), value));
    }
    CHECK(refuses_what_is_no_number<T>());
    CHECK(ashmemo::decodes_in_place<T>);
  }

  TEST_CASE_TEMPLATE("not a number is the text nan, which SQLite keeps", T, float, double) {
    CHECK(Codec<T>::encode(std::numeric_limits<T>::quiet_NaN()) == Value::text("nan"));
    CHECK(Codec<T>::encode(-std::numeric_limits<T>::quiet_NaN()) == Value::text("nan"));
    CHECK(std::isnan(Codec<T>::decode(ValueView::text("nan")).value()));
    CHECK(std::isnan(Codec<T>::decode(ValueView::real(std::nan(""))).value()));
  }

  TEST_CASE("an integer decodes as floating point when it is exact") {
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

  TEST_CASE("a real decodes as float when it is exact") {
    CHECK(Codec<float>::decode(ValueView::real(0.5)) == 0.5F);
    CHECK_FALSE(Codec<float>::decode(ValueView::real(0.1)));
    CHECK_FALSE(Codec<float>::decode(ValueView::real(1e300)));
    CHECK_FALSE(Codec<float>::decode(ValueView::real(-1e300)));
    CHECK_FALSE(Codec<float>::decode(ValueView::real(1e-300)));
    CHECK_FALSE(Codec<float>::decode(
        ValueView::real(std::nextafter(std::numeric_limits<float>::max(), 1e300))));
  }

  TEST_CASE("6 an enum is its number") {
    CHECK(Codec<Small>::encode(Small::some) == Value::integer(200));
    CHECK(there_and_back(Small::some) == Small::some);
    CHECK(there_and_back(Signed::low) == Signed::low);
    CHECK(there_and_back(Wide::all) == Wide::all);
    CHECK(there_and_back(Flag::on) == Flag::on);
    CHECK(there_and_back(second) == second);
    CHECK(there_and_back(std::byte{255}) == std::byte{255});
    CHECK(ashmemo::decodes_in_place<Small>);
  }

  TEST_CASE("a number that does not fit the enum is refused, one without a name is not") {
    CHECK_FALSE(Codec<Small>::decode(ValueView::integer(256)));
    CHECK_FALSE(Codec<Small>::decode(ValueView::integer(-1)));
    CHECK_FALSE(Codec<Signed>::decode(ValueView::integer(32'768)));
    CHECK_FALSE(Codec<Flag>::decode(ValueView::integer(2)));
    CHECK_FALSE(Codec<Small>::decode(ValueView::text("200")));
    CHECK(refuses_what_is_no_number<Small>());
    CHECK(Codec<Small>::decode(ValueView::integer(77)) == static_cast<Small>(77));
  }
}
