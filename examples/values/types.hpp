#pragma once

#include <ashmemo/codec.hpp>
#include <ashmemo/json.hpp>

#include <fmt/core.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Types of an application, and how the cache stores them. A Codec must be declared before the first
// use of its type with a cache. The best place is beside the type.

namespace values {

/// An enum needs no Codec: its number is stored.
enum class Weekday : std::uint8_t { monday = 1, sunday = 7 };

/// Stored as JSON.
struct Ingredient {
  std::string name;
  double grams = 0;

  friend bool operator==(const Ingredient&, const Ingredient&) = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Ingredient, name, grams)

/// Stored by its own Codec.
struct Colour {
  std::uint32_t rgb = 0;

  friend bool operator==(const Colour&, const Colour&) = default;
};

}  // namespace values

template <>
struct ashmemo::Codec<values::Ingredient> : ashmemo::JsonCodec<values::Ingredient> {};

/// Stores the text "#ff8000". An integer needs less space, but a person cannot read it.
template <>
struct ashmemo::Codec<values::Colour> {
  static Value encode(const values::Colour& colour) {
    return Value::text(fmt::format("#{:06x}", colour.rgb));
  }
  /// Returns nullopt for everything that `encode` cannot have written, because another program can
  /// change the file.
  static std::optional<values::Colour> decode(ValueView stored) {
    const std::string_view text = stored.bytes();
    if (stored.type() != ValueType::text || text.empty()) return std::nullopt;
    values::Colour colour;
    (void)std::from_chars(text.data() + 1, text.data() + text.size(), colour.rgb, 16);
    if (encode(colour).bytes() != text) return std::nullopt;
    return colour;
  }
};
