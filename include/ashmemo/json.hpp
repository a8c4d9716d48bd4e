#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <ashmemo/codec.hpp>

namespace ashmemo {

namespace detail {

/// The maximum nesting of arrays and objects. Converting and printing JSON is recursive: a hostile
/// file must not be able to exhaust the stack.
inline constexpr int kMaxJsonDepth = 64;

[[nodiscard]] inline bool is_deeper_than(const nlohmann::json& tree, int depth) {
  if (!tree.is_structured()) return false;
  if (depth == 0) return true;
  for (const nlohmann::json& child : tree) {
    if (is_deeper_than(child, depth - 1)) return true;
  }
  return false;
}

/// nullopt if this is not JSON, or nests too deep. The parser itself does not recurse.
[[nodiscard]] inline std::optional<nlohmann::json> parse_json(std::string_view text) {
  using Event = nlohmann::json::parse_event_t;
  bool too_deep = false;
  const auto keep = [&](int depth, Event event, const nlohmann::json&) {
    const bool opens = event == Event::object_start || event == Event::array_start;
    too_deep = too_deep || (opens && depth >= kMaxJsonDepth);
    return !too_deep;
  };
  nlohmann::json tree = nlohmann::json::parse(text.begin(), text.end(), keep, false);
  if (too_deep || tree.is_discarded()) return std::nullopt;
  return tree;
}

}  // namespace detail

/// Stores a type as JSON text, which is readable in the cache file. The codec of each such type
/// derives from it. It needs nlohmann-json and its conversions for that type:
///
///   struct Tags { std::vector<std::string> names; };
///   NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Tags, names)
///   template <>
///   struct ashmemo::Codec<Tags> : ashmemo::JsonCodec<Tags> {};
///
/// The conversions are nlohmann-json's own: numbers are not checked against the range of the member
/// they are read into, and unknown members are ignored. JSON has no infinity and no "not a number":
/// they are written as null, which does not read back as a number. So a value that contains one is
/// always a miss. Text must be UTF-8.
///
/// Errors:  `encode` throws what the conversion throws, nlohmann::json::type_error for text that is
///          not UTF-8, and std::length_error if arrays and objects nest deeper than 64. The value
///          is then not stored. `decode` never throws. It returns nullopt, a miss, if the value is
///          not text, is not JSON, nests too deep or does not convert.
/// Cost:    a tree is built on both ways; for large numeric data use a vector, which is one copy.
template <class T>
struct JsonCodec {
  [[nodiscard]] static Value encode(const T& value) {
    const nlohmann::json& tree = value;
    if (detail::is_deeper_than(tree, detail::kMaxJsonDepth)) {
      throw std::length_error("ashmemo: a value nests too deep to be kept as JSON");
    }
    return Value::text(tree.dump());
  }

  [[nodiscard]] static std::optional<T> decode(ValueView stored) noexcept {
    if (stored.type() != ValueType::text) return std::nullopt;
    try {
      const std::optional<nlohmann::json> tree = detail::parse_json(stored.bytes());
      if (!tree) return std::nullopt;
      return tree->get<T>();
    } catch (...) {
      return std::nullopt;
    }
  }
};

}  // namespace ashmemo
