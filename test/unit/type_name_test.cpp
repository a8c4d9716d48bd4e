#include <ashmemo/detail/type_name.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/json.hpp>

namespace app {

enum class Mood : std::int8_t { good };
enum class Weather : std::int8_t { good };

struct Colour {
  std::int64_t rgb = 0;
};
struct Shape {
  std::int64_t corners = 0;
};
struct Tags {
  std::vector<std::string> names;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Tags, names)

template <class T>
struct AsNumber {
  static ashmemo::Value encode(const T&) { return ashmemo::Value::integer(1); }
  static std::optional<T> decode(ashmemo::ValueView) { return T(); }
};

namespace {
enum class Hidden { here };
}

}  // namespace app

template <>
struct ashmemo::Codec<app::Colour> : app::AsNumber<app::Colour> {};
template <>
struct ashmemo::Codec<app::Shape> : app::AsNumber<app::Shape> {
  static constexpr std::string_view type_name = "app.shape.2";
};
template <>
struct ashmemo::Codec<app::Tags> : ashmemo::JsonCodec<app::Tags> {};

using ashmemo::detail::type_name;
using namespace std::chrono;

TEST_SUITE("unit") {
  TEST_CASE("numbers that are read as each other without loss have one name") {
    CHECK(type_name<int>() == "integer");
    CHECK(type_name<std::uint64_t>() == "integer");
    CHECK(type_name<char>() == "integer");
    CHECK(type_name<bool>() == "bool");
    CHECK(type_name<float>() == "float");
    CHECK(type_name<double>() == "double");
  }

  TEST_CASE("texts and blobs are named for what is in them") {
    CHECK(type_name<std::string>() == "text");
    CHECK(type_name<std::vector<float>>() == "vector of float");
    CHECK(type_name<std::vector<double>>() == "vector of double");
    CHECK(type_name<std::vector<std::int8_t>>() == "vector of int8");
    CHECK(type_name<std::vector<std::uint32_t>>() == "vector of uint32");
    CHECK(type_name<std::vector<std::byte>>() == "vector of uint8");
    CHECK(type_name<std::vector<unsigned char>>() == "vector of uint8");
    CHECK(type_name<std::vector<char>>() == "vector of char");
    CHECK(type_name<std::vector<bool>>() == "vector of bool");
  }

  TEST_CASE("enums are named for their type and their number's") {
    CHECK(type_name<app::Mood>() == "enum app::Mood of integer");
    CHECK(type_name<app::Weather>() == "enum app::Weather of integer");
    CHECK(type_name<app::Hidden>() == "enum app::(anonymous)::Hidden of integer");
  }

  TEST_CASE("durations and time points are named for their unit and clock") {
    CHECK(type_name<seconds>() == "duration of integer in 1/1 s");
    CHECK(type_name<milliseconds>() == "duration of integer in 1/1000 s");
    CHECK(type_name<minutes>() == "duration of integer in 60/1 s");
    CHECK(type_name<duration<double>>() == "duration of double in 1/1 s");
    CHECK(type_name<sys_seconds>() ==
          "duration of integer in 1/1 s since the epoch of system_clock");
    CHECK(type_name<time_point<steady_clock, seconds>>() ==
          "duration of integer in 1/1 s since the epoch of steady_clock");
  }

  TEST_CASE("an optional is named for what is inside") {
    CHECK(type_name<std::optional<int>>() == "optional integer");
    CHECK(type_name<std::optional<app::Shape>>() == "optional app.shape.2");
  }

  TEST_CASE("a type with its own codec has the codec's name, otherwise its own") {
    CHECK(type_name<app::Shape>() == "app.shape.2");
    CHECK(type_name<app::Colour>() == "app::Colour");
    CHECK(type_name<app::Tags>() == "app::Tags");
  }

  TEST_CASE("a type that cannot be stored has no name") {
    struct Nothing {};
    CHECK(type_name<Nothing>().empty());
  }

  TEST_CASE("the name of a calculation's types contains the types of its arguments") {
    using ashmemo::detail::signature_name;
    struct Isbn {};
    CHECK(signature_name<std::string>() == "text");
    CHECK(signature_name<std::string, long>() == "text of (integer;)");
    CHECK(signature_name<std::string, int, seconds>() ==
          "text of (integer;duration of integer in 1/1 s;)");
    CHECK(signature_name<bool, std::vector<std::string>>() != signature_name<bool, Isbn>());
    CHECK(signature_name<Isbn, int>().empty());
  }

  TEST_CASE("GCC and Clang write the same type") {
    using ashmemo::detail::type_in_signature;
    CHECK(type_in_signature("consteval const char* f() [with T = app::Mood]") == "app::Mood");
    CHECK(type_in_signature("const char *f() [T = app::Mood]") == "app::Mood");
    CHECK(type_in_signature("f() [with T = {anonymous}::A<{anonymous}::B>]") ==
          "(anonymous)::A<(anonymous)::B>");
    CHECK(type_in_signature("f() [T = (anonymous namespace)::A<int [3]>]") ==
          "(anonymous)::A<int [3]>");
  }
}
