#pragma once

#include <compare>
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <variant>

namespace ashmemo {

/// The records of one call of a batch calculation: const references to the caller's own objects,
/// without copies. It is a range, and has `batch[i]`, `size()` and `empty()`.
///
/// It contains each record that misses in the cache once, in the order of the page. It is never
/// empty. A calculation that is not cached gets all records of the page.
///
/// Threads: a plain value. It is valid until the calculation returns.
template <class T>
class Records {
 public:
  class Iterator;
  using value_type = T;
  using const_iterator = Iterator;
  using iterator = Iterator;

  explicit Records(std::span<const T* const> records) noexcept : records_(records) {}

  [[nodiscard]] std::size_t size() const noexcept { return records_.size(); }
  [[nodiscard]] bool empty() const noexcept { return records_.empty(); }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return *records_[i]; }
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(records_.data()); }
  [[nodiscard]] Iterator end() const noexcept {
    return Iterator(records_.data() + records_.size());
  }

 private:
  std::span<const T* const> records_;
};

/// Random access over the records.
template <class T>
class Records<T>::Iterator {
 public:
  using iterator_category = std::random_access_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using pointer = const T*;
  using reference = const T&;

  Iterator() = default;
  explicit Iterator(const T* const* at) noexcept : at_(at) {}

  reference operator*() const noexcept { return **at_; }
  pointer operator->() const noexcept { return *at_; }
  reference operator[](difference_type n) const noexcept { return *at_[n]; }
  Iterator& operator++() noexcept { return ++at_, *this; }
  Iterator& operator--() noexcept { return --at_, *this; }
  Iterator operator++(int) noexcept { return Iterator(at_++); }
  Iterator operator--(int) noexcept { return Iterator(at_--); }
  Iterator& operator+=(difference_type n) noexcept { return at_ += n, *this; }
  Iterator& operator-=(difference_type n) noexcept { return at_ -= n, *this; }
  friend Iterator operator+(Iterator i, difference_type n) noexcept { return i += n; }
  friend Iterator operator+(difference_type n, Iterator i) noexcept { return i += n; }
  friend Iterator operator-(Iterator i, difference_type n) noexcept { return i -= n; }
  friend difference_type operator-(Iterator a, Iterator b) noexcept { return a.at_ - b.at_; }
  friend auto operator<=>(const Iterator&, const Iterator&) = default;

 private:
  const T* const* at_ = nullptr;
};

/// One record of a batch that could not be computed, and the reason. The results of the other
/// records are stored.
struct Failed {
  std::string why;
};

/// The result of a batch calculation for one record, if single records may fail:
/// `std::vector<Outcome<int>>` instead of `std::vector<int>`. Callers still get
/// `std::vector<int>`, or CalculationFailed if any record failed.
template <class R>
using Outcome = std::variant<R, Failed>;

}  // namespace ashmemo
