#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <ashmemo/detail/repeatable.hpp>

// What may stand for records in a call, and how pointers to the records are got of it.

namespace ashmemo::detail {

/// A `T`, or something derived from it. Nothing that merely converts: a page must not be taken for
/// a record, and std::filesystem::path, for one, converts from ranges.
template <class U, class T>
concept RecordOf =
    std::same_as<std::remove_cvref_t<U>, T> || std::derived_from<std::remove_cvref_t<U>, T>;

/// A pointer to a record, or something like one that may be empty: std::shared_ptr, std::optional.
template <class U, class T>
concept PointerTo = !RecordOf<U, T> && requires(const std::remove_reference_t<U>& pointer) {
  { *pointer } -> RecordOf<T>;
  requires std::is_lvalue_reference_v<decltype(*pointer)>;
  static_cast<bool>(pointer);
};

template <class P>
using ElementOf = decltype(*std::begin(std::declval<std::remove_reference_t<P>&>()));

/// Whether what an element refers to outlives the look at the element.
template <class E, class I>
concept LastingElement = std::is_pointer_v<std::remove_cvref_t<E>> || LastingReference<E, I>;

/// A range of `T&` or of pointers to it.
template <class P, class T>
concept PageOf = !RecordOf<P, T> && requires(std::remove_reference_t<P>& page) {
  std::begin(page);
  std::end(page);
  requires LastingElement<ElementOf<P>, IteratorOf<P>>;
  requires RecordOf<ElementOf<P>, T> || PointerTo<ElementOf<P>, T>;
};

[[noreturn]] void throw_empty_record(std::size_t index);

template <class T, class P>
[[nodiscard]] std::vector<const T*> pointers_to(P& page) {
  std::vector<const T*> records;
  if constexpr (requires { std::size(page); }) {
    records.reserve(static_cast<std::size_t>(std::size(page)));
  }
  for (auto&& element : page) {
    if constexpr (RecordOf<decltype(element), T>) {
      records.push_back(std::addressof(static_cast<const T&>(element)));
    } else {
      if (!static_cast<bool>(element)) throw_empty_record(records.size());
      records.push_back(std::addressof(static_cast<const T&>(*element)));
    }
  }
  return records;
}

}  // namespace ashmemo::detail
