#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <ashmemo/codec_bytes.hpp>
#include <ashmemo/codec_chrono.hpp>
#include <ashmemo/codec_number.hpp>
#include <ashmemo/codec_optional.hpp>
#include <ashmemo/codec_traits.hpp>
#include <ashmemo/detail/text_like.hpp>

namespace ashmemo {

/// Values and their form in the cache file
/// ---------------------------------------
/// `Codec<T>` turns a `T` into one SQLite value and back, so that the sqlite3 program shows `42`,
/// `0.87` or `'dark'`. Built in:
///
///   bool, integers, characters    integer       unsigned above 2^63 - 1: blob of 8 bytes
///   float, double                 real          not a number: text 'nan'
///   enums                         integer       their number
///   std::string                   text
///   std::vector of bytes          blob
///   std::vector of numbers        blob          lowest byte first; std::vector<bool>: a byte each
///   std::chrono durations         integer/real  their count
///   std::chrono time points       integer/real  their duration since the clock's epoch
///   std::optional of any of these NULL or the value
///
/// `long double` has no portable size and is refused by the compiler, as is anything not listed.
///
/// For a type of your own, derive from JsonCodec (<ashmemo/json.hpp>), or write the two functions:
///
///   template <>
///   struct ashmemo::Codec<Colour> {
///     static Value encode(const Colour& colour) { return Value::integer(colour.rgb); }
///     static std::optional<Colour> decode(ValueView stored) {
///       if (stored.type() != ValueType::integer) return std::nullopt;
///       return Colour{stored.as_integer()};
///     }
///   };
///
/// Such a specialisation must be declared before the type is first used with a cache.
///
/// Types of results
/// ----------------
/// The file keeps the name of the type of each calculation's results. If a program declares the
/// calculation with a type of another name, the stored results are misses, as with another version.
/// So seconds are never read as milliseconds, and a vector of float never as a vector of bytes. The
/// name is
///
///   integers other than bool      "integer"                 of every width: the number is the same
///   bool, float, double           "bool", "float", "double"
///   enums                         "enum app::Mood of integer"
///   std::string                   "text"
///   vectors                       "vector of float", "vector of uint8", ...
///   durations                     "duration of integer in 1/1000 s"
///   time points                   the duration's name and the clock's
///   std::optional                 "optional ", and the name of the inner type
///   a type with its own codec     the codec's `type_name`, otherwise the name in the compiler
///
/// A codec of your own may define the name. Then the name remains if the class is renamed or moved,
/// and you change it when the form of the value changes:
///
///   template <>
///   struct ashmemo::Codec<Colour> {
///     static constexpr std::string_view type_name = "app.colour.2";
///     ...
///
/// Values that are put directly have no such name: see Cache.
///
/// Errors:  `decode` returns nullopt for any value that `encode` cannot have written: another type,
///          a number out of range, a blob of the wrong size. That is a miss and is counted. It does
///          not throw, because other programs may change the file. If your own `decode` throws,
///          that counts as nullopt. If `encode` throws, the value is not stored.
/// Threads: both functions may run on several threads at once.

namespace detail {

template <class T>
concept StoredAsText = TextLike<T> && !Storable<T>;

template <class T>
struct Stored {
  using type = T;
};
template <StoredAsText T>
struct Stored<T> {
  using type = std::string;
};

}  // namespace detail

/// The type that is stored for an argument of type `T`, and that reads it back: std::string for
/// every text without a codec of its own (string literals, `const char*`, std::string_view), and
/// `T` for all other types.
template <class T>
using stored_t = typename detail::Stored<std::remove_cvref_t<T>>::type;

namespace detail {

/// Stops the compiler, with a message, unless `T` can be stored.
template <class T>
consteval void require_storable() {
  static_assert(Storable<T> || !std::same_as<T, long double>,
                "ashmemo: a long double cannot be stored, its size is not portable; store a "
                "double, or specialise ashmemo::Codec<long double>");
  static_assert(Storable<T> || !kIsNestedOptional<T>,
                "ashmemo: an optional inside an optional cannot be stored, NULL could stand for "
                "either; specialise ashmemo::Codec for it");
  static_assert(Storable<T> || std::same_as<T, long double> || kIsNestedOptional<T>,
                "ashmemo: this type cannot be stored; specialise ashmemo::Codec<T> for it with "
                "encode and decode, or derive the specialisation from ashmemo::JsonCodec<T>");
}

/// The value of an argument of any type that can be stored; a null pointer to characters is NULL.
template <class T>
[[nodiscard]] Value encode(const T& value) {
  if constexpr (StoredAsText<T>) {
    const std::optional<std::string_view> text = text_of(value);
    return text ? Value::text(std::string(*text)) : Value::null();
  } else {
    require_storable<T>();
    if constexpr (Storable<T>) return Codec<T>::encode(value);
  }
}

/// The stored value; nullopt if it is not a `T`.
template <class T>
[[nodiscard]] std::optional<T> decode(ValueView stored) {
  require_storable<T>();
  if constexpr (!Storable<T>) {
    return std::nullopt;
  } else if constexpr (decodes_in_place<T>) {
    return Codec<T>::decode(stored);
  } else {
    try {
      return Codec<T>::decode(stored);
    } catch (...) {
      return std::nullopt;
    }
  }
}

}  // namespace detail

}  // namespace ashmemo
