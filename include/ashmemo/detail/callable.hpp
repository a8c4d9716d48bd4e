#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <ashmemo/codec.hpp>
#include <ashmemo/detail/text_like.hpp>
#include <ashmemo/records.hpp>

// The type of a callable determines its calculation: one record or a batch, its result, its
// arguments.

namespace ashmemo::detail {

template <class...>
struct Types {};

/// Result and parameters of a callable with exactly one signature.
template <class F>
struct Signature;

template <class R, class... A>
struct Signature<R(A...)> {
  using Result = R;
  using Parameters = Types<A...>;
};
template <class R, class... A>
struct Signature<R (*)(A...)> : Signature<R(A...)> {};
template <class R, class... A>
struct Signature<R (*)(A...) noexcept> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...)> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) noexcept> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const noexcept> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const&> : Signature<R(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const & noexcept> : Signature<R(A...)> {};
template <class C, class M>
  requires std::is_object_v<M>
struct Signature<M C::*> : Signature<M()> {};
template <class F>
  requires std::is_class_v<F> && requires { &F::operator(); }
struct Signature<F> : Signature<decltype(&F::operator())> {};

template <class F>
concept HasSignature = requires { typename Signature<F>::Result; };

/// Whether arguments of types `A` can be given for the parameters.
template <class Parameters, class... A>
inline constexpr bool kArgumentsFit = false;
template <class... P, class... A>
  requires(sizeof...(P) == sizeof...(A))
inline constexpr bool kArgumentsFit<Types<P...>, A...> = (std::convertible_to<const A&, P> && ...);

/// The parameters of a call, with the record in front. For a member the record is the object.
template <class T, class F, class Parameters>
struct WithRecord {
  using type = Parameters;
};
template <class T, class F, class... A>
  requires std::is_member_pointer_v<F>
struct WithRecord<T, F, Types<A...>> {
  using type = Types<const T&, A...>;
};

/// The type in which an argument is kept. It owns its text.
template <class A>
using Owned = std::conditional_t<std::same_as<std::decay_t<A>, std::string_view> ||
                                     std::same_as<std::decay_t<A>, const char*>,
                                 std::string, std::decay_t<A>>;

/// Whether `A` is or contains a view of text that it does not own.
template <class A>
inline constexpr bool kBorrowsText =
    TextLike<A> && (std::is_pointer_v<A> || std::derived_from<A, std::string_view>);
template <class A>
inline constexpr bool kBorrowsText<std::optional<A>> = kBorrowsText<A>;
template <class A, class Allocator>
inline constexpr bool kBorrowsText<std::vector<A, Allocator>> = kBorrowsText<A>;

/// The kept argument in the form that the callable's parameter `A` takes.
template <class A>
[[nodiscard]] decltype(auto) as_parameter(const Owned<A>& argument) {
  if constexpr (std::same_as<std::decay_t<A>, const char*>) {
    return argument.c_str();
  } else {
    return (argument);
  }
}

/// The result of a batch calculation for one record.
template <class V>
struct BatchResult {
  static constexpr bool is_vector = false;
  using type = void;
};
template <class V, class Allocator>
struct BatchResult<std::vector<V, Allocator>> {
  static constexpr bool is_vector = true;
  using type = stored_t<V>;
};
template <class V, class Allocator>
struct BatchResult<std::vector<Outcome<V>, Allocator>> {
  static constexpr bool is_vector = true;
  using type = stored_t<V>;
};

template <class V>
inline constexpr bool kIsOutcome = false;
template <class R>
inline constexpr bool kIsOutcome<Outcome<R>> = true;

}  // namespace ashmemo::detail
