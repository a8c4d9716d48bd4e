#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <ashmemo/detail/text_like.hpp>

namespace ashmemo {

/// Keys of calculations
/// --------------------
/// The cache builds them from names, from the key of the record, and from arguments. They are
/// readable, and no two calculations share a key:
///
///     Post:42:word_count             resource, primary key, calculation
///     OrderLine:7:3:total            composite key
///     Post:42:excerpt(80)            arguments
///     Post:42:word_count@acme        scope
///
///     key  = resource ":" part {":" part} ":" calculation [ "(" part {"," part} ")" ] [ "@" part ]
///     part = text | "[" {part ";"} "]" | "~" {"~"}
///
/// A calculation without arguments has no parentheses, one without a scope has no "@". Inside every
/// text these are written as "%" and two upper-case hexadecimal digits:
///
///   % : ( ) , @ ; [ ] ~    and the control characters 0x00 to 0x1F and 0x7F
///
/// All other characters, UTF-8 too, remain as they are. Parts can be:
///
///   integers, characters, enums   their number              42, -7
///   bool                          true, false
///   float, double                 the shortest form that reads back as the same number of that
///                                 type: 0.1, 1e+20; inf, -inf, nan (all of these are one), and -0,
///                                 which differs from 0
///   text                          escaped as above; a null pointer is "~"
///   std::chrono                   the count of the duration, or since the clock's epoch
///   std::optional                 "~" for nothing, otherwise the value; each optional inside
///                                 adds one "~" in front
///   std::vector                   [a;b;] so that [] and [;], one empty text, differ
///
/// For a type of your own write one function. The library escapes the text that it returns. Two
/// values that differ must give texts that differ:
///
///   template <>
///   struct ashmemo::KeyPart<Isbn> {
///     static std::string text(const Isbn& isbn) { return isbn.digits; }
///   };
///
/// A part does not contain its type: 42 and "42", or 80 s and 80 ms, give the same key. The
/// declaration of a resource or a calculation fixes the types of its parts. The file keeps the
/// types of arguments, so results for arguments of another type are misses (see codec.hpp). It does
/// not keep the types of primary keys and of keys that you build yourself. If you change such a
/// type, also change the name of the resource, or the text of the key.
///
/// Errors:  none. A key may become longer than kMaxKeyBytes; its user has to check that.
/// Cost:    one pass over the text, appended to a given string.
template <class T>
struct KeyPart;

/// The longest key, in bytes.
inline constexpr std::size_t kMaxKeyBytes = 4096;

namespace detail {

void append_escaped(std::string& out, std::string_view text);
void append_integer(std::string& out, std::int64_t number);
void append_unsigned(std::string& out, std::uint64_t number);
void append_real(std::string& out, double number);
void append_real(std::string& out, float number);

/// The mark of a built-in part, which escapes its text itself. It names the type, so a user's part
/// that derives from a built-in one does not count as built-in.
template <class T>
struct BuiltInKeyPart {
  using EscapesFor = T;
};

template <class T>
concept KeyNumber = std::is_arithmetic_v<T> && std::same_as<T, std::remove_cv_t<T>> &&
                    !std::same_as<T, long double> && sizeof(T) <= sizeof(std::int64_t);

template <class T>
concept KeyEnum = std::is_enum_v<T> && std::same_as<T, std::remove_cv_t<T>>;

template <class T>
concept EscapingPart = requires(std::string& out, const T& value) {
  requires std::same_as<typename KeyPart<T>::EscapesFor, T>;
  KeyPart<T>::append(out, value);
};

template <class T>
concept TextPart = requires(const T& value) {
  { KeyPart<T>::text(value) } -> std::convertible_to<std::string_view>;
};

}  // namespace detail

/// Whether a value of type `T` can be part of a key.
template <class T>
concept Keyable = detail::EscapingPart<T> || detail::TextPart<T>;

namespace detail {

/// Appends one part, escaped.
template <class T>
void append_key_part(std::string& out, const T& value) {
  static_assert(Keyable<T>,
                "ashmemo: this type cannot be part of a key; specialise ashmemo::KeyPart<T> for "
                "it with `static std::string text(const T&)`");
  if constexpr (EscapingPart<T>) {
    KeyPart<T>::append(out, value);
  } else if constexpr (TextPart<T>) {
    append_escaped(out, KeyPart<T>::text(value));
  }
}

/// "Post:42:", the beginning of the keys of all calculations of one record.
template <class... Parts>
void append_record_prefix(std::string& out, std::string_view resource, const Parts&... parts) {
  append_escaped(out, resource);
  out += ':';
  ((append_key_part(out, parts), out += ':'), ...);
}

/// "word_count", "excerpt(80)".
template <class... Arguments>
void append_calculation(std::string& out, std::string_view name, const Arguments&... arguments) {
  append_escaped(out, name);
  if constexpr (sizeof...(Arguments) > 0) {
    char separator = '(';
    ((out += separator, separator = ',', append_key_part(out, arguments)), ...);
    out += ')';
  }
}

/// "@acme".
template <class Scope>
void append_scope(std::string& out, const Scope& scope) {
  out += '@';
  append_key_part(out, scope);
}

}  // namespace detail

/// Numbers: decimal. A floating-point number is the shortest text that reads back as that number.
template <detail::KeyNumber T>
struct KeyPart<T> : detail::BuiltInKeyPart<T> {
  static void append(std::string& out, const T& value) {
    if constexpr (std::same_as<T, bool>) {
      out += value ? "true" : "false";
    } else if constexpr (std::floating_point<T>) {
      detail::append_real(out, value);
    } else if constexpr (std::is_signed_v<T>) {
      detail::append_integer(out, static_cast<std::int64_t>(value));
    } else {
      detail::append_unsigned(out, static_cast<std::uint64_t>(value));
    }
  }
};

/// Enums: their number.
template <detail::KeyEnum T>
struct KeyPart<T> : detail::BuiltInKeyPart<T> {
  static void append(std::string& out, const T& value) {
    detail::append_key_part(out, static_cast<std::underlying_type_t<T>>(value));
  }
};

/// Texts, escaped; a null pointer is "~".
template <detail::TextLike T>
struct KeyPart<T> : detail::BuiltInKeyPart<T> {
  static void append(std::string& out, const T& value) {
    if (const std::optional<std::string_view> text = detail::text_of(value)) {
      detail::append_escaped(out, *text);
    } else {
      out += '~';
    }
  }
};

/// Durations: the count, in their own unit.
template <detail::KeyNumber Rep, class Period>
struct KeyPart<std::chrono::duration<Rep, Period>>
    : detail::BuiltInKeyPart<std::chrono::duration<Rep, Period>> {
  static void append(std::string& out, const std::chrono::duration<Rep, Period>& value) {
    detail::append_key_part(out, value.count());
  }
};

/// Time points: the duration since the epoch of their clock.
template <class Clock, Keyable Length>
struct KeyPart<std::chrono::time_point<Clock, Length>>
    : detail::BuiltInKeyPart<std::chrono::time_point<Clock, Length>> {
  static void append(std::string& out, const std::chrono::time_point<Clock, Length>& value) {
    detail::append_key_part(out, value.time_since_epoch());
  }
};

/// An empty optional is "~". Each optional around it adds one "~".
template <Keyable T>
struct KeyPart<std::optional<T>> : detail::BuiltInKeyPart<std::optional<T>> {
  static void append(std::string& out, const std::optional<T>& value) {
    const std::size_t start = out.size();
    if (value) detail::append_key_part(out, *value);
    // Only an inner "nothing" begins with an unescaped tilde. One more tilde distinguishes it from
    // an outer one.
    const bool inner_nothing = out.size() > start && out[start] == '~';
    if (!value || inner_nothing) out += '~';
  }
};

/// "[a;b;]".
template <Keyable T>
struct KeyPart<std::vector<T>> : detail::BuiltInKeyPart<std::vector<T>> {
  static void append(std::string& out, const std::vector<T>& value) {
    out += '[';
    for (const T& element : value) {
      detail::append_key_part(out, element);
      out += ';';
    }
    out += ']';
  }
};

}  // namespace ashmemo
