// Fuzz target: parses any text as a key and builds the key again.

#include <algorithm>
#include <ashmemo/key_part.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/input.hpp"
#include "fuzz/require.hpp"
#include "support/parsed_key.hpp"

using namespace ashmemo;
using fuzz::require;
using test::parse_key;
using test::ParsedKey;

namespace {

// After parsing, the brackets and tildes of vectors and optionals look the same as escaped ones. So
// the comparison uses texts in which all of them are escaped.
std::string with_escaped_structure(std::string_view text) {
  std::string out;
  for (const char each : text) {
    if (std::string_view("[];~").find(each) == std::string_view::npos) {
      out += each;
    } else {
      detail::append_escaped(out, {&each, 1});
    }
  }
  return out;
}

std::string rebuilt(const ParsedKey& parsed) {
  std::string out;
  detail::append_record_prefix(out, parsed.resource);
  for (const std::string& part : parsed.key) {
    detail::append_escaped(out, part);
    out += ':';
  }
  detail::append_escaped(out, parsed.calculation);
  char separator = '(';
  for (const std::string& argument : parsed.arguments) {
    out += separator + with_escaped_structure(argument);
    separator = ',';
  }
  if (!parsed.arguments.empty()) out += ')';
  if (parsed.scope) detail::append_scope(out, *parsed.scope);
  return out;
}

void take_apart(std::string_view text) {
  const auto parsed = parse_key(text);
  if (!parsed) return;
  require(rebuilt(*parsed) == with_escaped_structure(text),
          "a parsed key can be rebuilt without changes");
}

std::vector<std::string> pieces(std::string_view text, char separator) {
  std::vector<std::string> all(1);
  for (const char each : text) {
    if (each == separator) {
      all.emplace_back();
    } else {
      all.back() += each;
    }
  }
  return all;
}

// Builds a key from any texts. The key must parse into the same texts.
void put_together(std::string_view text) {
  std::vector<std::string> texts = pieces(text, '|');
  texts.resize(std::max<std::size_t>(texts.size(), 5));
  std::string key;
  detail::append_record_prefix(key, texts[0], texts[1], texts[2]);
  detail::append_calculation(key, texts[3], texts, std::optional<std::string>(texts[4]));
  detail::append_scope(key, texts[4]);
  const auto parsed = parse_key(key);
  require(parsed.has_value(), "a built key can be parsed");
  require(parsed->resource == texts[0] && parsed->calculation == texts[3],
          "parsing returns the same names");
  require(parsed->key == std::vector<std::string>{texts[1], texts[2]},
          "parsing returns the same key");
  require(parsed->scope == texts[4] && parsed->arguments.size() == 2,
          "parsing returns the same scope");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy with the exact size, so that the sanitizer detects a read beyond the end.
  const std::vector<char> text(data, data + size);
  take_apart({text.data(), text.size()});
  put_together({text.data(), text.size()});
  return 0;
}
