#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ashmemo::test {

/// The components of a calculation's key. <ashmemo/key_part.hpp> has the grammar. Tests parse the
/// keys that the library builds, so that they find two keys that would be the same.
///
/// `resource`, `key`, `calculation` and `scope` are unescaped. The brackets and tildes of vectors
/// and optionals remain; they then look the same as escaped ones. `arguments` are still escaped.
struct ParsedKey {
  std::string resource;
  std::vector<std::string> key;  // one, or several for a composite key
  std::string calculation;
  std::vector<std::string> arguments;
  std::optional<std::string> scope;

  friend bool operator==(const ParsedKey&, const ParsedKey&) = default;
};

/// Parses a key. Returns nullopt if it does not match the grammar; most keys of direct puts do not.
/// Accepts any bytes. The time is proportional to their number.
[[nodiscard]] std::optional<ParsedKey> parse_key(std::string_view key);

}  // namespace ashmemo::test
