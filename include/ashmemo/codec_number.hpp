#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>

#include <ashmemo/codec_traits.hpp>

namespace ashmemo {

namespace detail {

template <class T>
concept StoredInteger = std::integral<T> && !std::same_as<T, bool> &&
                        std::same_as<T, std::remove_cv_t<T>> && sizeof(T) <= sizeof(std::int64_t);

template <class T>
concept StoredEnum = std::is_enum_v<T> && std::same_as<T, std::remove_cv_t<T>>;

/// Whether SQLite's integers cannot hold all values of `T`.
template <class T>
inline constexpr bool kExceedsInt64 = std::is_unsigned_v<T> && sizeof(T) == sizeof(std::int64_t);

[[nodiscard]] Value encode_unsigned(std::uint64_t value);
[[nodiscard]] std::optional<std::uint64_t> decode_unsigned(ValueView stored) noexcept;
[[nodiscard]] Value encode_real(double value);
[[nodiscard]] std::optional<double> decode_double(ValueView stored) noexcept;
[[nodiscard]] std::optional<float> decode_float(ValueView stored) noexcept;

}  // namespace detail

/// Integers of every width and characters are stored as SQLite integers.
///
/// An unsigned number above 9,223,372,036,854,775,807 does not fit. It becomes a blob of its eight
/// bytes, the highest first, so that blobs sort as the numbers do. A smaller number is never a
/// blob, so each number has one form.
///
/// Decodes: an integer within the range of `T`; no real, not even 1.0.
template <detail::StoredInteger T>
struct Codec<T> : detail::BuiltInCodec<T> {
  [[nodiscard]] static Value encode(const T& value) {
    if constexpr (detail::kExceedsInt64<T>) {
      return detail::encode_unsigned(value);
    } else {
      return Value::integer(static_cast<std::int64_t>(value));
    }
  }

  [[nodiscard]] static std::optional<T> decode(ValueView stored) noexcept {
    if constexpr (detail::kExceedsInt64<T>) {
      const std::optional<std::uint64_t> number = detail::decode_unsigned(stored);
      if (!number) return std::nullopt;
      return static_cast<T>(*number);
    } else {
      if (stored.type() != ValueType::integer) return std::nullopt;
      const std::int64_t number = stored.as_integer();
      const auto narrow = static_cast<T>(number);
      if (static_cast<std::int64_t>(narrow) != number) return std::nullopt;
      return narrow;
    }
  }
};

/// Stored as the integer 0 or 1.
///
/// Decodes: these two only.
template <>
struct Codec<bool> : detail::BuiltInCodec<bool> {
  [[nodiscard]] static Value encode(const bool& value) noexcept {
    return Value::integer(value ? 1 : 0);
  }

  [[nodiscard]] static std::optional<bool> decode(ValueView stored) noexcept {
    if (stored.type() != ValueType::integer) return std::nullopt;
    const std::int64_t number = stored.as_integer();
    if (number != 0 && number != 1) return std::nullopt;
    return number == 1;
  }
};

/// Stored as a SQLite real. Infinities and -0 keep their bits. NaN becomes the text 'nan', because
/// SQLite would turn it into NULL; its sign and payload are lost.
///
/// Decodes: a real, 'nan', and an integer that the type can represent exactly (a user of the
///          sqlite3 program writes 1, not 1.0).
template <>
struct Codec<double> : detail::BuiltInCodec<double> {
  [[nodiscard]] static Value encode(const double& value) { return detail::encode_real(value); }

  [[nodiscard]] static std::optional<double> decode(ValueView stored) noexcept {
    if (stored.type() == ValueType::real) return stored.as_real();
    return detail::decode_double(stored);
  }
};

/// Stored as the double of the same value.
///
/// Decodes: the values that a double decodes, if a float holds exactly that number. So 0.1 that was
///          stored as a double is a miss, and not a rounded number.
template <>
struct Codec<float> : detail::BuiltInCodec<float> {
  [[nodiscard]] static Value encode(const float& value) {
    return detail::encode_real(static_cast<double>(value));
  }

  [[nodiscard]] static std::optional<float> decode(ValueView stored) noexcept {
    return detail::decode_float(stored);
  }
};

/// Stored as the number of the enumerator. Give the enum a fixed underlying type (`enum class`, or
/// `enum Colour : int`). Otherwise the language does not define its value for numbers beyond its
/// enumerators.
///
/// Decodes: a number that fits the underlying type, whether or not it has a name. If only named
///          numbers are valid, write a codec of your own.
template <detail::StoredEnum T>
struct Codec<T> : detail::BuiltInCodec<T> {
  using Underlying = std::underlying_type_t<T>;

  [[nodiscard]] static Value encode(const T& value) {
    return Codec<Underlying>::encode(static_cast<Underlying>(value));
  }

  [[nodiscard]] static std::optional<T> decode(ValueView stored) noexcept {
    const std::optional<Underlying> number = Codec<Underlying>::decode(stored);
    if (!number) return std::nullopt;
    return static_cast<T>(*number);
  }
};

}  // namespace ashmemo
