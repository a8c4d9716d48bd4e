#pragma once

#include <concepts>
#include <iterator>
#include <type_traits>
#include <utility>

// Whether the elements of a range remain valid after the whole range was read. Calls read all
// records or pairs first, and use them afterwards.

namespace ashmemo::detail {

template <class P>
using IteratorOf = decltype(std::begin(std::declval<std::remove_reference_t<P>&>()));

/// An iterator that declares this tag, or a tag derived from it, in its traits, as its category or
/// as its concept.
template <class I, class Tag>
concept Tagged = std::derived_from<typename std::iterator_traits<I>::iterator_category, Tag> ||
                 std::derived_from<typename I::iterator_category, Tag> ||
                 std::derived_from<typename I::iterator_concept, Tag>;

/// An iterator of a range that can be read again. A stream cannot be read again: it may read all
/// its elements into one object. A minimal iterator without a tag (only `*`, `++` and `!=`) counts
/// as repeatable.
template <class I>
concept Repeatable = std::forward_iterator<I> || Tagged<I, std::forward_iterator_tag> ||
                     !(std::input_iterator<I> || Tagged<I, std::input_iterator_tag>);

/// Whether an element `E` of an iterator `I` remains valid after the iterator has moved on.
template <class E, class I>
concept LastingReference = std::is_lvalue_reference_v<E> && Repeatable<I>;

}  // namespace ashmemo::detail
