#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <ashmemo/codec_traits.hpp>

namespace ashmemo {

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

}  // namespace ashmemo
