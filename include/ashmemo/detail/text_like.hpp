#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>

namespace ashmemo::detail {

/// Text of any type: std::string, string views, `const char*`, char arrays, and classes that
/// convert to std::string_view.
template <class T>
concept TextLike =
    std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;

/// The text, which lives as long as `value`; nullopt for a null pointer. A char array ends at its
/// first NUL, as a C string does, and at the latest with the array.
template <TextLike T>
[[nodiscard]] constexpr std::optional<std::string_view> text_of(const T& value) {
  if constexpr (std::is_array_v<T>) {
    const std::string_view whole(static_cast<const char*>(value), std::extent_v<T>);
    return whole.substr(0, whole.find('\0'));
  } else if constexpr (std::is_pointer_v<T>) {
    if (value == nullptr) return std::nullopt;
    return std::string_view(value);
  } else {
    return static_cast<std::string_view>(value);
  }
}

/// Converts the result of a callable to the stored type `R`, which owns its text.
template <class R, class V>
[[nodiscard]] R owned_result(V&& value) {
  if constexpr (std::same_as<std::remove_cvref_t<V>, R> || !TextLike<std::remove_cvref_t<V>>) {
    return static_cast<R>(std::forward<V>(value));
  } else {
    return R(text_of(value).value_or(std::string_view()));
  }
}

}  // namespace ashmemo::detail
