#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <ashmemo/codec.hpp>
#include <ashmemo/json.hpp>

namespace {

struct Tags {
  std::vector<std::string> names;
  std::map<std::string, int> counts;
  double weight = 0;
  bool operator==(const Tags&) const = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Tags, names, counts, weight)

// Its conversion throws a value that is not an exception.
struct Moody {};
void to_json(nlohmann::json& out, const Moody&) { out = 1; }
void from_json(const nlohmann::json&, Moody&) { throw 42; }

}  // namespace

template <>
struct ashmemo::Codec<Tags> : ashmemo::JsonCodec<Tags> {};
template <>
struct ashmemo::Codec<Moody> : ashmemo::JsonCodec<Moody> {};
template <>
struct ashmemo::Codec<nlohmann::json> : ashmemo::JsonCodec<nlohmann::json> {};

namespace {

using ashmemo::Codec;
using ashmemo::Value;
using ashmemo::ValueType;
using ashmemo::ValueView;

static_assert(ashmemo::Storable<Tags>);
static_assert(ashmemo::Storable<std::optional<Tags>>);
static_assert(!ashmemo::decodes_in_place<Tags>);
static_assert(!ashmemo::decodes_in_place<std::optional<Tags>>);

constexpr std::size_t kDepth = 64;

std::string nested_arrays(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

std::string nested_objects(std::size_t depth) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += R"({"a":)";
  return text + '1' + std::string(depth, '}');
}

std::optional<nlohmann::json> decode_json(const std::string& text) {
  return Codec<nlohmann::json>::decode(ValueView::text(text));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a type that is stored as JSON survives encoding and decoding as readable text") {
    const Tags tags{{"a", "grüße", "quote \" and \n"}, {{"x", -1}}, 0.5};
    const Value stored = Codec<Tags>::encode(tags);
    CHECK(stored.type() == ValueType::text);
    CHECK(stored.bytes() ==
          R"({"counts":{"x":-1},"names":["a","grüße","quote \" and \n"],"weight":0.5})");
    CHECK(Codec<Tags>::decode(stored.view()) == tags);
    CHECK(Codec<Tags>::decode(Codec<Tags>::encode({}).view()) == Tags{});
  }

  TEST_CASE("decode refuses JSON that does not convert to the type") {
    for (const char* text :
         {"", " ", "null", "1", "[]", "{}", "{\"names\":[]}", "nan",
          R"({"counts":{},"names":[1],"weight":0})", R"({"counts":[],"names":[],"weight":0})",
          R"({"counts":{},"names":[],"weight":"0"})", R"({"counts":{},"names":[],"weight":0} x)",
          R"({"counts":{},"names":[],"weight":0)", R"({"counts":{},"names":[],"weight":1e999})",
          "{\"counts\":{},\"names\":[\"\xff\"],\"weight\":0}"}) {
      CAPTURE(text);
      CHECK_FALSE(Codec<Tags>::decode(ValueView::text(text)));
    }
    CHECK(Codec<Tags>::decode(ValueView::text(R"({"counts":{},"names":[],"weight":0})")));
  }

  TEST_CASE("decode refuses JSON that is not stored as a text") {
    CHECK_FALSE(Codec<nlohmann::json>::decode(ValueView::blob("1")));
    CHECK_FALSE(Codec<nlohmann::json>::decode(ValueView::integer(1)));
    CHECK_FALSE(Codec<nlohmann::json>::decode(ValueView::real(1)));
    CHECK_FALSE(Codec<nlohmann::json>::decode(ValueView::null()));
    CHECK(decode_json("1") == nlohmann::json(1));
  }

  TEST_CASE("decode accepts JSON with 64 levels and refuses 65 levels") {
    CHECK(decode_json(nested_arrays(kDepth)).has_value());
    CHECK(decode_json(nested_objects(kDepth)).has_value());
    CHECK_FALSE(decode_json(nested_arrays(kDepth + 1)).has_value());
    CHECK_FALSE(decode_json(nested_objects(kDepth + 1)).has_value());
    CHECK_FALSE(decode_json("[1,2," + nested_arrays(kDepth) + ",3]").has_value());
    CHECK(decode_json("[" + nested_arrays(kDepth - 1) + "," + nested_arrays(1) + "]").has_value());
    CHECK(decode_json('"' + std::string(1000, '[') + '"').has_value());
  }

  TEST_CASE("decode does not exhaust the stack with hostile JSON") {
    constexpr std::size_t kHuge = 300'000;
    CHECK_FALSE(decode_json(nested_arrays(kHuge)).has_value());
    CHECK_FALSE(decode_json(nested_objects(kHuge)).has_value());
    CHECK_FALSE(decode_json(std::string(kHuge, '[')).has_value());
    CHECK_FALSE(decode_json("[" + std::string(kHuge, '{')).has_value());
  }

  TEST_CASE("encode throws if the JSON could not be decoded again") {
    const auto deepest = decode_json(nested_arrays(kDepth));
    REQUIRE(deepest.has_value());
    CHECK(Codec<nlohmann::json>::encode(*deepest) == Value::text(nested_arrays(kDepth)));
    const auto too_deep = nlohmann::json::array({*deepest});
    CHECK_THROWS_AS((void)Codec<nlohmann::json>::encode(too_deep), std::length_error);
    const Tags not_utf8{{"\xff"}, {}, 0};
    CHECK_THROWS_AS((void)Codec<Tags>::encode(not_utf8), nlohmann::json::type_error);
  }

  TEST_CASE("a number that JSON cannot express is written as null and does not decode") {
    const Tags infinite{{}, {}, std::numeric_limits<double>::infinity()};
    const Value stored = Codec<Tags>::encode(infinite);
    CHECK(stored.bytes() == R"({"counts":{},"names":[],"weight":null})");
    CHECK_FALSE(Codec<Tags>::decode(stored.view()));
  }

  TEST_CASE("a value that a conversion from JSON throws means no value") {
    CHECK_FALSE(Codec<Moody>::decode(Codec<Moody>::encode({}).view()));
  }

  TEST_CASE("an empty optional of a JSON type differs from a value that does not decode") {
    using Maybe = std::optional<Tags>;
    const std::optional<Maybe> nothing = Codec<Maybe>::decode(ValueView::null());
    REQUIRE(nothing.has_value());
    CHECK_FALSE(nothing->has_value());
    CHECK_FALSE(Codec<Maybe>::decode(ValueView::text("{")).has_value());
    CHECK(Codec<Maybe>::decode(Codec<Maybe>::encode(Tags{}).view()).value() == Tags{});
  }
}
