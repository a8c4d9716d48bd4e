#pragma once

#include <ashmemo/cache.hpp>
#include <ashmemo/calculation.hpp>
#include <cstddef>
#include <forward_list>
#include <initializer_list>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#ifndef __clang__  // clang 14 cannot compile <ranges> of libstdc++ 12
#include <istream>
#include <ranges>
#endif

// Asserts which ranges of keys, pairs and records the calls accept. checks.sh only compiles this
// file.

namespace ashmemo::test {

using detail::PageOf;
using detail::PairRange;

struct Post {
  int id;
};
using Pair = std::pair<std::string, int>;
template <class Key>
using PairOf = std::pair<Key, int>;

template <class P>
concept Pairs = requires(Cache& cache, const P& pairs) { cache.put_many(pairs); };
template <class P>
concept Page = PageOf<P, Post>;

template <class I>
struct RangeOf {
  [[nodiscard]] I begin() const;
  [[nodiscard]] I end() const;
};

// ------------------------------------------------------------------------------------------------
// accepted: ranges that can be read again

static_assert(KeyRange<std::vector<std::string>> && KeyRange<std::string[3]> &&
              KeyRange<const char* [3]>);
static_assert(KeyRange<std::list<std::string>> && KeyRange<std::forward_list<std::string>>);
static_assert(KeyRange<std::span<const std::string>> && KeyRange<std::vector<std::string_view>>);
static_assert(KeyRange<std::initializer_list<std::string>> &&
              KeyRange<RangeOf<const std::string*>>);
static_assert(Pairs<std::map<std::string, int>> && Pairs<std::vector<Pair>> && Pairs<Pair[3]>);
static_assert(Pairs<std::span<const Pair>> && Pairs<RangeOf<std::forward_list<Pair>::iterator>>);
static_assert(Pairs<std::initializer_list<Pair>> && Pairs<RangeOf<const Pair*>>);
static_assert(Page<std::vector<Post>> && Page<Post (&)[3]> && Page<std::span<Post>>);
static_assert(Page<std::vector<std::shared_ptr<Post>>&> && Page<RangeOf<const Post*>>);

// ------------------------------------------------------------------------------------------------
// rejected: streams; `*it` refers to an element inside the iterator, which does not last

static_assert(!KeyRange<RangeOf<std::istream_iterator<std::string>>>);
static_assert(!Pairs<RangeOf<std::istream_iterator<Pair>>>);
static_assert(!Page<RangeOf<std::istream_iterator<Post>>>);
static_assert(!Page<RangeOf<std::istream_iterator<std::shared_ptr<Post>>>>);

// Pairs and records that only refer to other objects remain valid. Keys need forward iterators.
static_assert(!KeyRange<RangeOf<std::istream_iterator<std::string_view>>>);
static_assert(Pairs<RangeOf<std::istream_iterator<PairOf<std::string_view>>>>);
static_assert(Pairs<RangeOf<std::istream_iterator<PairOf<const char*>>>>);
static_assert(Page<RangeOf<std::istream_iterator<const Post*>>>);

/// The iterator of a coroutine's generator. It can be read only once, but has no tag that says so.
/// It lacks the operations of an iterator that can be read again.
template <class E>
struct Generated {
  using value_type = std::remove_cvref_t<E>;
  using difference_type = std::ptrdiff_t;
  Generated(Generated&&) noexcept;
  Generated& operator=(Generated&&) noexcept;
  E operator*() const;
  std::remove_reference_t<E>* operator->() const;
  Generated& operator++();
  void operator++(int);
  bool operator==(const Generated&) const;
};
static_assert(!KeyRange<RangeOf<Generated<const std::string&>>>);
static_assert(!Pairs<RangeOf<Generated<const Pair&>>>);
static_assert(!Page<RangeOf<Generated<Post&>>>);
static_assert(!KeyRange<RangeOf<Generated<std::string_view>>>);
static_assert(Page<RangeOf<Generated<Post*>>>);

// ------------------------------------------------------------------------------------------------
// iterators with only the operations that a loop needs

struct NoTag {};
struct InputTag {
  using iterator_category = std::input_iterator_tag;
};
struct InputConcept {
  using iterator_concept = std::input_iterator_tag;
};
struct ForwardTag {
  using iterator_category = std::forward_iterator_tag;
};
struct ForwardConcept : InputTag {
  using iterator_concept = std::forward_iterator_tag;
};

template <class E, class Tag>
struct Plain : Tag {
  Plain() = delete;
  E operator*() const;
  std::remove_reference_t<E>* operator->() const;
  Plain& operator++();
  bool operator!=(const Plain&) const;
};
template <class E, class Tag = NoTag>
using PlainRange = RangeOf<Plain<E, Tag>>;

static_assert(Page<PlainRange<Post&>> && Page<PlainRange<const Post&>&>);
static_assert(Page<PlainRange<Post&, ForwardTag>> && Page<PlainRange<Post&, ForwardConcept>>);
static_assert(!Page<PlainRange<Post&, InputTag>> && !Page<PlainRange<Post&, InputConcept>>);
static_assert(Page<PlainRange<Post*, InputTag>>);
static_assert(Pairs<PlainRange<Pair&>> && Pairs<PlainRange<Pair&, ForwardTag>>);
static_assert(!Pairs<PlainRange<Pair&, InputTag>> && !Pairs<PlainRange<Pair&, InputConcept>>);
static_assert(!Pairs<PlainRange<PairOf<const std::string&>, InputTag>>);
static_assert(Pairs<PlainRange<PairOf<std::string_view>, InputTag>>);
static_assert(!KeyRange<PlainRange<const std::string&, InputTag>>);

// Accepted ranges also compile when the functions are instantiated.
inline void call(Cache& cache, const Calculation<Post, int>& calculation) {
  (void)calculation(PlainRange<Post&>());
  (void)cache.put_many(PlainRange<Pair&>());
  (void)cache.get_many<int>(RangeOf<const std::string*>());
  (void)cache.get_many<int>({"a", "b"});
  (void)cache.touch_many(std::vector<std::string_view>{"a"});
  (void)cache.erase_many(std::list<std::string>{"a"});
  (void)cache.get_or_compute_many<int>(
      std::vector<std::string>{"a"},
      [](std::span<const std::string_view> keys) { return std::vector<int>(keys.size()); });
}

// ------------------------------------------------------------------------------------------------
// views

#ifndef __clang__
using Strings = std::vector<std::string>;
using Posts = std::vector<Post>;
std::istream& operator>>(std::istream& in, Post& post);
template <class R, class V>
using Through = decltype(std::declval<R&>() | std::declval<V>());
struct IsGood {
  bool operator()(const Post& post) const;
};

static_assert(KeyRange<std::ranges::subrange<Strings::iterator>>);
static_assert(KeyRange<Through<Strings, decltype(std::views::take(1))>>);
static_assert(KeyRange<Through<std::map<std::string, int>, decltype(std::views::keys)>>);
static_assert(!KeyRange<std::ranges::subrange<std::istream_iterator<std::string>>>);
static_assert(!KeyRange<std::ranges::istream_view<std::string>>);
static_assert(Page<Through<Posts, decltype(std::views::filter(IsGood()))>>);
static_assert(!Page<std::ranges::istream_view<Post>>);
#endif

}  // namespace ashmemo::test
