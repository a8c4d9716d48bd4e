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

/// Nothing as NULL, anything else as the value itself. A stored "nothing" is a hit, other than an
/// entry that is missing.
///
/// An optional inside an optional is refused: NULL could stand for either. For the same reason a
/// codec of your own that is used inside an optional must not encode a value as NULL.
///
/// Decodes: NULL, and what the inner type decodes from.
template <detail::StoredInOptional T>
struct Codec<std::optional<T>> {
  /// As built in as the codec inside.
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
