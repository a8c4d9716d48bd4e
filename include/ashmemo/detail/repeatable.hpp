#pragma once

#include <concepts>
#include <iterator>
#include <type_traits>
#include <utility>

// Whether what a range refers to is still there when the range has been read to its end: calls look
// at all records, keys or pairs first, and use them afterwards.

namespace ashmemo::detail {

template <class P>
using IteratorOf = decltype(std::begin(std::declval<std::remove_reference_t<P>&>()));

/// An iterator that names this tag or one derived from it, in any of the three places.
template <class I, class Tag>
concept Tagged = std::derived_from<typename std::iterator_traits<I>::iterator_category, Tag> ||
                 std::derived_from<typename I::iterator_category, Tag> ||
                 std::derived_from<typename I::iterator_concept, Tag>;

/// An iterator of a range that can be read again. A stream cannot: it may read all its elements
/// into one object. An iterator that is too plain for the standard and has no tag either (no more
/// than `*`, `++` and `!=`) counts as one that can: it says nothing else.
template <class I>
concept Repeatable = std::forward_iterator<I> || Tagged<I, std::forward_iterator_tag> ||
                     !(std::input_iterator<I> || Tagged<I, std::input_iterator_tag>);

/// Whether what an element `E` refers to, read through an `I`, outlives the look at the element.
template <class E, class I>
concept LastingReference = std::is_lvalue_reference_v<E> && Repeatable<I>;

}  // namespace ashmemo::detail
