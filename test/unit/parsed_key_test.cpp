#include <doctest/doctest.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <ashmemo/key_part.hpp>

#include "support/parsed_key.hpp"
#include "support/random.hpp"

namespace {

using ashmemo::test::parse_key;
using ashmemo::test::ParsedKey;

// The components of a key, not escaped.
struct Call {
  std::string resource;
  std::vector<std::string> key;
  std::string calculation;
  std::vector<std::string> arguments;
  std::optional<std::string> scope;
  auto operator<=>(const Call&) const = default;
};

std::string escaped(std::string_view text) {
  std::string out;
  ashmemo::detail::append_escaped(out, text);
  return out;
}

std::string prefix_of(const Call& call) {
  using ashmemo::detail::append_record_prefix;
  std::string out;
  const std::vector<std::string>& key = call.key;
  if (key.size() == 1) append_record_prefix(out, call.resource, key[0]);
  if (key.size() == 2) append_record_prefix(out, call.resource, key[0], key[1]);
  if (key.size() == 3) append_record_prefix(out, call.resource, key[0], key[1], key[2]);
  return out;
}

std::string key_of(const Call& call) {
  using ashmemo::detail::append_calculation;
  std::string out = prefix_of(call);
  const std::vector<std::string>& arguments = call.arguments;
  if (arguments.empty()) append_calculation(out, call.calculation);
  if (arguments.size() == 1) append_calculation(out, call.calculation, arguments[0]);
  if (arguments.size() == 2) append_calculation(out, call.calculation, arguments[0], arguments[1]);
  if (call.scope) ashmemo::detail::append_scope(out, *call.scope);
  return out;
}

// The expected result of `parse_key` for the key of `call`.
ParsedKey parsed(const Call& call) {
  std::vector<std::string> arguments;
  for (const std::string& argument : call.arguments) arguments.push_back(escaped(argument));
  return {call.resource, call.key, call.calculation, arguments, call.scope};
}

// The key without any escaping. It shows that the samples are hard enough.
std::string naive_key_of(const Call& call) {
  std::string out = call.resource;
  for (const std::string& part : call.key) out += ':' + part;
  out += ':' + call.calculation;
  char separator = '(';
  for (const std::string& argument : call.arguments) {
    out += separator + argument;
    separator = ',';
  }
  if (!call.arguments.empty()) out += ')';
  if (call.scope) out += '@' + *call.scope;
  return out;
}

class RandomCalls : public ashmemo::test::Random {
 public:
  // Returns up to `max_pieces` pieces. Without escaping, most of them look like separators.
  std::string text(std::size_t max_pieces) {
    static const std::array<std::string, 16> kPieces{
        ":", "(", ")",  ",", "@",  ";",  "[", "]",
        "~", "%", "3A", "a", "-1", "\n", "ü", std::string("\0", 1)};
    std::string out;
    for (std::size_t i = below(max_pieces + 1); i > 0; --i) out += kPieces[below(kPieces.size())];
    return out;
  }

  std::vector<std::string> texts(std::size_t count, std::size_t max_pieces) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(text(max_pieces));
    return out;
  }

  // Each text of the call has at most `max_pieces` pieces.
  Call call(std::size_t max_pieces) {
    Call out{text(max_pieces),
             texts(1 + below(3), max_pieces),
             text(max_pieces),
             texts(below(3), max_pieces),
             {}};
    if (below(2) == 0) out.scope = text(max_pieces);
    return out;
  }
};

using Deep = std::optional<std::vector<std::optional<std::optional<std::string>>>>;

Deep random_deep(RandomCalls& random) {
  if (random.below(8) == 0) return std::nullopt;
  Deep out(std::in_place);
  for (std::size_t i = random.below(4); i > 0; --i) {
    switch (random.below(4)) {
      case 0:
        out->emplace_back();
        break;
      case 1:
        out->emplace_back(std::in_place);
        break;
      default:
        out->emplace_back(std::in_place, random.text(1));
    }
  }
  return out;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("parse_key returns the components of a key") {
    CHECK(parse_key("Post:42:word_count") == ParsedKey{"Post", {"42"}, "word_count", {}, {}});
    CHECK(parse_key("OrderLine:7:3:total") == ParsedKey{"OrderLine", {"7", "3"}, "total", {}, {}});
    CHECK(parse_key("Post:42:excerpt(80,-1)@acme") ==
          ParsedKey{"Post", {"42"}, "excerpt", {"80", "-1"}, "acme"});
    CHECK(parse_key("A%3AB:%28:c%2C(%2C)@%40") == ParsedKey{"A:B", {"("}, "c,", {"%2C"}, "@"});
  }

  TEST_CASE("parse_key distinguishes empty components from absent ones") {
    CHECK(parse_key("::") == ParsedKey{"", {""}, "", {}, {}});
    CHECK(parse_key("a::c") == ParsedKey{"a", {""}, "c", {}, {}});
    CHECK(parse_key("a:b:c()") == ParsedKey{"a", {"b"}, "c", {""}, {}});
    CHECK(parse_key("a:b:c(,)") == ParsedKey{"a", {"b"}, "c", {"", ""}, {}});
    CHECK(parse_key("a:b:c@") == ParsedKey{"a", {"b"}, "c", {}, ""});
  }

  TEST_CASE("parse_key accepts vectors and optionals in a key") {
    CHECK(parse_key("a:[]:c") == ParsedKey{"a", {"[]"}, "c", {}, {}});
    CHECK(parse_key("a:[x;[y;];~~;;]:c") == ParsedKey{"a", {"[x;[y;];~~;;]"}, "c", {}, {}});
    CHECK(parse_key("a:~:c([%3B;],~)@~") == ParsedKey{"a", {"~"}, "c", {"[%3B;]", "~"}, "~"});
  }

  TEST_CASE(
      "different tuples of scope, resource, key, calculation and arguments have different keys") {
    constexpr int kSamples = 200'000;
    RandomCalls random;
    std::set<Call> calls;
    std::unordered_set<std::string> keys;
    std::unordered_set<std::string> naive_keys;
    for (int i = 0; i < kSamples; ++i) {
      const Call call = random.call(1);
      const std::string key = key_of(call);
      if (!calls.insert(call).second) continue;
      naive_keys.insert(naive_key_of(call));
      if (!keys.insert(key).second) FAIL("two tuples have the key " << key);
    }
    // Without escaping, more than a hundred of the same samples collide.
    CHECK(naive_keys.size() + 100 < keys.size());
  }

  TEST_CASE("parse_key returns the tuple from which a random key was made") {
    RandomCalls random;
    for (int i = 0; i < 50'000; ++i) {
      const Call call = random.call(4);
      const std::string key = key_of(call);
      if (parse_key(key) != parsed(call)) FAIL(key);
    }
  }

  TEST_CASE("different vectors of nested optionals have different keys") {
    RandomCalls random;
    std::set<Deep> values;
    std::unordered_set<std::string> keys;
    for (int i = 0; i < 100'000; ++i) {
      const Deep value = random_deep(random);
      std::string key = "a:b:";
      ashmemo::detail::append_calculation(key, "c", value);
      if (!parse_key(key)) FAIL(key);
      if (!values.insert(value).second) continue;
      if (!keys.insert(key).second) FAIL("two values have the key " << key);
    }
  }

  TEST_CASE("a text that parses is the only spelling of its key") {
    RandomCalls random;
    int parsed_texts = 0;
    for (int i = 0; i < 100'000; ++i) {
      const std::string text = "a:" + random.text(3) + ":" + random.text(3);
      const std::optional<ParsedKey> key = parse_key(text);
      // After unescaping, these characters can be structure or text, so the key cannot be rebuilt.
      if (!key || text.find_first_of("[]~") != std::string::npos) continue;
      ++parsed_texts;
      Call call{key->resource, key->key, key->calculation, {}, key->scope};
      for (const std::string& argument : key->arguments) {
        call.arguments.push_back(parse_key("a:" + argument + ":c").value().key.front());
      }
      if (call.key.size() > 3 || call.arguments.size() > 2) continue;
      if (key_of(call) != text) FAIL(text);
    }
    CHECK(parsed_texts > 1000);
  }
}
