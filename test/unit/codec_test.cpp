#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/codec.hpp>

namespace {

using ashmemo::Codec;
using ashmemo::decodes_in_place;
using ashmemo::Storable;
using ashmemo::stored_t;
using ashmemo::Value;
using ashmemo::ValueType;
using ashmemo::ValueView;
using namespace std::string_view_literals;

struct Unknown {};

struct Colour {
  std::int64_t rgb = 0;
  bool operator==(const Colour&) const = default;
};

struct Celsius {
  double degrees = 0;
};

// Converts to `std::string_view`, but has its own codec.
struct Name {
  std::string text;
  operator std::string_view() const { return text; }
};

struct Label {
  operator std::string_view() const { return "label"; }
};

enum class Mood { calm, glad };

struct NoDecode {};
struct WrongDecode {};

}  // namespace

template <>
struct ashmemo::Codec<Colour> {
  static Value encode(const Colour& colour) { return Value::integer(colour.rgb); }
  static std::optional<Colour> decode(ValueView stored) {
    if (stored.type() != ValueType::integer) throw std::runtime_error("not a colour");
    return Colour{stored.as_integer()};
  }
};

template <>
struct ashmemo::Codec<Celsius> : ashmemo::Codec<double> {
  static Value encode(const Celsius& value) { return Codec<double>::encode(value.degrees); }
  static std::optional<Celsius> decode(ValueView stored) {
    const std::optional<double> degrees = Codec<double>::decode(stored);
    if (!degrees) return std::nullopt;
    return Celsius{*degrees};
  }
};

template <>
struct ashmemo::Codec<Name> {
  static Value encode(const Name& name) { return Value::blob(name.text); }
  static std::optional<Name> decode(ValueView stored) { return Name{std::string(stored.bytes())}; }
};

template <>
struct ashmemo::Codec<Mood> {
  static Value encode(const Mood& mood) {
    return Value::text(mood == Mood::glad ? "glad" : "calm");
  }
  static std::optional<Mood> decode(ValueView stored) {
    return stored.bytes() == "glad" ? Mood::glad : Mood::calm;
  }
};

template <>
struct ashmemo::Codec<NoDecode> {
  static Value encode(const NoDecode&) { return Value::null(); }
};

template <>
struct ashmemo::Codec<WrongDecode> {
  static Value encode(const WrongDecode&) { return Value::null(); }
  static WrongDecode decode(ValueView) { return {}; }
};

namespace {

// Types that cannot be stored.
static_assert(!Storable<long double>);
static_assert(!Storable<std::optional<long double>>);
static_assert(!Storable<std::vector<long double>>);
static_assert(!Storable<std::chrono::duration<long double>>);
static_assert(!Storable<std::optional<std::optional<int>>>);
static_assert(!Storable<Unknown>);
static_assert(!Storable<std::vector<Unknown>>);
static_assert(!Storable<std::vector<std::string>>);
static_assert(!Storable<std::vector<std::vector<int>>>);
static_assert(!Storable<std::vector<Mood>>);
static_assert(!Storable<std::map<int, int>>);
static_assert(!Storable<std::complex<float>>);
static_assert(!Storable<std::string_view>, "a view could outlive its text");
static_assert(!Storable<const char*>);
static_assert(!Storable<int*>);
static_assert(!Storable<std::unique_ptr<int>>);
static_assert(!Storable<std::nullptr_t>);
static_assert(!Storable<void>);
static_assert(!Storable<const int>);
static_assert(!Storable<int&>);
static_assert(!Storable<NoDecode>);
static_assert(!Storable<WrongDecode>, "decode must return an optional");

// Types that can be stored.
static_assert(Storable<bool> && Storable<int> && Storable<double> && Storable<std::string>);
static_assert(Storable<std::vector<float>> && Storable<std::vector<bool>>);
static_assert(Storable<std::optional<std::vector<std::byte>>>);
static_assert(Storable<Colour> && Storable<std::optional<Colour>>);

// A type that converts to text is stored as text unless it has its own codec.
static_assert(std::same_as<stored_t<char[5]>, std::string>);
static_assert(std::same_as<stored_t<const char (&)[5]>, std::string>);
static_assert(std::same_as<stored_t<const char*>, std::string>);
static_assert(std::same_as<stored_t<std::string_view>, std::string>);
static_assert(std::same_as<stored_t<const std::string&>, std::string>);
static_assert(std::same_as<stored_t<Label>, std::string>);
static_assert(std::same_as<stored_t<Name>, Name>);
static_assert(std::same_as<stored_t<int>, int>);
static_assert(std::same_as<stored_t<const bool&>, bool>);
static_assert(std::same_as<stored_t<std::vector<float>>, std::vector<float>>);
static_assert(std::same_as<stored_t<std::nullptr_t>, std::nullptr_t>);

// Types that decode without user code.
static_assert(decodes_in_place<std::string> && decodes_in_place<std::vector<float>>);
static_assert(decodes_in_place<std::optional<int>> && decodes_in_place<std::vector<bool>>);
static_assert(decodes_in_place<std::chrono::seconds>);
static_assert(!decodes_in_place<Colour>);
static_assert(!decodes_in_place<std::optional<Colour>>);
static_assert(!decodes_in_place<Celsius>,
              "a codec that derives from a built-in codec is user code");
static_assert(!decodes_in_place<Mood>, "an enum with a user's codec");

template <class T>
std::optional<T> round_trip(const T& value) {
  return ashmemo::detail::decode<T>(ashmemo::detail::encode(value).view());
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a text keeps its bytes, also if it is empty or contains NUL") {
    for (const std::string& text : {std::string(), std::string("dark"), std::string("a\0b\0", 4),
                                    std::string("\xff\xfe not UTF-8"), std::string(100'000, 'x')}) {
      CHECK(Codec<std::string>::encode(text) == Value::text(text));
      CHECK(round_trip(text) == text);
    }
    CHECK_FALSE(Codec<std::string>::decode(ValueView::null()));
    CHECK_FALSE(Codec<std::string>::decode(ValueView::blob("dark")));
    CHECK_FALSE(Codec<std::string>::decode(ValueView::integer(1)));
    CHECK_FALSE(Codec<std::string>::decode(ValueView::real(1.0)));
  }

  TEST_CASE("a type that converts to text is encoded as text unless it has its own codec") {
    const char* null_text = nullptr;
    const std::array<char, 3> open{'a', 'b', 'c'};
    const char unterminated[3] = {'a', 'b', 'c'};
    CHECK(ashmemo::detail::encode("dark") == Value::text("dark"));
    CHECK(ashmemo::detail::encode("") == Value::text(""));
    CHECK(ashmemo::detail::encode("da\0rk") == Value::text("da"));
    CHECK(ashmemo::detail::encode(unterminated) == Value::text("abc"));
    CHECK(ashmemo::detail::encode(static_cast<const char*>("dark")) == Value::text("dark"));
    CHECK(ashmemo::detail::encode(std::string_view(open.data(), 2)) == Value::text("ab"));
    CHECK(ashmemo::detail::encode(std::string_view{}) == Value::text(""));
    CHECK(ashmemo::detail::encode(Label{}) == Value::text("label"));
    CHECK(ashmemo::detail::encode(Name{"x"}) == Value::blob("x"));
    CHECK(ashmemo::detail::encode(null_text) == Value::null());
  }

  TEST_CASE("a vector of bytes is stored as a blob of these bytes") {
    const std::vector<std::uint8_t> bytes{0, 1, 255, 0};
    const std::vector<std::byte> same{std::byte{0}, std::byte{1}, std::byte{255}, std::byte{0}};
    CHECK(Codec<std::vector<std::uint8_t>>::encode(bytes) == Value::blob({"\0\1\xff\0", 4}));
    CHECK(Codec<std::vector<std::byte>>::encode(same) == Value::blob({"\0\1\xff\0", 4}));
    CHECK(round_trip(bytes) == bytes);
    CHECK(round_trip(same) == same);
  }

  TEST_CASE_TEMPLATE("a vector of numbers survives encoding and decoding", T, char, signed char,
                     unsigned char, short, unsigned, long long, float, double, wchar_t) {
    using Limits = std::numeric_limits<T>;
    const std::vector<T> numbers{Limits::lowest(), T{0}, T{1}, Limits::max()};
    CHECK(Codec<std::vector<T>>::encode(numbers).size_bytes() == 4 * sizeof(T));
    CHECK(round_trip(numbers) == numbers);
    CHECK(decodes_in_place<std::vector<T>>);
  }

  TEST_CASE("a number in a vector is stored with its lowest byte first") {
    const std::vector<std::uint32_t> numbers{0x04030201, 0x08070605};
    CHECK(Codec<std::vector<std::uint32_t>>::encode(numbers) == Value::blob("\1\2\3\4\5\6\7\x08"));
    const std::vector<float> one{1.0F};
    CHECK(Codec<std::vector<float>>::encode(one) == Value::blob({"\0\0\x80\x3f", 4}));
  }

  TEST_CASE("a floating-point number in a vector keeps its bits") {
    using Limits = std::numeric_limits<double>;
    const std::vector<double> numbers{-0.0, Limits::infinity(), Limits::quiet_NaN()};
    const std::vector<double> back = round_trip(numbers).value();
    CHECK(std::signbit(back[0]));
    CHECK(back[1] == Limits::infinity());
    CHECK(std::isnan(back[2]));
  }

  TEST_CASE("an empty vector is stored as an empty blob and not as NULL") {
    CHECK(Codec<std::vector<float>>::encode({}) == Value::blob(""));
    CHECK(Codec<std::vector<bool>>::encode({}) == Value::blob(""));
    CHECK(round_trip(std::vector<float>{}).value().empty());
    CHECK(round_trip(std::vector<bool>{}).value().empty());
    CHECK_FALSE(Codec<std::vector<float>>::decode(ValueView::null()));
    CHECK_FALSE(Codec<std::vector<bool>>::decode(ValueView::null()));
  }

  TEST_CASE("decode of a vector refuses a blob of the wrong size and other types") {
    using Floats = Codec<std::vector<float>>;
    for (const std::size_t size : {1U, 2U, 3U, 5U, 7U, 1023U}) {
      CAPTURE(size);
      CHECK_FALSE(Floats::decode(Value::blob(std::string(size, 'x')).view()));
    }
    CHECK_FALSE(Floats::decode(ValueView::text("1234")));
    CHECK_FALSE(Floats::decode(ValueView::text("")));
    CHECK_FALSE(Floats::decode(ValueView::integer(0)));
    CHECK_FALSE(Floats::decode(ValueView::real(0.0)));
    CHECK_FALSE(Codec<std::vector<std::uint8_t>>::decode(ValueView::text("1234")));
  }

  TEST_CASE("a blob decodes from an unaligned address") {
    const std::string bytes("x\0\0\x80\x3f", 5);
    const ValueView odd = ValueView::blob(std::string_view(bytes).substr(1));
    CHECK(Codec<std::vector<float>>::decode(odd) == std::vector<float>{1.0F});
  }

  TEST_CASE("a vector of bool is stored as one byte, 0 or 1, for each element") {
    const std::vector<bool> flags{true, false, true};
    CHECK(Codec<std::vector<bool>>::encode(flags) == Value::blob({"\1\0\1", 3}));
    CHECK(round_trip(flags) == flags);
    CHECK_FALSE(Codec<std::vector<bool>>::decode(ValueView::blob("\1\2")));
    CHECK_FALSE(Codec<std::vector<bool>>::decode(ValueView::blob("\xff")));
    CHECK_FALSE(Codec<std::vector<bool>>::decode(ValueView::text("\1")));
    CHECK_FALSE(Codec<std::vector<bool>>::decode(ValueView::integer(1)));
  }

  TEST_CASE("an empty optional differs from a value that does not decode") {
    using Maybe = std::optional<int>;
    CHECK(Codec<Maybe>::encode(std::nullopt) == Value::null());
    CHECK(Codec<Maybe>::encode(7) == Value::integer(7));
    const std::optional<Maybe> nothing = Codec<Maybe>::decode(ValueView::null());
    REQUIRE(nothing.has_value());
    CHECK_FALSE(nothing->has_value());
    const std::optional<Maybe> seven = Codec<Maybe>::decode(ValueView::integer(7));
    REQUIRE(seven.has_value());
    CHECK(*seven == Maybe(7));
    CHECK_FALSE(Codec<Maybe>::decode(ValueView::text("7")).has_value());
    CHECK_FALSE(Codec<Maybe>::decode(ValueView::integer(1LL << 40)).has_value());
  }

  TEST_CASE("an optional text distinguishes no text from the empty text") {
    using Maybe = std::optional<std::string>;
    CHECK(round_trip(Maybe("")).value() == Maybe(""));
    CHECK(round_trip(Maybe()).value() == Maybe());
    CHECK(Codec<Maybe>::encode("") == Value::text(""));
  }

  TEST_CASE("a duration or time point is stored as its count") {
    using namespace std::chrono;
    CHECK(Codec<minutes>::encode(minutes(30)) == Value::integer(30));
    CHECK(round_trip(hours::min()) == hours::min());
    CHECK(round_trip(duration<double>(0.5)) == duration<double>(0.5));
    CHECK(Codec<duration<double>>::encode(duration<double>(0.5)) == Value::real(0.5));
    CHECK(round_trip(duration<std::uint8_t>(200)) == duration<std::uint8_t>(200));
    CHECK_FALSE(Codec<duration<std::uint8_t>>::decode(ValueView::integer(256)));
    CHECK_FALSE(Codec<seconds>::decode(ValueView::text("5")));
    CHECK_FALSE(Codec<seconds>::decode(ValueView::real(5.0)));

    const sys_days day = 2024y / February / 29;
    CHECK(Codec<sys_days>::encode(day) == Value::integer(19'782));
    CHECK(round_trip(day) == day);
    const system_clock::time_point before_epoch{system_clock::duration(-1)};
    CHECK(round_trip(before_epoch) == before_epoch);
    CHECK_FALSE(Codec<sys_days>::decode(ValueView::null()));
    using SmallDays = sys_time<duration<std::int32_t, days::period>>;
    CHECK_FALSE(Codec<SmallDays>::decode(ValueView::integer(1LL << 40)));
  }

  TEST_CASE("a user's codec is used and an exception from its decode means no value") {
    CHECK(ashmemo::detail::encode(Colour{0xff00ff}) == Value::integer(0xff00ff));
    CHECK(round_trip(Colour{3}) == Colour{3});
    CHECK_FALSE(ashmemo::detail::decode<Colour>(ValueView::text("red")));
    CHECK_FALSE(ashmemo::detail::decode<std::optional<Colour>>(ValueView::text("red")));
    CHECK(round_trip(Celsius{36.6}).value().degrees == 36.6);
    CHECK(ashmemo::detail::encode(Mood::glad) == Value::text("glad"));
    CHECK(round_trip(Mood::glad) == Mood::glad);
  }
}
