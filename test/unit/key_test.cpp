#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/key_part.hpp>

namespace {

using ashmemo::Keyable;
using namespace std::string_view_literals;

struct Unknown {};

struct Isbn {
  std::string digits;
};

// Derives from a built-in part and must therefore define its own text.
struct Derived {
  operator int() const { return 7; }
};

// Tries to append a separator.
struct Injecting {};

enum class Mood : char { calm = 'c', glad = 'g' };
enum class Level : std::int8_t { low = -1 };
enum class Named { first };

}  // namespace

template <>
struct ashmemo::KeyPart<Isbn> {
  static std::string text(const Isbn& isbn) { return isbn.digits; }
};
template <>
struct ashmemo::KeyPart<Derived> : ashmemo::KeyPart<int> {};
template <>
struct ashmemo::KeyPart<Injecting> {
  static void append(std::string& out, const Injecting&) { out += "1:2"; }
};
template <>
struct ashmemo::KeyPart<Named> {
  static std::string_view text(const Named&) { return "first:"; }
};

namespace {

static_assert(Keyable<int> && Keyable<bool> && Keyable<float> && Keyable<std::string>);
static_assert(Keyable<const char*> && Keyable<char[4]> && Keyable<std::string_view>);
static_assert(Keyable<Isbn> && Keyable<std::vector<Isbn>> && Keyable<std::optional<Isbn>>);
static_assert(Keyable<std::vector<std::optional<std::vector<bool>>>>);
static_assert(Keyable<std::chrono::system_clock::time_point>);
static_assert(!Keyable<Unknown> && !Keyable<std::vector<Unknown>>);
static_assert(!Keyable<long double> && !Keyable<std::chrono::duration<long double>>);
static_assert(!Keyable<int*> && !Keyable<std::nullptr_t> && !Keyable<void>);
static_assert(!Keyable<std::map<int, int>>);
static_assert(!Keyable<Derived> && !Keyable<Injecting>, "only the library appends unescaped text");

template <class T>
std::string part(const T& value) {
  std::string out;
  ashmemo::detail::append_key_part(out, value);
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  ashmemo::detail::append_escaped(out, text);
  return out;
}

template <class... Parts>
std::string record_prefix(std::string_view resource, const Parts&... parts) {
  std::string out;
  ashmemo::detail::append_record_prefix(out, resource, parts...);
  return out;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a key escapes each separator and control character of a text and nothing else") {
    CHECK(escaped("%:(),@;[]~") == "%25%3A%28%29%2C%40%3B%5B%5D%7E");
    CHECK(escaped("a\0b\n\x1f\x7f"sv) == "a%00b%0A%1F%7F");
    CHECK(escaped("") == "");
    CHECK(escaped("plain-text_1.2+3 4/5'\"{}") == "plain-text_1.2+3 4/5'\"{}");
    CHECK(escaped("grüße 日本 \xff\x80") == "grüße 日本 \xff\x80");
    CHECK(escaped("::") == "%3A%3A");
    CHECK(escaped("a:b") == "a%3Ab");
    CHECK(escaped("a%3Ab") == "a%253Ab");
  }

  TEST_CASE("the key part of an integer, character or enum is its number") {
    CHECK(part(42) == "42");
    CHECK(part(-7) == "-7");
    CHECK(part(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
    CHECK(part(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
    CHECK(part('a') == "97");
    CHECK(part(static_cast<signed char>(-1)) == "-1");
    CHECK(part(static_cast<unsigned char>(255)) == "255");
    CHECK(part(u'\xffff') == "65535");
    CHECK(part(Mood::glad) == "103");
    CHECK(part(Level::low) == "-1");
    CHECK(part(true) == "true");
    CHECK(part(false) == "false");
  }

  TEST_CASE("the key part of a floating-point number is its shortest form") {
    using Limits = std::numeric_limits<double>;
    CHECK(part(0.1) == "0.1");
    CHECK(part(0.1F) == "0.1");
    CHECK(part(static_cast<double>(0.1F)) == "0.10000000149011612");
    CHECK(part(1e20) == "1e+20");
    CHECK(part(-2.5) == "-2.5");
    CHECK(part(0.0) == "0");
    CHECK(part(-0.0) == "-0");
    CHECK(part(Limits::infinity()) == "inf");
    CHECK(part(-Limits::infinity()) == "-inf");
    CHECK(part(Limits::quiet_NaN()) == "nan");
    CHECK(part(-Limits::quiet_NaN()) == "nan");
    CHECK(part(std::nanf("7")) == "nan");
    CHECK(part(Limits::denorm_min()) == "5e-324");
    CHECK(part(Limits::lowest()) == "-1.7976931348623157e+308");
  }

  TEST_CASE("the key part of a type that converts to text is escaped text") {
    const char unterminated[3] = {'a', 'b', 'c'};
    const char* null_text = nullptr;
    CHECK(part("a:b") == "a%3Ab");
    CHECK(part(std::string("a\0", 2)) == "a%00");
    CHECK(part("ab"sv) == "ab");
    CHECK(part("") == "");
    CHECK(part(unterminated) == "abc");
    CHECK(part(null_text) == "~");
    CHECK(part("~") == "%7E");
  }

  TEST_CASE("the key part of a duration or time point is its count") {
    using namespace std::chrono;
    CHECK(part(minutes(30)) == "30");
    CHECK(part(milliseconds(-5)) == "-5");
    CHECK(part(duration<double>(0.5)) == "0.5");
    CHECK(part(sys_days(2024y / February / 29)) == "19782");
  }

  TEST_CASE("the key parts of nested optionals differ at every level") {
    using One = std::optional<std::string>;
    using Two = std::optional<One>;
    using Three = std::optional<Two>;
    CHECK(part(One()) == "~");
    CHECK(part(One("")) == "");
    CHECK(part(One("~")) == "%7E");
    CHECK(part(Two(One("x"))) == "x");
    CHECK(part(Three()) == "~");
    CHECK(part(Three(Two())) == "~~");
    CHECK(part(Three(Two(One()))) == "~~~");
    CHECK(part(Three(Two(One("~~")))) == "%7E%7E");
    const std::optional<const char*> null_text(nullptr);
    CHECK(part(null_text) == "~~");
  }

  TEST_CASE("each element of a vector ends with a semicolon in a key") {
    using Texts = std::vector<std::string>;
    CHECK(part(Texts{}) == "[]");
    CHECK(part(Texts{""}) == "[;]");
    CHECK(part(Texts{"a", "b"}) == "[a;b;]");
    CHECK(part(Texts{"a;b"}) == "[a%3Bb;]");
    CHECK(part(std::vector<Texts>{}) == "[]");
    CHECK(part(std::vector<Texts>{{}}) == "[[];]");
    CHECK(part(std::vector<Texts>{{"a"}, {}}) == "[[a;];[];]");
    CHECK(part(std::vector<bool>{true, false}) == "[true;false;]");
    CHECK(part(std::vector<std::optional<int>>{1, std::nullopt}) == "[1;~;]");
    CHECK(part(std::optional<Texts>(Texts{})) == "[]");
  }

  TEST_CASE("the text of a user's type is escaped in a key") {
    CHECK(part(Isbn{"978:0@"}) == "978%3A0%40");
    CHECK(part(Isbn{"~"}) == "%7E");
    CHECK(part(std::vector<Isbn>{{"a;"}, {"]"}}) == "[a%3B;%5D;]");
    CHECK(part(std::optional<Isbn>()) == "~");
    CHECK(part(Named::first) == "first%3A");
  }

  TEST_CASE("a key is readable") {
    CHECK(record_prefix("Post", 42) == "Post:42:");
    CHECK(record_prefix("OrderLine", 7, 3) == "OrderLine:7:3:");
    CHECK(record_prefix("File", "a/b.txt") == "File:a/b.txt:");
    CHECK(record_prefix("A:B", ":") == "A%3AB:%3A:");

    std::string key = record_prefix("Post", 42);
    ashmemo::detail::append_calculation(key, "excerpt", 80, std::string("x,y"));
    ashmemo::detail::append_scope(key, "acme");
    CHECK(key == "Post:42:excerpt(80,x%2Cy)@acme");

    key = record_prefix("Post", 42);
    ashmemo::detail::append_calculation(key, "word_count");
    CHECK(key == "Post:42:word_count");
  }

  TEST_CASE("a key never contains a control character") {
    std::string all;
    for (int character = 0; character < 256; ++character) all += static_cast<char>(character);
    for (const char character : record_prefix(all, all, std::vector{all}, Isbn{all})) {
      const auto code = static_cast<unsigned char>(character);
      CHECK((code >= 0x20 && code != 0x7f));
    }
  }
}
