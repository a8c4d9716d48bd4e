#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string_view>

#include <ashmemo/value.hpp>

namespace ashmemo {

/// Turns a `T` into one SQLite value and back. <ashmemo/codec.hpp> lists the built-in codecs and
/// shows how to write one. This file has only the template that all codecs specialise.
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

}  // namespace ashmemo
