#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <ashmemo/detail/repeatable.hpp>

// The records of a call: one record, or a range of records or of pointers to records.

namespace ashmemo::detail {

/// A `T` or a class derived from it. Types that only convert to `T` do not count, because a page
/// must not be taken for a record: std::filesystem::path, for example, converts from ranges.
template <class U, class T>
concept RecordOf =
    std::same_as<std::remove_cvref_t<U>, T> || std::derived_from<std::remove_cvref_t<U>, T>;

/// A pointer to a record, or a class that acts as a pointer and may be empty, such as
/// std::shared_ptr or std::optional.
template <class U, class T>
concept PointerTo = !RecordOf<U, T> && requires(const std::remove_reference_t<U>& pointer) {
  { *pointer } -> RecordOf<T>;
  requires std::is_lvalue_reference_v<decltype(*pointer)>;
  static_cast<bool>(pointer);
};

template <class P>
using ElementOf = decltype(*std::begin(std::declval<std::remove_reference_t<P>&>()));

/// An element whose record remains valid after the iterator has moved on.
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

/// Pointers to the records of a page. Stops the compiler, with a message, if it is no page of `T`.
template <class T, class P>
[[nodiscard]] std::vector<const T*> pointers_to(P& page) {
  constexpr bool is_page = PageOf<P&, T>;
  static_assert(is_page,
                "ashmemo: this is neither a record of the resource nor a range of such records or "
                "of pointers to them; a range that can be read only once must have plain pointers");
  std::vector<const T*> records;
  if constexpr (is_page) {
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
  }
  return records;
}

/// A pointer to one record. Stops the compiler, with a message, if it is no record of type `T`.
template <class T, class U>
[[nodiscard]] const T* pointer_to(const U& record) {
  constexpr bool is_record = RecordOf<U, T>;
  static_assert(is_record,
                "ashmemo: this is not a record of the resource: it must be the resource's "
                "type or a class derived from it");
  if constexpr (is_record) {
    return std::addressof(static_cast<const T&>(record));
  } else {
    return nullptr;
  }
}

}  // namespace ashmemo::detail
