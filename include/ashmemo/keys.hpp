#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ashmemo {

namespace detail {

/// An element that can be read as a key and that remains valid after the iterator has moved on.
template <class E>
concept LastingKey = std::convertible_to<E, std::string_view> &&
                     (std::is_lvalue_reference_v<E> || std::is_pointer_v<std::remove_cvref_t<E>> ||
                      std::same_as<std::remove_cvref_t<E>, std::string_view>);

}  // namespace detail

/// A forward range of strings, string views or character pointers. A range that creates its strings
/// while it is read is refused, because the strings do not live until the look-up.
template <class K>
concept KeyRange = !std::convertible_to<const K&, std::string_view> && requires(const K& keys) {
  { std::begin(keys) } -> std::forward_iterator;
  std::end(keys);
  requires detail::LastingKey<decltype(*std::begin(keys))>;
};

/// The keys of one call: a view of a KeyRange or of an initializer list. Only for parameters: the
/// range must outlive it.
class Keys {
 public:
  Keys(std::initializer_list<std::string_view> keys) noexcept : keys_(keys.begin(), keys.size()) {}

  template <class K>
  Keys(const K& keys) {
    constexpr bool is_key_range = KeyRange<K>;
    static_assert(is_key_range,
                  "ashmemo: keys are a forward range of strings, string views or character "
                  "pointers that live until the call returns; a range that creates its strings "
                  "while it is read must first be copied to a std::vector<std::string>");
    if constexpr (is_key_range) {
      if constexpr (requires {
                      { std::data(keys) } -> std::convertible_to<const std::string_view*>;
                      std::size(keys);
                    }) {
        keys_ = {std::data(keys), static_cast<std::size_t>(std::size(keys))};
      } else {
        copies_.assign(std::begin(keys), std::end(keys));
        keys_ = copies_;
      }
    }
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
  [[nodiscard]] std::span<const std::string_view> views() const noexcept { return keys_; }

 private:
  std::vector<std::string_view> copies_;  // empty if the range has string views already
  std::span<const std::string_view> keys_;
};

}  // namespace ashmemo
