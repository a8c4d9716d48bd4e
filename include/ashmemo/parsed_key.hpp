#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ashmemo {

/// The components of a calculation's key, for people and programs that look into a cache.
/// <ashmemo/key_part.hpp> has the grammar.
///
/// `resource`, `key`, `calculation` and `scope` are unescaped: a text is what it was when the key
/// was built. The brackets and tildes of vectors and optionals stay, and look the same as escaped
/// ones then. `arguments` are as they stand in the key, still escaped.
struct ParsedKey {
  std::string resource;
  std::vector<std::string> key;  // one, or several for a composite key
  std::string calculation;
  std::vector<std::string> arguments;
  std::optional<std::string> scope;

  friend bool operator==(const ParsedKey&, const ParsedKey&) = default;
};

/// Takes a key apart; nullopt if it is not in the grammar, as the keys of direct puts need not be.
/// (A direct key that happens to be in it cannot be told from a calculation's.) Any bytes are safe,
/// and take time proportional to their number.
[[nodiscard]] std::optional<ParsedKey> parse_key(std::string_view key);

}  // namespace ashmemo
