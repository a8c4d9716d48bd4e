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

#include <ashmemo/codec.hpp>

// The name of the types of a calculation's results and arguments. The calculation's row in the file
// contains it, so that results of one type are never read as another type, and never answer for
// arguments of another type (see codec.hpp).

namespace ashmemo::detail {

template <class T>
concept NamedByCodec = requires { std::string_view(Codec<T>::type_name); };

/// GCC: "... [with T = app::Mood]". Clang: "... [T = app::Mood]".
template <class T>
[[nodiscard]] consteval const char* signature_with() {
  return static_cast<const char*>(__PRETTY_FUNCTION__);
}

/// `app::Mood` from the signature. GCC's and Clang's texts for an anonymous namespace become equal.
[[nodiscard]] std::string type_in_signature(std::string_view signature);

/// "int32". The width matters in a blob, which contains one number after the other.
template <class T>
[[nodiscard]] std::string element_name() {
  if constexpr (std::same_as<T, float>) return "float";
  if constexpr (std::same_as<T, double>) return "double";
  if constexpr (std::same_as<T, char>) return "char";
  const std::string bits = std::to_string(sizeof(T) * 8);
  return (std::is_signed_v<T> ? "int" : "uint") + bits;
}

/// The name of a type with a built-in codec. The specialisations below name some kinds of types.
template <class T>
struct TypeName {
  [[nodiscard]] static std::string get() { return type_in_signature(signature_with<T>()); }
};

template <class T>
[[nodiscard]] std::string type_name();

template <>
struct TypeName<bool> {
  [[nodiscard]] static std::string get() { return "bool"; }
};
/// One name for all widths: the number in the file is the same, and is checked when it is read.
template <StoredInteger T>
struct TypeName<T> {
  [[nodiscard]] static std::string get() { return "integer"; }
};
template <std::floating_point T>
struct TypeName<T> {
  [[nodiscard]] static std::string get() { return element_name<T>(); }
};
template <StoredEnum T>
struct TypeName<T> {
  [[nodiscard]] static std::string get() {
    return "enum " + type_in_signature(signature_with<T>()) + " of " +
           type_name<std::underlying_type_t<T>>();
  }
};
template <>
struct TypeName<std::string> {
  [[nodiscard]] static std::string get() { return "text"; }
};
template <BlobElement T>
struct TypeName<std::vector<T>> {
  [[nodiscard]] static std::string get() { return "vector of " + element_name<T>(); }
};
template <>
struct TypeName<std::vector<bool>> {
  [[nodiscard]] static std::string get() { return "vector of bool"; }
};
template <class Rep, class Period>
struct TypeName<std::chrono::duration<Rep, Period>> {
  [[nodiscard]] static std::string get() {
    return "duration of " + type_name<Rep>() + " in " + std::to_string(Period::num) + "/" +
           std::to_string(Period::den) + " s";
  }
};
template <class Clock, class Length>
struct TypeName<std::chrono::time_point<Clock, Length>> {
  [[nodiscard]] static std::string get() {
    return type_name<Length>() + " since the epoch of " + clock_name();
  }

 private:
  [[nodiscard]] static std::string clock_name() {
    if constexpr (std::same_as<Clock, std::chrono::system_clock>) return "system_clock";
    if constexpr (std::same_as<Clock, std::chrono::steady_clock>) return "steady_clock";
    return type_in_signature(signature_with<Clock>());
  }
};

/// The name of the type of results; empty if they cannot be stored.
template <class T>
[[nodiscard]] std::string type_name() {
  if constexpr (!Storable<T>) {
    return {};
  } else if constexpr (NamedByCodec<T>) {
    return std::string(std::string_view(Codec<T>::type_name));
  } else if constexpr (kIsOptional<T>) {
    return "optional " + type_name<typename T::value_type>();
  } else if constexpr (is_built_in<T>()) {
    return TypeName<T>::get();
  } else {
    return type_in_signature(signature_with<T>());
  }
}

/// The name of the type of an argument. Unlike a result it need not be storable.
template <class A>
[[nodiscard]] std::string argument_name() {
  if constexpr (Storable<A>) return type_name<A>();
  return type_in_signature(signature_with<A>());
}

/// "text of (integer;bool;)", or "text" if there are no arguments; empty if the results cannot be
/// stored.
template <class R, class... Args>
[[nodiscard]] std::string signature_name() {
  std::string name = type_name<R>();
  if constexpr (sizeof...(Args) > 0) {
    if (name.empty()) return name;
    name += " of (";
    ((name += argument_name<Args>() + ";"), ...);
    name += ")";
  }
  return name;
}

}  // namespace ashmemo::detail
