#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <ashmemo/detail/text_like.hpp>
#include <ashmemo/value.hpp>

namespace ashmemo {

/// Values and their form in the cache file
/// ---------------------------------------
/// `Codec<T>` turns a `T` into one SQLite value and back, so that the sqlite3 program shows `42`,
/// `0.87` or `'dark'`. Built in:
///
///   bool, integers, characters    integer       unsigned above 2^63 - 1: blob of 8 bytes
///   float, double                 real          NaN: text 'nan'
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
/// Types of results and arguments
/// ------------------------------
/// The file keeps the names of the types of each calculation's results and arguments. If a program
/// declares the calculation with a type of another name, the stored results are misses, as with
/// another version. So seconds are never read as milliseconds, and a vector of float never as a
/// vector of bytes. The name is
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
/// A calculation with arguments has all names together: "text of (integer;bool;)".
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
/// Depth:   a `decode` may read from a cache. The limit of nested calculations does not count such
///          reads, so a long chain of them overflows the stack.
/// Threads: both functions may run on several threads at once.
template <class T>
struct Codec;

/// Whether values of type `T` can be stored: `Codec<T>` exists and has both functions.
template <class T>
concept Storable = requires(const T& value, ValueView stored) {
  { Codec<T>::encode(value) } -> std::convertible_to<Value>;
  { Codec<T>::decode(stored) } -> std::same_as<std::optional<T>>;
};

namespace detail {

/// The mark of a built-in codec. It names the type, so a user's codec that derives from a built-in
/// one does not count as built-in.
template <class T>
struct BuiltInCodec {
  using InPlaceFor = T;
};

template <class T>
[[nodiscard]] consteval bool is_built_in() {
  if constexpr (requires { typename Codec<T>::InPlaceFor; }) {
    return std::same_as<typename Codec<T>::InPlaceFor, T>;
  } else {
    return false;
  }
}

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

}  // namespace detail

/// Whether decoding a `T` runs only built-in code. If so, it reads directly from the database's own
/// memory. For other types the bytes are copied first, so that no user code runs while the cache
/// uses a connection or holds a mutex.
template <class T>
inline constexpr bool decodes_in_place = detail::is_built_in<T>();

// ---- the built-in codecs

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

namespace detail {

/// A type of element whose vector is stored as a blob.
template <class T>
concept BlobElement = std::same_as<T, std::byte> ||
                      (std::is_arithmetic_v<T> && std::same_as<T, std::remove_cv_t<T>> &&
                       !std::same_as<T, bool> && !std::same_as<T, long double>);

/// Convert numbers of `width` bytes each from the machine's byte order to lowest byte first, and
/// back.
[[nodiscard]] std::string to_little_endian(const void* numbers, std::size_t count,
                                           std::size_t width);
void from_little_endian(std::string_view bytes, void* numbers, std::size_t width);

}  // namespace detail

/// Stored as a SQLite text of the same bytes, NUL bytes included. Nothing is converted or checked,
/// so it need not be UTF-8. (The sqlite3 program prints up to the first NUL.)
///
/// Decodes: a text.
template <>
struct Codec<std::string> : detail::BuiltInCodec<std::string> {
  [[nodiscard]] static Value encode(const std::string& value) { return Value::text(value); }

  [[nodiscard]] static std::optional<std::string> decode(ValueView stored) {
    if (stored.type() != ValueType::text) return std::nullopt;
    return std::string(stored.bytes());
  }
};

/// Bytes (std::byte, unsigned char) and vectors of numbers, such as embeddings, are stored as one
/// blob: the numbers one after the other, each with its lowest byte first. An empty vector is an
/// empty blob, which is not NULL. Floating-point numbers keep their bits, NaN too.
///
/// Decodes: a blob whose size is a multiple of the size of one number.
template <detail::BlobElement T>
struct Codec<std::vector<T>> : detail::BuiltInCodec<std::vector<T>> {
  [[nodiscard]] static Value encode(const std::vector<T>& value) {
    return Value::blob(detail::to_little_endian(value.data(), value.size(), sizeof(T)));
  }

  [[nodiscard]] static std::optional<std::vector<T>> decode(ValueView stored) {
    const std::string_view bytes = stored.bytes();
    if (stored.type() != ValueType::blob || bytes.size() % sizeof(T) != 0) return std::nullopt;
    std::vector<T> numbers(bytes.size() / sizeof(T));
    detail::from_little_endian(bytes, numbers.data(), sizeof(T));
    return numbers;
  }
};

/// Stored as a blob with one byte, 0 or 1, for each element.
///
/// Decodes: a blob of these bytes only.
template <>
struct Codec<std::vector<bool>> : detail::BuiltInCodec<std::vector<bool>> {
  [[nodiscard]] static Value encode(const std::vector<bool>& value) {
    std::string bytes;
    bytes.reserve(value.size());
    for (const bool element : value) bytes += element ? '\1' : '\0';
    return Value::blob(std::move(bytes));
  }

  [[nodiscard]] static std::optional<std::vector<bool>> decode(ValueView stored) {
    if (stored.type() != ValueType::blob) return std::nullopt;
    std::vector<bool> elements;
    elements.reserve(stored.bytes().size());
    for (const char byte : stored.bytes()) {
      if (byte != '\0' && byte != '\1') return std::nullopt;
      elements.push_back(byte == '\1');
    }
    return elements;
  }
};

namespace detail {

template <class T>
concept StoredNumber = std::is_arithmetic_v<T> && Storable<T>;

}  // namespace detail

/// A duration is stored as its count in its own unit: an integer, or a real if it counts in
/// floating point. The unit is a part of the type of a calculation's results: results in seconds
/// are misses for a program that now counts in milliseconds. For values that are put directly the
/// unit is not stored: see Cache.
///
/// Decodes: the values that the counting type decodes.
template <detail::StoredNumber Rep, class Period>
struct Codec<std::chrono::duration<Rep, Period>>
    : detail::BuiltInCodec<std::chrono::duration<Rep, Period>> {
  using Length = std::chrono::duration<Rep, Period>;

  [[nodiscard]] static Value encode(const Length& value) {
    return Codec<Rep>::encode(value.count());
  }

  [[nodiscard]] static std::optional<Length> decode(ValueView stored) noexcept {
    const std::optional<Rep> count = Codec<Rep>::decode(stored);
    if (!count) return std::nullopt;
    return Length(*count);
  }
};

/// A time point is stored as the duration since the epoch of its clock. A time point of
/// std::chrono::steady_clock has no meaning after a restart of the machine.
template <class Clock, Storable Length>
struct Codec<std::chrono::time_point<Clock, Length>>
    : detail::BuiltInCodec<std::chrono::time_point<Clock, Length>> {
  using TimePoint = std::chrono::time_point<Clock, Length>;

  [[nodiscard]] static Value encode(const TimePoint& value) {
    return Codec<Length>::encode(value.time_since_epoch());
  }

  [[nodiscard]] static std::optional<TimePoint> decode(ValueView stored) {
    const std::optional<Length> since_epoch = Codec<Length>::decode(stored);
    if (!since_epoch) return std::nullopt;
    return TimePoint(*since_epoch);
  }
};

namespace detail {

template <class T>
inline constexpr bool kIsNestedOptional = false;
template <class T>
inline constexpr bool kIsNestedOptional<std::optional<std::optional<T>>> = true;

template <class T>
concept StoredInOptional = Storable<T> && !kIsOptional<T>;

}  // namespace detail

/// An empty optional is stored as NULL, any other as its value. A stored NULL is a hit; a missing
/// entry is a miss.
///
/// An optional inside an optional is refused, because NULL could mean either of them. For the same
/// reason a codec of your own that is used inside an optional must not encode a value as NULL.
///
/// Decodes: NULL, and the values that the inner type decodes.
template <detail::StoredInOptional T>
struct Codec<std::optional<T>> {
  /// An optional decodes in place if its inner type does.
  using InPlaceFor = std::conditional_t<decodes_in_place<T>, std::optional<T>, void>;

  [[nodiscard]] static Value encode(const std::optional<T>& value) {
    if (!value) return Value::null();
    return Codec<T>::encode(*value);
  }

  [[nodiscard]] static std::optional<std::optional<T>> decode(ValueView stored) {
    if (stored.type() == ValueType::null) return std::optional<std::optional<T>>(std::in_place);
    std::optional<T> value = Codec<T>::decode(stored);
    if (!value) return std::nullopt;
    return std::optional<std::optional<T>>(std::in_place, std::move(value));
  }
};

// ---- encode and decode

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
  } else if constexpr (Storable<T>) {
    return Codec<T>::encode(value);
  } else {
    require_storable<T>();
    return Value::null();  // so that no warning follows the error
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
