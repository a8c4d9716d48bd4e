#pragma once

#include <ashmemo/codec.hpp>
#include <ashmemo/json.hpp>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/core.h>

// Types of one's own, and how they are kept. A Codec must be declared before its type is first used
// with a cache: best beside the type.

namespace values {

/// An enum needs nothing: its number is kept.
enum class Weekday : std::uint8_t { monday = 1, sunday = 7 };

/// Kept as JSON, see below.
struct Ingredient {
  std::string name;
  double grams = 0;

  friend bool operator==(const Ingredient&, const Ingredient&) = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Ingredient, name, grams)

/// Kept in a form of its own, see below.
struct Colour {
  std::uint32_t rgb = 0;

  friend bool operator==(const Colour&, const Colour&) = default;
};

}  // namespace values

template <>
struct ashmemo::Codec<values::Ingredient> : ashmemo::JsonCodec<values::Ingredient> {};

/// As people write colours: "#ff8000". An integer would do as well, but who could read it?
template <>
struct ashmemo::Codec<values::Colour> {
  static constexpr std::uint32_t kMax = 0xffffff;

  static Value encode(const values::Colour& colour) {
    return Value::text(fmt::format("#{:06x}", colour.rgb));
  }
  /// The file may have been changed by anybody: what `encode` cannot have written is nullopt.
  static std::optional<values::Colour> decode(ValueView stored) {
    const std::string_view text = stored.bytes();
    if (stored.type() != ValueType::text || text.empty()) return std::nullopt;
    values::Colour colour;
    (void)std::from_chars(text.data() + 1, text.data() + text.size(), colour.rgb, 16);
    if (colour.rgb > kMax || encode(colour).bytes() != text) return std::nullopt;
    return colour;
  }
};
