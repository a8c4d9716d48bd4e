#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <ashmemo/codec.hpp>
#include <ashmemo/detail/calculation_run.hpp>
#include <ashmemo/key_part.hpp>
#include <ashmemo/value.hpp>

// Turns the members and callables for key, version and scope into functions. Each function shares
// its callable, so the callable need not be copyable.

namespace ashmemo::detail {

/// A composite key that one callable returns: std::tuple, std::pair.
template <class K>
concept CompositeKey = !Keyable<K> && requires { std::tuple_size<K>::value; };

template <class K>
void append_key_of(std::string& out, const K& key) {
  if constexpr (CompositeKey<K>) {
    std::apply([&](const auto&... parts) { (append_key_of(out, parts), ...); }, key);
  } else {
    append_key_part(out, key);
    out += ':';
  }
}

template <class T, class... K>
[[nodiscard]] KeyAccess<T> key_access(K... parts) {
  auto all = std::make_shared<std::tuple<K...>>(std::move(parts)...);
  return [all](std::string& out, const T& record) {
    std::apply([&](K&... part) { (append_key_of(out, std::invoke(part, record)), ...); }, *all);
  };
}

/// A member or callable that gives the version of a record.
template <class V, class T>
concept VersionOf =
    std::invocable<V&, const T&> && Storable<stored_t<std::invoke_result_t<V&, const T&>>>;

template <class T, class V>
[[nodiscard]] std::function<Value(const T&)> version_access(V version) {
  auto shared = std::make_shared<V>(std::move(version));
  return [shared](const T& record) -> Value { return encode(std::invoke(*shared, record)); };
}

template <class S>
[[nodiscard]] std::function<void(std::string&)> scope_access(S scope) {
  auto shared = std::make_shared<S>(std::move(scope));
  return [shared](std::string& out) { append_scope(out, std::invoke(*shared)); };
}

}  // namespace ashmemo::detail
